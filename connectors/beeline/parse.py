"""XSI events -> calls."""

from datetime import datetime
from typing import Final

from connectors.beeline.settings import BeelineSettings
from connectors.beeline.xml import Element, read_xml
from connectors.callfields import call_lead, caller_name, moment, outcome
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, ParsedCall
from connectors.numbers import EXTENSION_MAX, Number, line_or_client

_STATES: Final[dict[str, CallState]] = {
    "CallOriginatedEvent": "ringing",
    "CallReceivedEvent": "ringing",
    "CallAnsweredEvent": "talking",
    "CallReleasedEvent": "ended",
}
"""All that BASIC_CALL and ADVANCED_CALL tell beside these (held, updated, redirected, ...) is no news of a call."""
_COLLEAGUES: Final = ("group", "enterprise")
"""`remoteParty/callType` of a call inside the company; others are `Network` and the like."""


def parse(settings: BeelineSettings, inbound: Inbound, region: str) -> Parsed:
    """The event of one leg; other events, and an empty body, make nothing. Raises Unreadable."""
    if not inbound.body.strip():
        return Parsed()
    event = read_xml(inbound.body.strip())
    data = event.find("eventData")
    call = data.find("call") if data is not None else None
    if data is None or call is None:
        return Parsed()
    kind = data.attributes.get("type", "").rpartition(":")[2]
    state = _STATES.get(kind)
    leg = call.text("callId")
    call_id = call.text("extTrackingId") or leg
    if state is None or not call_id:
        return Parsed()
    region = settings.region or region
    started_at, answered_at, ended_at = (
        moment(call.text(name), inbound.received_at) for name in ("startTime", "answerTime", "releaseTime")
    )
    now = inbound.received_at.replace(microsecond=0)
    at = {"ringing": started_at, "talking": answered_at, "ended": ended_at}[state] or now
    direction = _direction(call, line_or_client(call.text("remoteParty", "address"), region))
    ours = _ours(event, call, region)
    talk_s = _talk_s(answered_at, ended_at or at) if state == "ended" else None
    # One colleague who did not answer is not the end of a call that rings at others: an incoming leg tells only talk.
    tells = state == "ended" and (answered_at is not None or direction != "in")
    cause = call.text("releaseCause", "internalReleaseCause")
    name = caller_name(call.text("remoteParty", "name")) if direction == "in" else ""
    extra = {"release_cause": cause, "queue": call.text("acdCallInfo", "acdName")}
    sequence = event.text("sequenceNumber")
    tracking, target = call.text("extTrackingId"), event.text("targetId")
    disposition = outcome(direction, answered_at is not None, cause) if tells else ""
    recorded = settings.recorded and disposition == "answered"
    event_id = event.text("eventID") or f"{leg}:{kind}:{sequence}"
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event=kind,
                event_id=event_id,
                state=state,
                direction=direction,
                client="" if direction == "internal" else _client(call, region).outside,
                line=_line(call, ours, direction, region),
                extension=ours.extension,
                employee=target,
                at=at,
                started_at=started_at,
                answered_at=answered_at or (at if state == "talking" else None),
                ended_at=at if state == "ended" else None,
                talk_s=talk_s,
                disposition=disposition,
                recording_id=f"{tracking}/{target}" if recorded and tracking and target else "",
                lead=call_lead({}, at, name=name) if name else None,
                extra={key: value for key, value in extra.items() if value},
            ),
        )
    )


def _talk_s(answered_at: datetime | None, ended_at: datetime) -> int | None:
    """An answer time stands only in events of legs that were answered."""
    return max(0, int((ended_at - answered_at).total_seconds())) if answered_at is not None else None


def _direction(call: Element, remote: Number) -> Direction:
    if call.text("remoteParty", "callType").casefold() in _COLLEAGUES or remote.extension:
        return "internal"
    return "in" if call.text("personality").casefold() == "terminator" else "out"


def _client(call: Element, region: str) -> Number:
    return line_or_client(call.text("remoteParty", "address"), region)


def _ours(event: Element, call: Element, region: str) -> Number:
    """The colleague's own number: `9660000001@mpbx.beeline.ru`."""
    address = call.text("addressOfRecord") or call.text("endpoint", "addressOfRecord") or event.text("targetId")
    return line_or_client(address, region)


def _line(call: Element, ours: Number, direction: Direction, region: str) -> str:
    """What the client called: the queue's number or the one that was redirected from, else the colleague's own."""
    if direction == "in":
        for path in (("acdCallInfo", "acdNumber"), ("redirections", "redirection", "party", "address")):
            called = line_or_client(call.text(*path), region)
            if called.outside and len(called.raw) > EXTENSION_MAX:
                return called.outside
    return ours.outside if ours.e164 else ""
