"""UIS, CoMagic, CallGear and Novofon of the second generation: HTTP notifications by the customer's own template."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address
from connectors.uis.parse import parse
from connectors.uis.settings import UisSettings

__all__ = ["SOURCE", "UisSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With access_token, or login and password."""
    from connectors.uis.link import UisLink

    return UisLink.open(opening)


SOURCE = Door(
    name="uis",
    title="UIS, CoMagic, Novofon",
    settings=UisSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
