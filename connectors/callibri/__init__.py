"""Callibri: calls, requests, chats and letters with the visit that brought them."""

from connectors.callibri.parse import parse
from connectors.callibri.settings import CallibriSettings
from connectors.doors import Door
from connectors.links import Link, LinkOpening
from connectors.pbx import check_address

__all__ = ["SOURCE", "CallibriSettings"]


def link(opening: LinkOpening) -> Link | None:
    """With user_email and user_token."""
    from connectors.callibri.link import CallibriLink

    return CallibriLink.open(opening)


SOURCE = Door(
    name="callibri",
    title="Callibri",
    settings=CallibriSettings,
    group="tracking",
    parse=parse,
    verify=check_address,
    methods=("GET", "POST"),
    link=link,
)
