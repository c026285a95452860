"""A request of Twilio -> a call or a message, by which of its fields are there."""

from connectors.doors import Inbound, Parsed
from connectors.pbx import fields_of
from connectors.twilio import sms, voice
from connectors.twilio.settings import TwilioSettings


def parse(settings: TwilioSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of a call, one incoming message, or that one of ours did not arrive. Raises Unreadable."""
    fields = fields_of(inbound)
    region, at = settings.region or region, inbound.received_at.replace(microsecond=0)
    if fields.get("MessageSid") or fields.get("SmsSid") or fields.get("SmsMessageSid"):
        message, failed = sms.message_of(fields, region, at), sms.undelivered_of(fields)
        return Parsed(messages=(message,) if message else (), undelivered=(failed,) if failed else ())
    if not fields.get("CallSid"):
        return Parsed()
    if fields.get("DialCallStatus"):
        return Parsed(calls=(voice.dial_action(fields, region, at),))
    if fields.get("RecordingSid"):
        return Parsed(calls=(voice.recording(fields, at),))
    return Parsed(calls=(voice.status(fields, region, at, settings.completed_is_answered),))


def asks_what_to_do(parsed: Parsed) -> bool:
    """The request of a Voice URL, which is to be answered with TwiML."""
    return any(call.event == voice.ASKS for call in parsed.calls)
