"""What config.yaml may say about a number at SMSC.ru that takes SMS in."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class SmscSettings(TalkSettings):
    """A source of type `smsc`."""

    SENDS_WITH: ClassVar = ("api_key",)
    signed_with = ("secret_word",)

    secret_word: Secret | None = Field(None, description="secret word of the handler, which goes into md5")
    api_key: Secret | None = Field(None, description="API key of the account, for answers by SMS")
    sender: str = Field("", description="sender's name of answers; empty: the account's own")
    api_url: str = Field("https://smsc.ru", description="where the vendor's API is")
    timezone: str = Field("Europe/Moscow", description="zone of times that come without one")

    @field_validator("timezone")
    @classmethod
    def _exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("expected a zone such as Europe/Moscow") from error
        return value
