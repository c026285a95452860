"""1C: orders and payments that a configuration posts as JSON from its HTTP service or event handler."""

import base64
import binascii

from connectors.doors import Door, Inbound, Refused, same_secret, token_only
from connectors.onec.parse import parse
from connectors.onec.settings import OnecSettings

__all__ = ["SOURCE", "OnecSettings"]


def verify(settings: OnecSettings, inbound: Inbound) -> None:
    """The token in the address and Basic authorization, each where it is set. Raises Refused."""
    token_only(settings, inbound)
    if settings.password is None:
        return
    scheme, _, given = inbound.headers.get("authorization", "").partition(" ")
    try:
        told = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        told = b""
    expected = f"{settings.user}:{settings.password.get_secret_value()}"
    if not same_secret(told.decode("utf-8", "replace"), expected):
        raise Refused("user or password is wrong or missing")


SOURCE = Door(name="1c", title="1C", settings=OnecSettings, group="shop", parse=parse, verify=verify)
