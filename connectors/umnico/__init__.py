"""Umnico: many messengers through one account."""

from connectors.doors import Door
from connectors.umnico.parse import parse
from connectors.umnico.settings import UmnicoSettings

__all__ = ["SOURCE", "UmnicoSettings"]

SOURCE = Door(
    name="umnico",
    title="Umnico",
    settings=UmnicoSettings,
    group="messenger",
    parse=parse,
)
