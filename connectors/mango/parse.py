"""Events of Mango Office -> calls. What follows the address tells which event it is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.bodies import read_body
from connectors.callfields import final_id
from connectors.doors import Inbound, Parsed, Refused, Unreadable
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.mango.settings import MangoSettings
from connectors.mango.sign import first_fields
from connectors.numbers import Number, line_or_client
from connectors.pbx import NEVER, check_sender, told
from connectors.trees import Tree, moment, part, text

_DIRECTIONS: Final[dict[str, Direction]] = {"0": "internal", "1": "in", "2": "out"}
_WHOLE_CALL_ENDS: Final = frozenset(("1110", "1120"))
"""The caller or the callee hung up. Any other reason may be that of one leg: another phone rings next."""
_BUSY: Final = frozenset(("1121", "1122", "1123"))
_FAILED: Final = ("113", "115", "2", "3", "4", "5")
"""Beginnings of reasons for which a call could not be made: unavailable, blacklisted, money, parameters, platform."""
ZONE_AHEAD: Final = timedelta(hours=3)
_ZONE_SLACK: Final = timedelta(minutes=30)


def parse(settings: MangoSettings, inbound: Inbound, region: str) -> Parsed:
    """At most one event of a call; tests, SMS, keys and outcomes of commands make nothing. Raises Unreadable."""
    tail = check_sender(settings, inbound).strip("/").lower()
    if any(f"/{one}" in tail for one in _TAILS):  # what Mango appends to a wrong address would be lost with a 200
        raise Refused("no such address", 404)
    maker = _MAKERS.get(tail)
    sent = first_fields(inbound).get(b"json", b"")
    if maker is None or not sent.strip():
        return Parsed()
    tree = read_body(sent, "application/json").tree
    if not isinstance(tree, dict):
        raise Unreadable("the json field is not an object")
    call = maker(tree, settings.region or region, inbound.received_at)
    return Parsed(calls=(call,)) if call.call_id else Parsed()


def _call(tree: Tree, region: str, received_at: datetime) -> ParsedCall:
    """`events/call`: one leg appears, is connected, or goes."""
    state, reason = text(tree, "call_state"), text(tree, "disconnect_reason")
    with_person = text(tree, "location") in ("abonent", "")
    ends = _Ends(tree, region)
    direction = ends.direction
    at = _time(tree.get("timestamp"), received_at, received_at)
    now: CallState = ""
    match state.lower():
        case "appeared":
            now = "ringing"
        case "connected" | "onhold":
            now = "talking" if with_person else "ringing"
        case "disconnected" if with_person and reason in _WHOLE_CALL_ENDS:
            now = "ended"
    return ParsedCall(
        call_id=text(tree, "entry_id") or text(tree, "call_id"),
        event=f"call.{state.lower()}",
        event_id=f"call:{text(tree, 'call_id')}:{text(tree, 'seq')}:{state.lower()}",
        state=now,
        direction=direction,
        client=ends.client(direction),
        line=ends.line,
        extension=ends.extension(direction),
        at=at,
        answered_at=at if state.lower() == "connected" and with_person else None,
        ended_at=at if now == "ended" else None,
        command_id=text(tree, "command_id"),
        extra=told(
            location=text(tree, "location"),
            group=text(tree, "to", "acd_group"),
            disconnect_reason=reason,
            callback_initiator=text(tree, "callback_initiator"),
            dynamic_number=ends.dynamic,
        ),
    )


def summary(tree: Tree, region: str, received_at: datetime) -> ParsedCall:
    """`events/summary`: the last word on a call. Somebody talked if and only if there is a time of talk."""
    ends = _Ends(tree, region)
    direction = _DIRECTIONS.get(text(tree, "call_direction")) or ends.direction
    ended = _time(tree.get("end_time"), received_at, received_at)
    ahead = _is_ahead(tree.get("end_time"), received_at)
    started, forwarded, talk = (_past(tree.get(name), ahead) for name in ("create_time", "forward_time", "talk_time"))
    rings_from = forwarded or started
    reason = text(tree, "disconnect_reason")
    disposition: Disposition = "answered" if talk else _never_talked(direction, reason)
    return ParsedCall(
        call_id=text(tree, "entry_id"),
        event="summary",
        event_id=final_id(f"summary:{text(tree, 'entry_id')}", disposition),
        state="ended",
        direction=direction,
        client=ends.client(direction),
        line=ends.line,
        extension=ends.extension(direction),
        at=ended,
        started_at=started,
        answered_at=talk,
        ended_at=ended,
        ring_s=_between(rings_from, talk or ended),
        talk_s=_between(talk, ended) if talk else 0,
        disposition=disposition,
        extra=told(disconnect_reason=reason, dynamic_number=ends.dynamic),
    )


def _recording(tree: Tree, region: str, received_at: datetime) -> ParsedCall:
    """`events/recording`: it runs or is done, but the file comes later."""
    state = text(tree, "recording_state").lower()
    recording = text(tree, "recording_id")
    return ParsedCall(
        call_id=text(tree, "entry_id") or text(tree, "call_id"),
        event=f"recording.{state}",
        event_id=f"recording:{recording}:{text(tree, 'seq')}:{state}",
        extension=text(tree, "extension"),
        at=_time(tree.get("timestamp"), received_at, received_at),
        recording_id=recording,
        command_id=text(tree, "command_id"),
    )


def record_added(tree: Tree, region: str, received_at: datetime) -> ParsedCall:
    """`events/record/added`: the file can be fetched."""
    user = text(tree, "user_id")
    return ParsedCall(
        call_id=text(tree, "entry_id"),
        event="record.added",
        event_id=f"record.added:{text(tree, 'recording_id')}",
        at=_time(tree.get("timestamp"), received_at, received_at),
        recording_id=text(tree, "recording_id"),
        extra=told(user_id="" if user == "-1" else user),
    )


_Maker = Callable[[Tree, str, datetime], ParsedCall]
_TAILS: Final = ("events/", "result/")
_MAKERS: Final[dict[str, _Maker]] = {
    "events/call": _call,
    "events/summary": summary,
    "events/recording": _recording,
    "events/record/added": record_added,
}


class _Ends:
    """Both ends of a call. A colleague is who has an extension, whatever number his phone has."""

    def __init__(self, tree: Tree, region: str) -> None:
        self._from, self._to = line_or_client(text(tree, "from", "number"), region), self._callee(tree, region)
        self._from_extension = text(tree, "from", "extension") or self._from.extension
        self._to_extension = text(tree, "to", "extension") or self._to.extension
        dct = part(tree, "dct")
        dynamic = line_or_client(text(dct, "number"), region).outside
        called = text(tree, "line_number") or text(tree, "to", "line_number")
        self.line = line_or_client(called, region).outside or dynamic
        self.dynamic = dynamic if text(dct, "type") in ("1", "2") else ""

    @staticmethod
    def _callee(tree: Tree, region: str) -> Number:
        return line_or_client(text(tree, "to", "number"), region)

    @property
    def direction(self) -> Direction:
        if not self._from_extension:
            return "in"
        return "out" if self._to.outside and not self._to_extension else "internal"

    def client(self, direction: Direction) -> str:
        match direction:
            case "in":
                return self._from.outside
            case "out":
                return self._to.outside
            case _:
                return ""

    def extension(self, direction: Direction) -> str:
        return self._to_extension if direction == "in" else self._from_extension


def _never_talked(direction: Direction, reason: str) -> Disposition:
    if direction == "in":
        return "missed"
    if reason in _BUSY:
        return "busy"
    return "failed" if reason.startswith(_FAILED) else "no_answer"


# --- times: Unix seconds, which by the document of 2026 run in the zone of Moscow ---------------------------------


def _is_ahead(value: Any, received_at: datetime) -> bool:
    """An event that lies three hours ahead of its own arrival was counted in Moscow's time."""
    far = moment(value, received_at) - received_at
    return abs(far - ZONE_AHEAD) < _ZONE_SLACK


def _time(value: Any, default: datetime, received_at: datetime) -> datetime:
    at = moment(value, default)
    return at - ZONE_AHEAD if _is_ahead(value, received_at) else at


def _past(value: Any, ahead: bool) -> datetime | None:
    """A time in a summary; 0 says that it never came to that."""
    at = moment(value, NEVER)
    if at == NEVER:
        return None
    return at - ZONE_AHEAD if ahead else at


def _between(start: datetime | None, end: datetime) -> int | None:
    return max(0, int((end - start).total_seconds())) if start else None
