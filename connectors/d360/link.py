"""Answers through 360dialog: the Cloud API's messages with a key of its own."""

from connectors.d360.settings import D360Settings
from connectors.links import LinkOpening
from connectors.whatsapp.link import CloudLink


def open_link(opening: LinkOpening) -> CloudLink | None:
    """With api_key."""
    settings = opening.settings
    if not isinstance(settings, D360Settings) or settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value()
    return CloudLink(opening, settings.api_url, "/messages", {"D360-API-KEY": key}, key)
