"""What config.yaml may say about a WooCommerce shop."""

from pydantic import Field, SecretStr

from connectors.paying import PaymentSettings


class WoocommerceSettings(PaymentSettings):
    """A source of type `woocommerce`."""

    signed_with = ("secret",)

    secret: SecretStr | None = Field(None, description="secret of the webhook; with it, unsigned requests are refused")
