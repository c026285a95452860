"""SMS that come in at SMSC.ru, and answers to them."""

from connectors.chats import check_address
from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.smsc.parse import parse
from connectors.smsc.settings import SmscSettings

__all__ = ["SOURCE", "SmscSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With api_key."""
    from connectors.smsc.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="smsc",
    title="SMSC.ru",
    settings=SmscSettings,
    group="messenger",
    parse=parse,
    verify=check_address,
    methods=("POST", "GET"),
    link=link,
)
