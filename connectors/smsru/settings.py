"""What config.yaml may say about reports of SMS.ru."""

from pydantic import Field

from connectors.chats import Secret
from connectors.doors import DoorSettings


class SmsRuSettings(DoorSettings):
    """A source of type `smsru`."""

    signed_with = ("api_id",)

    api_id: Secret | None = Field(None, description="api_id of the account, which goes into the hash of every report")
