"""Telphin events -> calls."""

from typing import Final

from connectors.callfields import (
    Fields,
    ago,
    call_lead,
    caller_name,
    direction_of,
    fields_of,
    final_id,
    moment,
    outcome,
    plain_status,
    says_answered,
)
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, ParsedCall
from connectors.numbers import Number, line_or_client
from connectors.telphin.settings import TelphinSettings

_STATES: Final[dict[str, CallState]] = {
    "dial-in": "ringing",
    "dial-out": "ringing",
    "answer": "talking",
    "hangup": "ended",
}
_MICROSECONDS = 1_000_000
_LONGEST_IN_SECONDS = 86_400  # a Duration above it can only be microseconds


def parse(settings: TelphinSettings, inbound: Inbound, region: str) -> Parsed:
    """One event of one leg; messages and unknown events make nothing. Raises Unreadable."""
    fields = fields_of(inbound)
    event, call_id = fields.get("eventtype").casefold(), fields.get("callid")
    state = _STATES.get(event)
    if state is None or not call_id:
        return Parsed()
    region = settings.region or region
    caller = line_or_client(_own(fields.get("calleridnum")), region)
    called = line_or_client(_own(fields.get("callednumber")), region)
    did = line_or_client(fields.get("calleddid"), region)
    direction = _direction(fields, event, caller, called, did)
    client = {"in": caller, "out": called}.get(direction, Number())
    line = did.outside or (caller.outside if direction == "out" else "")
    at = moment(fields.get("eventtime"), inbound.received_at, settings.timezone)
    at = at or inbound.received_at.replace(microsecond=0)
    answered, talk_s = _talk(fields) if state == "ended" else (False, None)
    status = fields.get("callstatus")
    # One phone that did not answer is not the end of a call that rings at others: that the queue or menu tells.
    tells = state == "ended" and (answered or direction != "in" or bool(fields.get("bridged")))
    name = caller_name(fields.get("calleridname")) if direction == "in" else ""
    leg = fields.get("subcallid") or call_id
    disposition = outcome(direction, answered, status) if tells else ""
    extra = {"status": status, "extension_id": fields.get(f"{_side(direction)}extensionid")}
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event=event,
                event_id=final_id(call_id, disposition) if disposition else f"{leg}:{event}",
                state=state,
                direction=direction,
                client=client.outside,
                line=line,
                extension=_extension(fields, direction),
                at=at,
                started_at=at if state == "ringing" else None,
                answered_at=at if state == "talking" else ago(at, talk_s) if answered else None,
                ended_at=at if state == "ended" else None,
                talk_s=talk_s,
                disposition=disposition,
                recording_id=fields.get("recid"),
                command_id=fields.get("callapiid") if direction == "out" else "",
                lead=call_lead({}, at, name=name) if name else None,
                extra={key: value for key, value in extra.items() if value},
            ),
        )
    )


def _own(text: str) -> str:
    """`00000*101` is extension 101 of client 00000."""
    return text.rpartition("*")[2]


def _side(direction: Direction) -> str:
    return "caller" if direction == "out" else "called"


def _extension(fields: Fields, direction: Direction) -> str:
    """Whose phone it is. A hangup with `Bridged` is that of a menu or a queue: nobody's."""
    return "" if fields.get("bridged") else _own(fields.get(f"{_side(direction)}extension"))


def _direction(fields: Fields, event: str, caller: Number, called: Number, did: Number) -> Direction:
    if caller.extension and called.extension and not did:
        return "internal"
    told = direction_of(fields.get("callflow"))
    if told:
        return told
    if event in ("dial-in", "dial-out"):
        return "in" if event == "dial-in" else "out"
    ours_calls = fields.get("callerextension") and not (fields.get("calledextension") or did)
    return "out" if caller.extension or ours_calls else "in"


def _talk(fields: Fields) -> tuple[bool, int | None]:
    """Whether two people talked, and for how many seconds.

    A menu or queue picks up by itself, so its `CallStatus=ANSWER` proves nothing: there `Bridged` decides.
    """
    written = fields.get("duration")
    length = int(written) if written.isascii() and written.isdecimal() and len(written) < 16 else None
    if length is not None and length > _LONGEST_IN_SECONDS:
        length //= _MICROSECONDS
    bridged = plain_status(fields.get("bridged"))
    answered = says_answered(fields.get("callstatus")) and length != 0
    if bridged:
        return (
            (True, None) if bridged in ("yes", "true", "1") else (False, None)
        )  # its Duration is waiting and talk in one
    return answered, length if answered else None
