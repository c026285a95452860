"""Asterisk and FreePBX: requests from the dialplan, and the manager interface's stream."""

from connectors.asterisk.parse import parse
from connectors.asterisk.settings import AmiSettings, AsteriskSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address

__all__ = ["SOURCE", "AmiSettings", "AsteriskSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With `ami`."""
    from connectors.asterisk.link import AsteriskLink

    return AsteriskLink.open(opening)


SOURCE = Door(
    name="asterisk",
    title="Asterisk / FreePBX",
    settings=AsteriskSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
