"""What config.yaml may say about a VK community."""

from typing import ClassVar

from pydantic import Field, field_validator

from connectors.chats import ChatSettings, Secret


class VkSettings(ChatSettings):
    """A source of type `vk`: messages and lead forms of one community."""

    SENDS_WITH: ClassVar = ("access_token",)
    keyed_with = ("secret",)

    secret: Secret | None = Field(
        None, description="secret key of the Callback API server, which stands in every event"
    )
    confirmation: str = Field("", description="the string that VK expects when the address is confirmed, e.g. a1b2c3d4")
    group_id: str = Field("", coerce_numbers_to_str=True, description="number of the community; others are refused")
    access_token: Secret | None = Field(
        None, description="token of the community with the right to messages, for answers"
    )
    api_url: str = Field("https://api.vk.com", description="where the vendor's API is")

    @field_validator("group_id")
    @classmethod
    def _is_number(cls, value: str) -> str:
        number = value.removeprefix("-").removeprefix("club").removeprefix("public")
        if number and not (number.isascii() and number.isdigit()):
            raise ValueError("expected the number of the community, e.g. 223344556")
        return number
