"""Twilio: calls, SMS and MMS, all signed and sent to one address."""

from collections.abc import Sequence

from connectors.doors import Door, Inbound, Parsed, Receipt, Reply
from connectors.links import Link, LinkOpening
from connectors.twilio.parse import asks_what_to_do, parse
from connectors.twilio.settings import EMPTY_TWIML, TwilioSettings
from connectors.twilio.sign import verify

__all__ = ["SOURCE", "TwilioSettings"]


def reply(settings: TwilioSettings, inbound: Inbound, parsed: Parsed, receipts: Sequence[Receipt]) -> Reply:
    """TwiML: what to do with a call that just came in, else nothing."""
    twiml = settings.voice_twiml if asks_what_to_do(parsed) else EMPTY_TWIML
    return parsed.reply or Reply(200, twiml.encode(), "text/xml")


def link(opening: LinkOpening) -> Link | None:
    """With account_sid and auth_token."""
    from connectors.twilio.link import TwilioLink

    return TwilioLink.open(opening)


SOURCE = Door(
    name="twilio",
    title="Twilio",
    settings=TwilioSettings,
    group="telephony",
    parse=parse,
    verify=verify,
    reply=reply,
    methods=("GET", "POST"),
    link=link,
)
