"""Chats about ads on Avito."""

from connectors.avito.parse import parse
from connectors.avito.settings import AvitoSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening

__all__ = ["SOURCE", "AvitoSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With client_id, client_secret and user_id."""
    from connectors.avito.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="avito",
    title="Avito",
    settings=AvitoSettings,
    group="messenger",
    parse=parse,
    link=link,
)
