"""Calls of Twilio. A call whose TwiML ran is `completed` though nobody may have talked: only a Dial tells that."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.callfields import final_id
from connectors.doors import ParsedLead
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.numbers import NOBODY, Number, line_or_client
from connectors.pbx import told, web_link, whole_seconds
from connectors.trees import moment
from leads.normalize import person_name

Fields = dict[str, str]

ASKS: Final = "voice"
"""The event of a request that wants TwiML."""
_OVER: Final = frozenset(("completed", "busy", "failed", "no-answer", "canceled"))
_RINGS: Final = frozenset(("queued", "initiated", "ringing"))
_UNANSWERED: Final[dict[str, Disposition]] = {"busy": "busy", "failed": "failed"}
_HIDDEN: Final = frozenset(("266696687", "7378742833", "86282452253", "8656696", "2562533"))
"""ANONYMOUS, RESTRICTED, UNAVAILABLE, UNKNOWN and BLOCKED, typed on the keys of a phone."""


def status(fields: Fields, region: str, received_at: datetime, completed_is_answered: bool) -> ParsedCall:
    """The request of a Voice URL, or a status of a whole call or of one leg of it."""
    said, parent = fields.get("CallStatus", "").lower(), fields.get("ParentCallSid", "")
    ends = _Ends(fields, region)
    at = time_of(fields.get("Timestamp", ""), received_at)
    seconds = whole_seconds(fields.get("CallDuration", ""))
    over = said in _OVER
    # Of the whole incoming call "in progress" and "completed" only say that its TwiML ran.
    with_person = bool(parent) or ends.direction == "out" or (completed_is_answered and over)
    talked = said == "completed" and with_person and seconds != 0
    state: CallState = "ringing"
    if over:
        state = "" if parent else "ended"  # another leg may still ring or talk
    elif said == "in-progress" and with_person:
        state = "talking"
    asks = not parent and not over and not any(name in fields for name in ("CallbackSource", "SequenceNumber"))
    event = ASKS if asks else f"leg {said}" if parent else said
    disposition = _disposition(said, talked, ends.direction, fields) if over and (talked or not parent) else ""
    event_id = ":".join((fields["CallSid"], event, said, fields.get("SequenceNumber", "")))
    if over and not parent:
        event_id = final_id(fields["CallSid"], disposition) if disposition else f"{fields['CallSid']}:{said}"
    return ParsedCall(
        call_id=parent or fields["CallSid"],
        event=event,
        event_id=event_id,
        state=state,
        direction=ends.direction,
        client=ends.client,
        line=ends.line,
        extension=ends.extension,
        employee=ends.employee,
        at=at,
        started_at=_started(said, at, seconds) if not parent else None,
        answered_at=at if state == "talking" else None,
        ended_at=at if over and not parent else None,
        talk_s=seconds if talked else None,
        disposition=disposition,
        lead=_who(fields) if ends.direction == "in" and not parent else None,
        extra=told(status=said, sip_code=fields.get("SipResponseCode", ""), forwarded=fields.get("ForwardedFrom", "")),
    )


def dial_action(fields: Fields, region: str, received_at: datetime) -> ParsedCall:
    """What became of a Dial: whether somebody talked to the caller, and how long."""
    said = fields["DialCallStatus"].lower()
    ends = _Ends(fields, region)
    seconds = whole_seconds(fields.get("DialCallDuration", ""))
    talked = said in ("completed", "answered") and (seconds != 0 or fields.get("DialBridged") == "true")
    at = time_of(fields.get("Timestamp", ""), received_at)
    disposition: Disposition = "answered" if talked else _unanswered(said, ends.direction)
    return ParsedCall(
        call_id=fields["CallSid"],
        event=f"dial {said}",
        event_id=final_id(f"{fields['CallSid']}:dial", disposition),
        state="ended",
        direction=ends.direction,
        client=ends.client,
        line=ends.line,
        extension=ends.extension,
        employee=ends.employee,
        at=at,
        talk_s=seconds if talked else 0,
        disposition=disposition,
        recording_id=fields.get("RecordingSid", ""),
        recording_url=web_link(fields.get("RecordingUrl", "")),
        lead=_who(fields) if ends.direction == "in" else None,
        extra=told(dial_status=said, dial_call_sid=fields.get("DialCallSid", "")),
    )


def recording(fields: Fields, received_at: datetime) -> ParsedCall:
    """A recording that is there. One of the Record verb is what a caller said after the tone."""
    said = fields.get("RecordingStatus", "completed").lower()
    ready = said == "completed"
    spoken = whole_seconds(fields.get("RecordingDuration", "")) or 0
    # The verb's own action tells no source, but all of the call.
    source = fields.get("RecordingSource") or ("RecordVerb" if fields.get("Direction") == "inbound" else "")
    voicemail = ready and spoken > 0 and source == "RecordVerb"
    return ParsedCall(
        call_id=fields["CallSid"],
        event=f"recording {said}",
        event_id=":".join((fields["CallSid"], "recording", fields["RecordingSid"], said)),
        at=time_of(fields.get("RecordingStartTime", ""), received_at),
        disposition="voicemail" if voicemail else "",
        recording_id=fields["RecordingSid"] if ready else "",
        recording_url=web_link(fields.get("RecordingUrl", "")) if ready else "",
        extra=told(status=said, source=fields.get("RecordingSource", "")),
    )


class _Ends:
    """Both ends of a call. Who comes from a browser or by SIP is one of us."""

    def __init__(self, fields: Fields, region: str) -> None:
        caller, called = (fields.get(name) or fields.get(other, "") for name, other in _NAMES)
        self.direction: Direction = "in"
        ours = _user(caller)
        if ours:
            self.direction = "out"
        elif fields.get("ParentCallSid"):
            # A leg to a phone is a call passed on or a click-to-call: only the whole call knows.
            self.direction = "in" if _user(called) else ""
            ours = _user(called)
        elif fields.get("Direction", "").lower().startswith("outbound"):
            self.direction = "out"
        other, line = (called, caller) if self.direction == "out" else (caller, called)
        known = bool(self.direction)
        self.client = _number(other, region).outside if known and not _user(other) else ""
        self.line = _number(line, region).outside if known and not _user(line) else ""
        self.employee = "" if _number(ours, region).extension else ours
        self.extension = _number(ours, region).extension


_NAMES: Final = (("From", "Caller"), ("To", "Called"))


def _user(address: str) -> str:
    """`client:anna`, `sip:anna@example.sip.twilio.com` -> anna; "" for a phone."""
    scheme, colon, rest = address.partition(":")
    return rest.partition("@")[0] if colon and scheme.lower() in ("client", "sip", "sips") else ""


def _number(address: str, region: str) -> Number:
    number = line_or_client(address, region)
    return NOBODY if number.raw.lstrip("+") in _HIDDEN else number


def _disposition(said: str, talked: bool, direction: Direction, fields: Fields) -> Disposition:
    if talked:
        machine = fields.get("AnsweredBy", "").lower().startswith(("machine", "fax"))
        return "voicemail" if machine and direction == "out" else "answered"
    if said == "completed" and direction == "in":
        return ""
    return _unanswered(said, direction)


def _started(said: str, at: datetime, seconds: int | None) -> datetime | None:
    if said in _RINGS:
        return at
    return at - timedelta(seconds=seconds) if said == "completed" and seconds else None


def _unanswered(said: str, direction: Direction) -> Disposition:
    return "missed" if direction == "in" else _UNANSWERED.get(said, "no_answer")


def time_of(written: str, received_at: datetime) -> datetime:
    """`Mon, 05 Jan 2026 20:00:52 +0000`."""
    try:
        at = parsedate_to_datetime(written)
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at
    return moment((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(), received_at)


def _who(fields: Fields) -> ParsedLead | None:
    """The name that the carrier knows, and the place of the number."""
    name = person_name(fields.get("CallerName", ""))
    extra = told(city=fields.get("FromCity", ""), state=fields.get("FromState", ""))
    return ParsedLead(name=name, extra=extra) if name or extra else None
