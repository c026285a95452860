"""What config.yaml may say about the messages of an Instagram account."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import ChatSettings, Secret


class InstagramSettings(ChatSettings):
    """A source of type `instagram`."""

    SENDS_WITH: ClassVar = ("access_token", "account_id")
    signed_with = ("app_secret",)

    app_secret: Secret | None = Field(None, description="secret of the Meta app, which signs every request")
    verify_token: Secret | None = Field(None, description="the word typed at Meta when the address is entered")
    account_id: str = Field("", coerce_numbers_to_str=True, description="Meta's id of our Instagram account")
    access_token: Secret | None = Field(None, description="token of the account, for answers")
    api_url: str = Field("https://graph.instagram.com/v23.0", description="where the vendor's API is")
