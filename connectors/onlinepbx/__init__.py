"""onlinePBX: a cloud PBX that posts start, answer and end of each call."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.onlinepbx.parse import parse
from connectors.onlinepbx.settings import OnlinePbxSettings
from connectors.pbx import check_address

__all__ = ["SOURCE", "OnlinePbxSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With auth_key and domain."""
    from connectors.onlinepbx.link import OnlinePbxLink

    return OnlinePbxLink.open(opening)


SOURCE = Door(
    name="onlinepbx",
    title="onlinePBX",
    settings=OnlinePbxSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
