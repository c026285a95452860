"""Elementor Pro forms: the action "Webhook". It takes anything but 200 for a failure."""

from connectors.doors import Door
from connectors.elementor.parse import parse
from connectors.elementor.settings import ElementorSettings

__all__ = ["SOURCE", "ElementorSettings"]

SOURCE = Door(name="elementor", title="Elementor", settings=ElementorSettings, group="form", parse=parse)
