"""Chats about ads on Avito."""

from connectors.avito.parse import parse
from connectors.avito.settings import AvitoSettings
from connectors.doors import Door

__all__ = ["SOURCE", "AvitoSettings"]

SOURCE = Door(
    name="avito",
    title="Avito",
    settings=AvitoSettings,
    group="messenger",
    parse=parse,
)
