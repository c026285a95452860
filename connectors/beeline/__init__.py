"""Beeline cloud PBX: XML events of BroadSoft's XSI."""

from connectors.beeline.parse import parse
from connectors.beeline.settings import BeelineSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address

__all__ = ["SOURCE", "BeelineSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With api_token."""
    from connectors.beeline.link import BeelineLink

    return BeelineLink.open(opening)


SOURCE = Door(
    name="beeline",
    title="Билайн Облачная АТС",
    settings=BeelineSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    link=link,
)
