"""WooCommerce: orders by its webhooks."""

import re

from connectors.doors import Door, Inbound, check_token
from connectors.formfields import check_hmac
from connectors.woocommerce.parse import PING, parse
from connectors.woocommerce.settings import WoocommerceSettings

__all__ = ["SOURCE", "WoocommerceSettings"]


def verify(settings: WoocommerceSettings, inbound: Inbound) -> None:
    """Token and signature, each where it is set. The first ping comes unsigned and makes nothing."""
    check_token(settings, inbound)
    given = inbound.headers.get("x-wc-webhook-signature", "")
    if settings.secret is None or (not given and re.fullmatch(PING, inbound.body.strip())):
        return
    check_hmac(settings.secret, inbound.body, given)


SOURCE = Door(
    name="woocommerce",
    title="WooCommerce",
    settings=WoocommerceSettings,
    group="shop",
    parse=parse,
    verify=verify,
)
