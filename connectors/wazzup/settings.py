"""What config.yaml may say about a Wazzup24 account."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class WazzupSettings(TalkSettings):
    """A source of type `wazzup`. Without a crmKey Wazzup sends no proof at all: set `url_token` then."""

    SENDS_WITH: ClassVar = ("api_key",)
    keyed_with = ("crm_key",)

    crm_key: Secret | None = Field(None, description="crmKey of the integration; sent as Authorization: Bearer")
    api_key: Secret | None = Field(None, description="API key of the account, for answers")
    api_url: str = Field("https://api.wazzup24.com", description="where the vendor's API is")
