"""Calltouch: calls, requests and chats with the visit that brought them."""

from connectors.calltouch.parse import parse, verify
from connectors.calltouch.settings import CalltouchSettings
from connectors.doors import Door

__all__ = ["SOURCE", "CalltouchSettings"]

SOURCE = Door(
    name="calltouch",
    title="Calltouch",
    settings=CalltouchSettings,
    group="tracking",
    parse=parse,
    verify=verify,
    methods=("GET", "POST"),
)
