"""What config.yaml may say about a Stripe account."""

from pydantic import Field, SecretStr

from connectors.doors import DoorSettings


class StripeSettings(DoorSettings):
    """A source of type `stripe`."""

    signed_with = ("signing_secret",)

    signing_secret: SecretStr = Field(min_length=1, description="signing secret of the webhook endpoint, whsec_…")
