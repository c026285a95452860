"""onlinePBX events -> calls."""

from datetime import datetime
from typing import Final

from connectors.callfields import (
    Fields,
    ago,
    direction_of,
    fields_of,
    final_id,
    less,
    moment,
    outcome,
    plain_status,
    seconds,
)
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, ParsedCall
from connectors.numbers import Number, line_or_client
from connectors.onlinepbx.settings import OnlinePbxSettings
from connectors.pbx import web_link

_STATES: Final[dict[str, CallState]] = {
    "call_start": "ringing",
    "call_answered": "talking",
    "call_end": "ended",
    "call_missed": "ended",
}
_ENDS_OF_TALKS: Final = frozenset(("", "normalclearing"))


def parse(settings: OnlinePbxSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of one call; other events make nothing. Raises Unreadable."""
    fields = fields_of(inbound)
    event, call_id = fields.get("event"), fields.get("uuid", "call_uuid")
    state = _STATES.get(event)
    if state is None or not call_id:
        return Parsed()
    region = settings.region or region
    caller = line_or_client(fields.get("caller", "caller_id_number"), region)
    callee = line_or_client(fields.get("callee", "destination_number"), region)
    gateway = line_or_client(fields.get("gateway"), region)
    direction = _direction(fields.get("direction"), caller, callee)
    client, colleague = (callee, caller) if direction == "out" else (caller, callee)
    if direction == "internal":
        client = Number()
    at = moment(fields.get("date"), inbound.received_at, settings.timezone) or inbound.received_at.replace(
        microsecond=0
    )
    domain = fields.get("domain")
    foreign = domain and settings.domain and domain.casefold() != settings.domain.casefold()
    extra = {"domain": domain} if foreign else {}
    return Parsed(calls=(_call(fields, state, direction, client, colleague, gateway, at, extra),))


def _call(
    fields: Fields,
    state: CallState,
    direction: Direction,
    client: Number,
    colleague: Number,
    gateway: Number,
    at: datetime,
    extra: dict[str, str],
) -> ParsedCall:
    event, call_id = fields.get("event"), fields.get("uuid", "call_uuid")
    ended = state == "ended"
    whole_s = seconds(fields.get("call_duration", "duration")) if ended else None
    talk_s = seconds(fields.get("dialog_duration", "user_talk_time")) if ended else None
    if event == "call_missed":
        talk_s = 0
    cause = fields.get("hangup_cause")
    if cause:
        extra = {**extra, "hangup_cause": cause}
    told = talk_s is not None or plain_status(cause) not in _ENDS_OF_TALKS  # else what came before decides
    disposition = outcome(direction, bool(talk_s), cause) if ended and told else ""
    rings_at = colleague.raw if state == "ringing" else ""
    return ParsedCall(
        call_id=call_id,
        event=event,
        event_id=final_id(call_id, disposition) if disposition else f"{call_id}:{event}:{rings_at}",
        state=state,
        direction=direction,
        client=client.outside,
        line=gateway.outside or ("" if direction != "in" else colleague.outside),
        extension=colleague.extension,
        at=at,
        started_at=ago(at, whole_s) if ended else at if state == "ringing" else None,
        answered_at=at if state == "talking" else ago(at, talk_s) if talk_s else None,
        ended_at=at if ended else None,
        ring_s=less(whole_s, talk_s),
        talk_s=talk_s,
        disposition=disposition,
        recording_id=call_id if talk_s and fields.get("download_url") else "",
        recording_url=web_link(fields.get("download_url")) if talk_s else "",
        extra=extra,
    )


def _direction(word: str, caller: Number, callee: Number) -> Direction:
    """As told; where it is not, numbers of at most 5 digits are colleagues."""
    if caller.extension and callee.extension:
        return "internal"
    return direction_of(word) or ("out" if caller.extension else "in")
