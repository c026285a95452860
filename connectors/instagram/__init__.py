"""Direct messages of an Instagram account."""

from connectors.chats import check_address, check_meta_signature, meta_handshake
from connectors.doors import Door, Inbound, Reply
from connectors.instagram.parse import parse
from connectors.instagram.settings import InstagramSettings
from connectors.links import Link, LinkOpening

__all__ = ["SOURCE", "InstagramSettings"]


def verify(settings: InstagramSettings, inbound: Inbound) -> None:
    """The token in the address and the app's signature, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    check_meta_signature(settings.app_secret, inbound)


def handshake(settings: InstagramSettings, inbound: Inbound) -> Reply | None:
    """Meta's test of the address. Raises Refused."""
    return meta_handshake(settings, settings.verify_token, inbound)


def link(opening: LinkOpening) -> Link | None:
    """With access_token and account_id."""
    from connectors.instagram.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="instagram",
    title="Instagram",
    settings=InstagramSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    handshake=handshake,
    link=link,
)
