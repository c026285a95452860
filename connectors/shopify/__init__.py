"""Shopify: orders by its signed webhooks."""

from connectors.doors import Door, Inbound, check_token
from connectors.formfields import check_hmac
from connectors.shopify.parse import parse
from connectors.shopify.settings import ShopifySettings

__all__ = ["SOURCE", "ShopifySettings"]


def verify(settings: ShopifySettings, inbound: Inbound) -> None:
    """The signature over the raw body, and the token where it is set. Raises Refused."""
    check_token(settings, inbound)
    check_hmac(settings.client_secret, inbound.body, inbound.headers.get("x-shopify-hmac-sha256", ""))


SOURCE = Door(
    name="shopify",
    title="Shopify",
    settings=ShopifySettings,
    group="shop",
    parse=parse,
    verify=verify,
)
