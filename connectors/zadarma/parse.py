"""Events of Zadarma -> calls and SMS."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from connectors.bodies import decode, read_body
from connectors.callfields import final_id
from connectors.chats import hints, link_touch
from connectors.doors import Inbound, Parsed, ParsedLead, Reply, Unreadable
from connectors.events import Direction, Disposition, ParsedCall, ParsedMessage
from connectors.numbers import Number, line_or_client
from connectors.pbx import local_time, told, whole_seconds
from connectors.trees import text
from connectors.zadarma.settings import ZadarmaSettings
from connectors.zadarma.sign import first_fields, is_echo
from leads.normalize import clean_text

Fields = dict[str, str]

_OUT: Final = frozenset(("NOTIFY_OUT_START", "NOTIFY_OUT_END"))
_FINAL: Final = frozenset(("NOTIFY_END", "NOTIFY_OUT_END"))
_RINGING: Final = frozenset(("NOTIFY_START", "NOTIFY_INTERNAL", "NOTIFY_IVR", "NOTIFY_OUT_START"))
_OF_CALLS: Final = frozenset((*_RINGING, *_FINAL, "NOTIFY_ANSWER", "NOTIFY_RECORD"))
_UNANSWERED: Final[dict[str, Disposition]] = {"busy": "busy", "cancel": "no_answer", "no answer": "no_answer"}
"""What became of an outgoing call; all else (money, limits, unknown numbers) is a failure."""


def parse(settings: ZadarmaSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of a call, or one SMS; other events make nothing. Raises Unreadable."""
    if is_echo(inbound):
        return Parsed(reply=Reply(200, inbound.param("zd_echo").encode("utf-8", "replace"), "text/plain"))
    if inbound.body.strip() and b"=" not in inbound.body:
        raise Unreadable("not a form")
    sent = first_fields(inbound)
    event = sent.get(b"event", b"").decode(
        "latin-1"
    )  # to the letter: what differs in one was not checked as this event
    fields = {decode(name)[0]: clean_text(decode(value)[0]) for name, value in sent.items()}
    region = settings.region or region
    if event == "SMS":
        return _sms(fields, region, inbound.received_at)
    if event not in _OF_CALLS or not fields.get("pbx_call_id"):
        return Parsed()
    if event == "NOTIFY_RECORD":
        return Parsed(calls=(record_of(fields),))
    return Parsed(calls=(call_of(event, fields, settings, region, inbound.received_at),))


def call_of(event: str, fields: Fields, settings: ZadarmaSettings, region: str, received_at: datetime) -> ParsedCall:
    """The vendor tells only when the call began, so the time of the event is that of its arrival."""
    now = received_at.replace(microsecond=0)
    number, extension, direction = _ends(event, fields, region)
    final = event in _FINAL
    duration = whole_seconds(fields.get("duration", "")) if final else None
    started = local_time(fields.get("call_start", ""), now, settings.timezone, later_s=duration or 0)
    disposition = _disposition(fields.get("disposition", "").lower(), direction) if final else ""
    answered = disposition == "answered"
    return ParsedCall(
        call_id=fields["pbx_call_id"],
        event=event.lower(),
        event_id=final_id(fields["pbx_call_id"], disposition)
        if disposition
        else ":".join((fields["pbx_call_id"], event.lower(), extension, fields.get("call_id_with_rec", ""))),
        state="ended" if final else "ringing" if event in _RINGING else "talking",
        direction=direction,
        client=number.outside if direction != "internal" else "",
        line=line_or_client(fields.get("caller_id" if direction == "out" else "called_did", ""), region).outside,
        extension=extension,
        at=now,
        started_at=started,
        answered_at=now if event == "NOTIFY_ANSWER" else None,
        ended_at=(started + timedelta(seconds=duration) if started and duration else now) if final else None,
        ring_s=None if answered or not final else duration,
        talk_s=(duration if answered else 0) if final and disposition else None,
        disposition=disposition,
        recording_id=fields.get("call_id_with_rec", "") if fields.get("is_recorded") == "1" else "",
        extra=told(disposition=fields.get("disposition", ""), status_code=fields.get("status_code", "")),
    )


def _ends(event: str, fields: Fields, region: str) -> tuple[Number, str, Direction]:
    """The other side, our extension, the direction."""
    internal = fields.get("last_internal", "") or fields.get("internal", "")
    caller = line_or_client(fields.get("caller_id", ""), region)
    called = line_or_client(fields.get("destination", ""), region)
    if event in _OUT:
        return called, internal, "internal" if called.extension else "out"
    return caller, internal or called.extension, "internal" if caller.extension else "in"


def _disposition(said: str, direction: Direction) -> Disposition:
    if said == "answered":
        return "answered"
    if not said:
        return ""
    return "missed" if direction == "in" else _UNANSWERED.get(said, "failed")


def record_of(fields: Fields) -> ParsedCall:
    recording = fields.get("call_id_with_rec", "")
    return ParsedCall(
        call_id=fields["pbx_call_id"],
        event="notify_record",
        event_id=f"{fields['pbx_call_id']}:notify_record:{recording}",
        recording_id=recording,
    )


def _sms(fields: Fields, region: str, received_at: datetime) -> Parsed:
    """An SMS to one of our numbers. It has no id: the same words on the same day count once."""
    tree = read_body(fields.get("result", "").encode("utf-8", "replace"), "application/json").tree
    if not isinstance(tree, dict):
        raise Unreadable("the result is not a JSON object")
    sender, line = (line_or_client(text(tree, name), region) for name in ("caller_id", "caller_did"))
    words = text(tree, "text")
    if not sender:
        return Parsed()
    at = received_at.replace(microsecond=0)
    same = hashlib.sha256("\0".join((sender.raw, line.raw, words, f"{at:%Y-%m-%d}")).encode("utf-8", "replace"))
    return Parsed(
        messages=(
            ParsedMessage(
                chat_id=f"{sender.e164 or sender.raw}:{line.e164 or line.raw}",
                message_id=same.hexdigest()[:32],
                channel="sms",
                at=at,
                text=words,
                lead=ParsedLead(
                    phones=(sender.e164,) if sender.e164 else (),
                    messengers=() if sender.e164 else (("sms", sender.raw),),
                    extra=told(our_number=line.outside),
                    touch=link_touch({}, "", at),
                ),
                hints=tuple(hint for hint in hints(words, region) if hint != sender.e164),
            ),
        )
    )
