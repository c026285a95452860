"""WhatsApp through 360dialog: payloads of the Cloud API, proofs of its own."""

import base64
import hashlib
import hmac

from connectors.chats import check_address
from connectors.d360.settings import D360Settings
from connectors.doors import Door, Inbound, Refused, same_secret
from connectors.links import Link, LinkOpening
from connectors.whatsapp.parse import parse

__all__ = ["SOURCE", "D360Settings"]


def verify(settings: D360Settings, inbound: Inbound) -> None:
    """The token in the address, the header and the signature, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    given = inbound.headers.get("authorization", "")
    if settings.authorization is not None and not same_secret(given, settings.authorization.get_secret_value()):
        raise Refused("the Authorization header is wrong or missing")
    if settings.platform_secret is None:
        return
    digest = hmac.new(settings.platform_secret.get_secret_value().encode(), inbound.body, hashlib.sha256).digest()
    signature = inbound.headers.get("x-360dialog-signature", "").removeprefix("sha256=")
    in_hex = same_secret(signature, digest.hex())
    in_base64 = same_secret(signature, base64.b64encode(digest).decode())
    if not in_hex and not in_base64:
        raise Refused("the signature is wrong or missing")


def link(opening: LinkOpening) -> Link | None:
    """With api_key."""
    from connectors.d360.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="360dialog",
    title="WhatsApp (360dialog)",
    settings=D360Settings,
    group="messenger",
    parse=parse,
    verify=verify,
    link=link,
)
