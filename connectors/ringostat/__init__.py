"""Ringostat: call tracking and PBX whose webhooks the customer lays out."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address
from connectors.ringostat.parse import parse
from connectors.ringostat.settings import RingostatSettings

__all__ = ["SOURCE", "RingostatSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With auth_key."""
    from connectors.ringostat.link import RingostatLink

    return RingostatLink.open(opening)


SOURCE = Door(
    name="ringostat",
    title="Ringostat",
    settings=RingostatSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
