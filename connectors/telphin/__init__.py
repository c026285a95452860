"""Telphin (Телфин.Офис, Ringme): events of extensions, queues and menus."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address
from connectors.telphin.parse import parse
from connectors.telphin.settings import TelphinSettings

__all__ = ["SOURCE", "TelphinSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With client_id and client_secret."""
    from connectors.telphin.link import TelphinLink

    return TelphinLink.open(opening)


SOURCE = Door(
    name="telphin",
    title="Телфин",
    settings=TelphinSettings,
    group="telephony",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
