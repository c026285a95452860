"""MoySklad: webhooks that only link to what changed."""

from connectors.doors import Door
from connectors.moysklad.parse import parse
from connectors.moysklad.settings import MoyskladSettings

__all__ = ["SOURCE", "MoyskladSettings"]

SOURCE = Door(name="moysklad", title="MoySklad", settings=MoyskladSettings, group="shop", parse=parse)
