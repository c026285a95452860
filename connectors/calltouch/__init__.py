"""Calltouch: calls, requests and chats with the visit that brought them."""

from connectors.calltouch.parse import parse, verify
from connectors.calltouch.settings import CalltouchSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening

__all__ = ["SOURCE", "CalltouchSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With client_api_id and site_id."""
    from connectors.calltouch.link import CalltouchLink

    return CalltouchLink.open(opening)


SOURCE = Door(
    name="calltouch",
    title="Calltouch",
    settings=CalltouchSettings,
    group="tracking",
    parse=parse,
    verify=verify,
    methods=("GET", "POST"),
    link=link,
)
