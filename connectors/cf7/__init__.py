"""Contact Form 7 of WordPress, through a webhook plugin."""

from connectors.cf7.parse import parse
from connectors.cf7.settings import Cf7Settings
from connectors.doors import Door

__all__ = ["SOURCE", "Cf7Settings"]

SOURCE = Door(name="cf7", title="Contact Form 7", settings=Cf7Settings, group="form", parse=parse)
