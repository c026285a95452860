"""Requests of MegaFon's PBX -> calls. It also asks who is calling: nobody that a door could know."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.callfields import final_id
from connectors.doors import Inbound, Parsed, Reply
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.megafon.settings import MegafonSettings
from connectors.numbers import line_or_client
from connectors.pbx import fields_of, told, web_link, whole_seconds

Fields = dict[str, str]

NOBODY_KNOWN: Final = b'{"contact_name": "", "responsible": ""}'
_STATES: Final[dict[str, CallState]] = {
    "incoming": "ringing",
    "outgoing": "ringing",
    "accepted": "talking",
    "completed": "ended",
    "cancelled": "",  # one phone of a group stops ringing: another may have been answered
    "canceled": "",
    "transferred": "",
}
_UNANSWERED: Final[dict[str, Disposition]] = {
    "busy": "busy",
    "notavailable": "failed",
    "notallowed": "failed",
    "notfound": "failed",
}
"""What became of an outgoing call; all else is that nobody answered."""
_START: Final = re.compile(r"(\d{8})T?(\d{6})Z?", re.ASCII)


def parse(settings: MegafonSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of a call, or its history; a question about a contact gets its answer. Raises Unreadable."""
    fields = fields_of(inbound)
    region, command = settings.region or region, fields.get("cmd", "").lower()
    if command == "contact":
        return Parsed(reply=Reply(200, NOBODY_KNOWN))
    if not fields.get("callid") or command not in ("event", "history"):
        return Parsed()
    make = _event if command == "event" else _history
    return Parsed(calls=(make(fields, region, inbound.received_at.replace(microsecond=0)),))


def _event(fields: Fields, region: str, received_at: datetime) -> ParsedCall:
    """No time is sent: it is that of arrival."""
    kind = fields.get("type", "").lower()
    state = _STATES.get(kind, "")
    direction = _direction(fields, kind == "outgoing", region)
    return ParsedCall(
        call_id=fields["callid"],
        event=kind,
        event_id=":".join(
            [fields["callid"], kind, *(fields.get(name, "") for name in ("user", "ext", "second_callid"))]
        ),
        state=state,
        direction=direction,
        client=_client(fields, direction, region),
        line=_line(fields, region),
        extension=fields.get("ext", ""),
        employee=fields.get("user", ""),
        at=received_at,
        answered_at=received_at if state == "talking" else None,
        ended_at=received_at if state == "ended" else None,
        extra=told(group=fields.get("groupRealName", ""), second_call_id=fields.get("second_callid", "")),
    )


def _history(fields: Fields, region: str, received_at: datetime) -> ParsedCall:
    """The last word on a call."""
    status = fields.get("status", "").lower().replace(" ", "")
    direction = _direction(fields, fields.get("type", "").lower() == "out", region)
    duration = whole_seconds(fields.get("duration", ""))
    disposition = _disposition(status, direction, duration)
    answered = disposition == "answered"
    started = _start(fields.get("start", ""))
    ended = started + timedelta(seconds=duration or 0) if started else None
    return ParsedCall(
        call_id=fields["callid"],
        event="history",
        event_id=final_id(fields["callid"], disposition) if disposition else f"{fields['callid']}:history",
        state="ended",
        direction=direction,
        client=_client(fields, direction, region),
        line=_line(fields, region),
        extension=fields.get("ext", ""),
        employee=fields.get("user", ""),
        at=ended or received_at,
        started_at=started,
        ended_at=ended,
        talk_s=(duration if answered else 0) if disposition else None,
        disposition=disposition,
        recording_url=web_link(fields.get("link", "")),
        extra=told(
            status=fields.get("status", ""), group=fields.get("groupRealName", ""), rating=fields.get("rating", "")
        ),
    )


def _direction(fields: Fields, is_outgoing: bool, region: str) -> Direction:
    if line_or_client(fields.get("phone", ""), region).extension:
        return "internal"
    said = fields.get("direction", "").lower()
    return "out" if said == "out" or (is_outgoing and said != "in") else "in"


def _client(fields: Fields, direction: Direction, region: str) -> str:
    return "" if direction == "internal" else line_or_client(fields.get("phone", ""), region).outside


def _line(fields: Fields, region: str) -> str:
    return line_or_client(fields.get("diversion", "") or fields.get("telnum", ""), region).outside


def _disposition(status: str, direction: Direction, duration: int | None) -> Disposition:
    """A success of no seconds is none: a machine answered and nobody talked."""
    if not status:
        return ""
    if status == "success" and duration != 0:
        return "answered"
    return "missed" if direction == "in" else _UNANSWERED.get(status, "no_answer")


def _start(written: str) -> datetime | None:
    """`20260105T100000Z`, in UTC."""
    match = _START.fullmatch(written)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
