"""Zadarma, and Novofon of the first generation, which speaks the same language."""

from connectors.doors import Door, Inbound, Reply
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address
from connectors.zadarma.parse import parse
from connectors.zadarma.settings import ZadarmaSettings
from connectors.zadarma.sign import verify

__all__ = ["SOURCE", "ZadarmaSettings"]


def handshake(settings: ZadarmaSettings, inbound: Inbound) -> Reply | None:
    """The test of the address: the value of `zd_echo` as plain text and nothing else. Raises Refused."""
    if not inbound.param("zd_echo"):
        return None
    check_address(settings, inbound)
    return Reply(200, inbound.param("zd_echo").encode("utf-8", "replace"), "text/plain")


def link(opening: LinkOpening) -> Link | None:
    """With user_key and secret."""
    from connectors.zadarma.link import ZadarmaLink

    return ZadarmaLink.open(opening)


SOURCE = Door(
    name="zadarma",
    title="Zadarma",
    settings=ZadarmaSettings,
    group="telephony",
    parse=parse,
    verify=verify,
    handshake=handshake,
    link=link,
)
