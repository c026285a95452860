"""Callibri: calls, requests, chats and letters with the visit that brought them."""

from connectors.callfields import token_and_network
from connectors.callibri.parse import parse
from connectors.callibri.settings import CallibriSettings
from connectors.doors import Door

__all__ = ["SOURCE", "CallibriSettings"]

SOURCE = Door(
    name="callibri",
    title="Callibri",
    settings=CallibriSettings,
    group="tracking",
    parse=parse,
    verify=token_and_network,
    methods=("GET", "POST"),
)
