"""WPForms of WordPress: the Webhooks addon, whose keys the owner chooses."""

from connectors.doors import Door
from connectors.wpforms.parse import parse
from connectors.wpforms.settings import WpformsSettings

__all__ = ["SOURCE", "WpformsSettings"]

SOURCE = Door(name="wpforms", title="WPForms", settings=WpformsSettings, group="form", parse=parse)
