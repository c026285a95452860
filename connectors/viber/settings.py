"""What config.yaml may say about a Viber bot."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import ChatSettings, Secret


class ViberSettings(ChatSettings):
    """A source of type `viber`."""

    SENDS_WITH: ClassVar = ("auth_token",)
    signed_with = ("auth_token",)

    auth_token: Secret | None = Field(None, description="token of the bot, with which Viber signs every request")
    sender_name: str = Field(
        "", max_length=28, description="name under which answers appear; default: the title of the source"
    )
    api_url: str = Field("https://chatapi.viber.com", description="where the vendor's API is")
