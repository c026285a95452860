"""Meta Lead Ads (Facebook and Instagram): the event names a lead that the Graph API tells."""

import hmac

from connectors.doors import Door, Inbound, Refused, Reply, check_token, same_secret
from connectors.links import Link, LinkOpening
from connectors.meta.parse import parse
from connectors.meta.settings import MetaSettings

__all__ = ["SOURCE", "MetaSettings"]


def handshake(settings: MetaSettings, inbound: Inbound) -> Reply | None:
    """Echoes hub.challenge to who knows the verify token. Raises Refused (403) to anybody else."""
    check_token(settings, inbound)
    if inbound.param("hub.mode") != "subscribe":
        return None
    if not same_secret(inbound.param("hub.verify_token"), settings.verify_token.get_secret_value()):
        raise Refused("hub.verify_token is wrong or missing", 403)
    return Reply(200, inbound.param("hub.challenge").encode(), "text/plain")


def verify(settings: MetaSettings, inbound: Inbound) -> None:
    """The signature covers the bytes as they came: Meta signs its own \\u-escaped JSON. Raises Refused."""
    check_token(settings, inbound)
    digest = hmac.digest(settings.app_secret.get_secret_value().encode(), inbound.body, "sha256").hex()
    if not same_secret(inbound.headers.get("x-hub-signature-256", "").strip(), f"sha256={digest}"):
        raise Refused("the signature is wrong or missing")


def link(opening: LinkOpening) -> Link | None:
    """Without page_token it says so when it is asked."""
    from connectors.meta.link import MetaLink

    return MetaLink.open(opening)


SOURCE = Door(
    name="meta",
    title="Meta Lead Ads",
    settings=MetaSettings,
    group="ads",
    parse=parse,
    verify=verify,
    handshake=handshake,
    link=link,
)
