"""Chat2Desk: many messengers through one account."""

from connectors.chat2desk.parse import parse
from connectors.chat2desk.settings import Chat2DeskSettings
from connectors.doors import Door

__all__ = ["SOURCE", "Chat2DeskSettings"]

SOURCE = Door(
    name="chat2desk",
    title="Chat2Desk",
    settings=Chat2DeskSettings,
    group="messenger",
    parse=parse,
)
