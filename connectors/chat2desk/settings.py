"""What config.yaml may say about a Chat2Desk account."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class Chat2DeskSettings(TalkSettings):
    """A source of type `chat2desk`. Its signature is not documented: set `url_token`."""

    SENDS_WITH: ClassVar = ("api_token",)

    api_token: Secret | None = Field(None, description="token of the API, for answers")
    api_url: str = Field("https://api.chat2desk.com", description="where the vendor's API is")
