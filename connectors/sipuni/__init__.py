"""Sipuni, the virtual PBX."""

from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address
from connectors.sipuni.parse import parse
from connectors.sipuni.settings import SipuniSettings

__all__ = ["SOURCE", "SipuniSettings"]


def reply(settings: SipuniSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """The answer without which Sipuni may stop sending."""
    return parsed.reply or Reply(200, b'{"success": true}')


def link(opening: LinkOpening) -> Link | None:
    """With user and secret."""
    from connectors.sipuni.link import SipuniLink

    return SipuniLink.open(opening)


SOURCE = Door(
    name="sipuni",
    title="Sipuni",
    settings=SipuniSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    reply=reply,
    methods=("GET", "POST"),
    link=link,
)
