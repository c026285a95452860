"""Tilda: forms and shop orders by its webhook."""

from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.tilda.parse import parse
from connectors.tilda.settings import TildaSettings

__all__ = ["SOURCE", "TildaSettings"]


def reply(settings: TildaSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """`ok`, which Tilda wants within 5 s, also for its test."""
    return Reply(200, b"ok", "text/plain")


SOURCE = Door(
    name="tilda",
    title="Tilda",
    settings=TildaSettings,
    group="form",
    parse=parse,
    reply=reply,
)
