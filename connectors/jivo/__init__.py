"""Jivo: chats on a site, messages left while nobody was there, and calls."""

from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.jivo.parse import parse
from connectors.jivo.settings import JivoSettings
from connectors.pbx import check_address

__all__ = ["SOURCE", "JivoSettings", "reply"]


def reply(settings: JivoSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """What Jivo expects of every event."""
    return Reply(body=b'{"result":"ok"}')


SOURCE = Door(
    name="jivo",
    title="Jivo",
    settings=JivoSettings,
    group="messenger",
    parse=parse,
    verify=check_address,
    reply=reply,
)
