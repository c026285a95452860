"""What config.yaml may say about a WhatsApp number at 360dialog."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class D360Settings(TalkSettings):
    """A source of type `360dialog`."""

    SENDS_WITH: ClassVar = ("api_key",)
    GIVES_FILES = True
    signed_with = ("platform_secret",)
    keyed_with = ("authorization",)

    authorization: Secret | None = Field(
        None, description="value of the Authorization header that was set with the webhook, e.g. Bearer …"
    )
    platform_secret: Secret | None = Field(
        None, description="secret of a partner's webhooks, which signs every request"
    )
    api_key: Secret | None = Field(None, description="D360-API-KEY of the number, for answers and files")
    api_url: str = Field("https://waba-v2.360dialog.io", description="where the vendor's API is")
