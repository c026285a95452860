"""A Slack app: people of a shared channel or a direct message who write to us."""

import hmac
import re
from collections.abc import Sequence
from typing import Final

from connectors.chats import check_address
from connectors.doors import Door, Inbound, Parsed, Receipt, Refused, Reply, same_secret
from connectors.slack.parse import parse
from connectors.slack.settings import SlackSettings

__all__ = ["SOURCE", "SlackSettings"]

TOLERANCE_S: Final = 300


def verify(settings: SlackSettings, inbound: Inbound) -> None:
    """`v0=` and the HMAC of `v0:time:body`, of not more than TOLERANCE_S before or after now. Raises Refused."""
    check_address(settings, inbound)
    stamp = inbound.headers.get("x-slack-request-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise Refused("the signature is missing")
    signed = f"v0:{stamp}:".encode() + inbound.body
    expected = hmac.digest(settings.signing_secret.get_secret_value().encode(), signed, "sha256").hex()
    if not same_secret(inbound.headers.get("x-slack-signature", ""), f"v0={expected}"):
        raise Refused("the signature is wrong")
    if abs(inbound.received_at.timestamp() - int(stamp)) > TOLERANCE_S:
        raise Refused("the signature is too old, or the clock of this machine is wrong")


def reply(settings: SlackSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """Anything but an empty 200 in three seconds is sent again; text would be shown to who pressed a button."""
    return parsed.reply or Reply(200, b"", "text/plain")


SOURCE = Door(
    name="slack",
    title="Slack",
    settings=SlackSettings,
    group="messenger",
    parse=parse,
    verify=verify,
    reply=reply,
)
