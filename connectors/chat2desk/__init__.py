"""Chat2Desk: many messengers through one account."""

from connectors.chat2desk.parse import parse
from connectors.chat2desk.settings import Chat2DeskSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening

__all__ = ["SOURCE", "Chat2DeskSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With api_token."""
    from connectors.chat2desk.link import open_link

    return open_link(opening)


SOURCE = Door(
    name="chat2desk",
    title="Chat2Desk",
    settings=Chat2DeskSettings,
    group="messenger",
    parse=parse,
    link=link,
)
