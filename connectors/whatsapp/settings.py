"""What config.yaml may say about a WhatsApp number of the Cloud API."""

from typing import ClassVar

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class WhatsAppSettings(TalkSettings):
    """A source of type `whatsapp`."""

    SENDS_WITH: ClassVar = ("access_token", "phone_number_id")
    GIVES_FILES = True
    signed_with = ("app_secret",)

    app_secret: Secret | None = Field(None, description="secret of the Meta app, which signs every request")
    verify_token: Secret | None = Field(None, description="the word typed at Meta when the address is entered")
    phone_number_id: str = Field(
        "", coerce_numbers_to_str=True, description="Meta's id of the number that answers are sent from"
    )
    access_token: Secret | None = Field(None, description="permanent token of a system user, for answers")
    api_url: str = Field("https://graph.facebook.com/v23.0", description="where the vendor's API is")
