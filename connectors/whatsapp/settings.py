"""What config.yaml may say about a WhatsApp number of the Cloud API."""

from pydantic import Field

from connectors.chats import Secret
from connectors.doors import DoorSettings


class WhatsAppSettings(DoorSettings):
    """A source of type `whatsapp`."""

    app_secret: Secret | None = Field(None, description="secret of the Meta app, which signs every request")
    verify_token: Secret | None = Field(None, description="the word typed at Meta when the address is entered")
    phone_number_id: str = Field(
        "", coerce_numbers_to_str=True, description="Meta's id of the number that answers are sent from"
    )
