"""WhatsApp through Meta's Cloud API."""

from connectors.chats import check_address, check_meta_signature, meta_handshake
from connectors.doors import Door, Inbound, Reply
from connectors.links import Link, LinkOpening
from connectors.whatsapp.parse import parse
from connectors.whatsapp.settings import WhatsAppSettings

__all__ = ["SOURCE", "WhatsAppSettings"]


def verify(settings: WhatsAppSettings, inbound: Inbound) -> None:
    """The token in the address and the app's signature, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    check_meta_signature(settings.app_secret, inbound)


def handshake(settings: WhatsAppSettings, inbound: Inbound) -> Reply | None:
    """Meta's test of the address. Raises Refused."""
    return meta_handshake(settings, settings.verify_token, inbound)


def link(opening: LinkOpening) -> Link | None:
    """With access_token and phone_number_id."""
    from connectors.whatsapp.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="whatsapp",
    title="WhatsApp",
    settings=WhatsAppSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    handshake=handshake,
    link=link,
)
