"""A Viber bot."""

from connectors.chats import check_address, check_signature
from connectors.doors import Door, Inbound
from connectors.links import Link, LinkOpening
from connectors.viber.parse import parse
from connectors.viber.settings import ViberSettings

__all__ = ["SOURCE", "ViberSettings"]


def verify(settings: ViberSettings, inbound: Inbound) -> None:
    """The token in the address and the signature, each where it is set. Raises Refused."""
    check_address(settings, inbound)
    check_signature(settings.auth_token, inbound.body, inbound.headers.get("x-viber-content-signature", ""))


def link(opening: LinkOpening) -> Link | None:
    """With auth_token."""
    from connectors.viber.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="viber",
    title="Viber",
    settings=ViberSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    link=link,
)
