"""SMS, MMS and messages of other channels that Twilio brings in the same shape."""

from datetime import datetime
from typing import Final, Literal

from connectors.chats import hints, link_touch
from connectors.doors import ParsedLead
from connectors.events import Media, ParsedMessage, ParsedUndelivered
from connectors.numbers import line_or_client
from connectors.pbx import told, web_link, whole_seconds
from leads.normalize import person_name

MEDIA_MAX = 20  # Twilio sends at most ten
_BEARS_PHONES: Final = frozenset(("sms", "whatsapp"))
_KINDS: Final[dict[str, Literal["image", "audio", "video"]]] = {"image": "image", "audio": "audio", "video": "video"}


def message_of(fields: dict[str, str], region: str, received_at: datetime) -> ParsedMessage | None:
    """None for a report about a message that we sent. No time is sent: it is that of arrival."""
    status = (fields.get("SmsStatus") or fields.get("MessageStatus", "")).lower()
    sender, line = fields.get("From", ""), fields.get("To", "")
    if status not in ("received", "receiving", "") or not sender or ("Body" not in fields and "NumMedia" not in fields):
        return None
    channel, address = _channel(sender)
    number = line_or_client(address, region)
    ours = line_or_client(_channel(line)[1], region)
    phone = number.e164 if channel in _BEARS_PHONES else ""
    person = address.lstrip("+") if channel != "sms" else "" if phone else address
    words = fields.get("Body", "")
    name = person_name(fields.get("ProfileName", ""))
    return ParsedMessage(
        chat_id=f"{phone or address}:{ours.e164 or ours.raw}",
        message_id=fields.get("MessageSid") or fields.get("SmsMessageSid") or fields.get("SmsSid", ""),
        channel=channel,
        at=received_at,
        text=words,
        media=_media(fields),
        author_name=name,
        lead=ParsedLead(
            name=name,
            phones=(phone,) if phone else (),
            messengers=((channel, person),) if person else (),
            extra=told(our_number=ours.outside or ours.raw, city=fields.get("FromCity", "")),
            touch=link_touch({}, "", received_at),
        ),
        hints=tuple(hint for hint in hints(words, region) if hint != phone),
    )


def undelivered_of(fields: dict[str, str]) -> ParsedUndelivered | None:
    """A report that a message of ours did not arrive; None for any other."""
    status = (fields.get("MessageStatus") or fields.get("SmsStatus", "")).lower()
    message_id = fields.get("MessageSid") or fields.get("SmsSid", "")
    if status not in ("failed", "undelivered") or not message_id:
        return None
    code = fields.get("ErrorCode", "")
    known = code.isascii() and code.isdecimal() and code != "0"
    return ParsedUndelivered(message_id, f"Twilio could not deliver it{f' (code {code})' if known else ''}")


def ends_of(chat_id: str, channel: str) -> tuple[str, str]:
    """(To, From) of an answer into this conversation."""
    person, _, ours = chat_id.rpartition(":")
    before = "" if channel == "sms" else f"{channel}:"
    return before + person, before + ours


def _channel(address: str) -> tuple[str, str]:
    """`whatsapp:+14155550123` -> its channel and the rest; a bare number is SMS."""
    channel, colon, rest = address.partition(":")
    return (channel.lower(), rest) if colon and channel.isascii() and channel.isalpha() else ("sms", address)


def _media(fields: dict[str, str]) -> tuple[Media, ...]:
    count = min(whole_seconds(fields.get("NumMedia", "")) or 0, MEDIA_MAX)
    found = []
    for place in range(count):
        url = web_link(fields.get(f"MediaUrl{place}", ""))
        kind = fields.get(f"MediaContentType{place}", "").partition("/")[0].lower()
        if url:
            found.append(Media(_KINDS.get(kind, "file"), url=url))
    return tuple(found)
