"""What config.yaml may say about a Shopify shop."""

from pydantic import Field, SecretStr

from connectors.paying import PaymentSettings


class ShopifySettings(PaymentSettings):
    """A source of type `shopify`."""

    signed_with = ("client_secret",)

    client_secret: SecretStr = Field(min_length=1, description="client secret of the app: it signs the webhooks")
