"""Wazzup24 (API v3): WhatsApp, Telegram, Instagram, VK, Avito, Viber and MAX through one account."""

from connectors.chats import check_address
from connectors.doors import Door, Inbound, Refused, same_secret
from connectors.links import Link, LinkOpening
from connectors.wazzup.parse import parse
from connectors.wazzup.settings import WazzupSettings

__all__ = ["SOURCE", "WazzupSettings"]


def verify(settings: WazzupSettings, inbound: Inbound) -> None:
    """The token in the address and the crmKey, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    scheme, _, given = inbound.headers.get("authorization", "").partition(" ")
    if settings.crm_key is None:
        return
    if scheme.lower() != "bearer" or not same_secret(given, settings.crm_key.get_secret_value()):
        raise Refused("the crmKey is wrong or missing")


def link(opening: LinkOpening) -> Link | None:
    """With api_key."""
    from connectors.wazzup.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="wazzup",
    title="Wazzup24",
    settings=WazzupSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    link=link,
)
