"""Answers through 360dialog: the Cloud API's messages with a key of its own."""

from connectors.d360.settings import D360Settings
from connectors.links import LinkOpening
from connectors.whatsapp.link import CloudLink


class D360Link(CloudLink):
    files_here = True


def open_link(opening: LinkOpening) -> D360Link | None:
    """With api_key."""
    settings = opening.settings
    if not isinstance(settings, D360Settings) or settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value()
    return D360Link(opening, settings.api_url, "/messages", {"D360-API-KEY": key}, key)
