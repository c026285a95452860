"""Requests of an Asterisk's dialplan (a hangup handler with CURL), or messages of its ARI -> calls."""

import json
from collections.abc import Iterator
from typing import Final

from connectors.asterisk.ari import block_of
from connectors.asterisk.channels import began_at, peer_of
from connectors.asterisk.fold import CallsOfChannels
from connectors.asterisk.recordings import recording_url
from connectors.asterisk.settings import AsteriskSettings
from connectors.callfields import (
    Fields,
    after,
    ago,
    call_lead,
    caller_name,
    direction_of,
    fields_of,
    less,
    moment,
    outcome,
    plain_status,
    seconds,
)
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, Disposition, ParsedCall
from connectors.numbers import NOBODY, Number, line_or_client
from connectors.trees import Tree

_STATES: Final[dict[str, CallState]] = {
    **dict.fromkeys(("start", "ring", "ringing", "newcall", "incoming", "dial"), "ringing"),
    **dict.fromkeys(("answer", "answered", "talking", "connected", "bridge"), "talking"),
    **dict.fromkeys(("hangup", "end", "ended", "cdr", "finish"), "ended"),
}
_MAX_MESSAGES = 1_000


def parse(settings: AsteriskSettings, inbound: Inbound, region: str) -> Parsed:
    """One call by the fields of NOTES.md, or what a request's ARI messages tell together. Raises Unreadable."""
    if inbound.body.lstrip()[:1] in (b"{", b"[") and b'"type"' in inbound.body:
        fold = CallsOfChannels(settings, region)
        blocks = filter(None, map(block_of, _messages(inbound.body)))
        told = (fold.take(block, inbound.received_at) for block in blocks)
        calls = tuple(call for call in told if call is not None)
        if calls or b'"application"' in inbound.body:
            return Parsed(calls=calls)
    fields = fields_of(inbound)
    call = _call(settings, inbound, settings.region or region, fields)
    return Parsed(calls=(call,) if call else ())


def _messages(body: bytes) -> Iterator[Tree]:
    """One JSON object, a list of them, or one a line."""
    text = body.decode("utf-8", "replace").strip()
    pieces = [text] if text.startswith("[") or "\n" not in text else text.split("\n", _MAX_MESSAGES)[:_MAX_MESSAGES]
    for piece in pieces:
        try:
            read = json.loads(piece)
        except (ValueError, RecursionError):
            continue
        for message in read if isinstance(read, list) else [read]:
            if isinstance(message, dict):
                yield message


def _call(settings: AsteriskSettings, inbound: Inbound, region: str, fields: Fields) -> ParsedCall | None:
    unique = fields.get("uniqueid", "linkedid")
    call_id = fields.get("linkedid", "uniqueid")
    state = _STATES.get(plain_status(fields.get("event", "type")) or "hangup")
    if not call_id or state is None:
        return None
    caller = line_or_client(fields.get("caller", "callerid", "calleridnum", "src"), region)
    called = line_or_client(fields.get("callee", "called", "dst", "destination", "exten"), region)
    did = line_or_client(fields.get("did", "line"), region)
    extension = _extension(fields) or called.extension
    direction = _direction(fields, caller, called)
    if direction == "out":
        extension = _extension(fields) or caller.extension
    client = {"in": caller, "out": called if called.outside else did}.get(direction, NOBODY)
    now = inbound.received_at.replace(microsecond=0)
    whole_s, talk_s = seconds(fields.get("duration")), seconds(fields.get("billsec", "talk"))
    started_at = began_at(call_id) or moment(
        fields.get("start", "calldate"), inbound.received_at, settings.timezone, later_s=whole_s or 0
    )
    answered = _answered(fields, direction, extension, talk_s)
    ended = state == "ended"
    is_leg = unique != call_id and direction == "in"  # one of several that rang: its silence is not the call's
    tells = ended and (answered or not is_leg)
    talk_s = talk_s if answered else None if is_leg else 0
    at = (after(started_at, whole_s) if ended else None) or now
    recording = fields.get("recording", "recordingfile")
    name = caller_name(fields.get("name", "calleridname")) if direction == "in" else ""
    event = fields.get("event", "type") or "hangup"
    return ParsedCall(
        call_id=call_id,
        event=event,
        event_id=f"{unique}:{event}",
        state=state,
        direction=direction,
        client=client.outside,
        line=did.outside if client is not did else "",
        extension=extension,
        employee=fields.get("employee"),
        at=at,
        started_at=started_at,
        answered_at=now if state == "talking" else ago(at, talk_s) if ended and talk_s else None,
        ended_at=at if ended else None,
        ring_s=less(whole_s, talk_s) if ended else None,
        talk_s=talk_s if ended else None,
        disposition=_disposition(fields, direction, answered) if tells else "",
        recording_id=recording,
        recording_url=recording_url(settings, recording),
        lead=call_lead({}, started_at or now, name=name) if name else None,
    )


def _extension(fields: Fields) -> str:
    """`101`, or the channel of it."""
    written = fields.get("extension", "agent") or fields.get("dstchannel", "destchannel")
    return peer_of(written).name if "/" in written else written


def _direction(fields: Fields, caller: Number, called: Number) -> Direction:
    told = direction_of(fields.get("direction"))
    if told:
        return told
    if caller.extension:
        return "internal" if called.extension else "out"
    return "in"


def _answered(fields: Fields, direction: Direction, extension: str, talk_s: int | None) -> bool:
    """Whether two people talked. A menu answers the channel as well: the status of the Dial decides where it is sent,
    else somebody must be named who talked."""
    dial = plain_status(fields.get("dialstatus"))
    if dial:
        return dial == "answer" and talk_s != 0
    answered = plain_status(fields.get("disposition")) in ("answered", "answer")
    return answered and talk_s != 0 and (direction != "in" or bool(extension))


def _disposition(fields: Fields, direction: Direction, answered: bool) -> Disposition:
    return outcome(direction, answered, fields.get("dialstatus", "disposition"))
