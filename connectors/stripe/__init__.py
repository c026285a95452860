"""Stripe: payments by its signed webhook."""

import hmac
import re

from connectors.doors import Door, Inbound, Refused, check_token, same_secret
from connectors.links import Link, LinkOpening
from connectors.stripe.parse import parse
from connectors.stripe.settings import StripeSettings

__all__ = ["SOURCE", "StripeSettings"]

TOLERANCE_S = 300  # the default of Stripe's own libraries


def verify(settings: StripeSettings, inbound: Inbound) -> None:
    """`t=…,v1=…[,v1=…]`: any one v1 must be right, of not more than TOLERANCE_S before or after now. Raises Refused."""
    check_token(settings, inbound)
    parts = [part.strip().partition("=") for part in inbound.headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise Refused("the signature is missing")
    signed = stamp.encode() + b"." + inbound.body
    expected = hmac.digest(settings.signing_secret.get_secret_value().encode(), signed, "sha256").hex()
    right = [same_secret(value, expected) for name, _, value in parts[:20] if name == "v1"]
    if not any(right):
        raise Refused("the signature is wrong")
    if abs(inbound.received_at.timestamp() - int(stamp)) > TOLERANCE_S:
        raise Refused("the signature is too old, or the clock of this machine is wrong")


def link(opening: LinkOpening) -> Link | None:
    """With secret_key."""
    from connectors.stripe.link import StripeLink

    return StripeLink.open(opening)


SOURCE = Door(
    name="stripe",
    title="Stripe",
    settings=StripeSettings,
    group="payment",
    parse=parse,
    verify=verify,
    link=link,
)
