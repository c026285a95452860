"""Umnico: many messengers through one account."""

from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.umnico.parse import parse
from connectors.umnico.settings import UmnicoSettings

__all__ = ["SOURCE", "UmnicoSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With api_token."""
    from connectors.umnico.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="umnico",
    title="Umnico",
    settings=UmnicoSettings,
    group="messenger",
    parse=parse,
    link=link,
)
