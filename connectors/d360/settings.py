"""What config.yaml may say about a WhatsApp number at 360dialog."""

from pydantic import Field

from connectors.chats import Secret
from connectors.doors import DoorSettings


class D360Settings(DoorSettings):
    """A source of type `360dialog`."""

    authorization: Secret | None = Field(
        None, description="value of the Authorization header that was set with the webhook, e.g. Bearer …"
    )
    platform_secret: Secret | None = Field(
        None, description="secret of a partner's webhooks, which signs every request"
    )
