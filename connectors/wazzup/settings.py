"""What config.yaml may say about a Wazzup24 account."""

from pydantic import Field

from connectors.chats import Secret
from connectors.doors import DoorSettings


class WazzupSettings(DoorSettings):
    """A source of type `wazzup`. Without a crmKey Wazzup sends no proof at all: set `url_token` then."""

    crm_key: Secret | None = Field(None, description="crmKey of the integration; sent as Authorization: Bearer")
