"""What config.yaml may say about a Stripe account."""

from pydantic import Field, SecretStr

from connectors.paying import PaymentSettings


class StripeSettings(PaymentSettings):
    """A source of type `stripe`."""

    signed_with = ("signing_secret",)

    signing_secret: SecretStr = Field(min_length=1, description="signing secret of the webhook endpoint, whsec_…")
    secret_key: SecretStr | None = Field(
        None, description="restricted API key that may read events: with it, events that never came are found"
    )
    api_url: str = Field("https://api.stripe.com", description="address of the API")
