"""Jivo: chats on a site, messages left while nobody was there, and calls."""

from collections.abc import Sequence

from connectors.callfields import token_and_network
from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.jivo.parse import parse
from connectors.jivo.settings import JivoSettings

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
    verify=token_and_network,
    reply=reply,
)
