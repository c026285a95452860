"""Reports of SMS.ru about SMS that were sent."""

from collections.abc import Sequence

from connectors.chats import check_address
from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.smsru.parse import parse
from connectors.smsru.settings import SmsRuSettings

__all__ = ["SOURCE", "SmsRuSettings"]


def reply(settings: SmsRuSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """`100`, or SMS.ru repeats the report."""
    return parsed.reply or Reply(200, b"100", "text/plain")


SOURCE = Door(
    name="smsru",
    title="SMS.ru",
    settings=SmsRuSettings,
    group="messenger",
    parse=parse,
    verify=check_address,
    reply=reply,
)
