"""Gravity Forms of WordPress: the Webhooks add-on."""

from connectors.doors import Door
from connectors.gravityforms.parse import parse
from connectors.gravityforms.settings import GravityformsSettings

__all__ = ["SOURCE", "GravityformsSettings"]

SOURCE = Door(name="gravityforms", title="Gravity Forms", settings=GravityformsSettings, group="form", parse=parse)
