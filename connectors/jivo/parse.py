"""Jivo's events -> messages, calls and leads."""

from collections import Counter
from datetime import datetime
from typing import Final, Literal

from connectors.chats import hints
from connectors.doors import Inbound, Parsed
from connectors.events import CallState, Direction, Disposition, ParsedCall, ParsedMessage
from connectors.jivo.settings import JivoSettings
from connectors.jivo.visitor import agent_of, visitor_of
from connectors.numbers import line_or_client
from connectors.pbx import web_link
from connectors.trees import Tree, is_true, items, moment, part, read_object, text

Author = Literal["client", "us", "bot"]
_AUTHORS: Final[dict[str, Author]] = {"visitor": "client", "client": "client", "agent": "us"}
_CONTACT_EVENTS: Final = ("chat_accepted", "chat_assigned", "chat_updated", "client_updated")
_CALL_STATES: Final[dict[str, CallState]] = {
    "start": "ringing",
    "agent_connecting": "ringing",
    "client_connecting": "ringing",
    "agent_connected": "ringing",
    "client_connected": "talking",
    "connected": "talking",
    "end": "ended",
    "error": "ended",
}
_CALL_TYPES: Final[dict[str, Direction]] = {"callback": "in", "incoming": "in", "outgoing": "out"}
"""A callback was asked for by the client."""


def parse(settings: JivoSettings, inbound: Inbound, region: str) -> Parsed:
    """What one event tells; events without chat, call or contact make nothing. Raises Unreadable."""
    event = read_object(inbound)
    name, region = text(event, "event_name"), settings.region or region
    now = inbound.received_at.replace(microsecond=0)
    if name == "chat_finished":
        return _chat(event, region, now)
    if name == "offline_message":
        return _offline(event, region, now)
    if name == "call_event":
        return _call(event, region, now)
    if name in _CONTACT_EVENTS and text(event, "chat_id"):
        lead = visitor_of(event, region, now, lead_uid=f"chat:{text(event, 'chat_id')}")
        if lead.phones or lead.emails:
            return Parsed((lead,))
    return Parsed()


def _offline(event: Tree, region: str, now: datetime) -> Parsed:
    uid = text(event, "offline_message_id") or text(event, "chat_id")
    if not (uid or text(event, "message") or part(event, "visitor")):
        return Parsed()
    uid = f"offline:{uid}" if uid else ""
    return Parsed((visitor_of(event, region, now, lead_uid=uid, comment=text(event, "message")),))


def _chat(event: Tree, region: str, now: datetime) -> Parsed:
    """The dialogue of a chat; a lead, if the visitor said nothing but left a phone or e-mail."""
    chat_id = text(event, "chat_id")
    if not chat_id:
        return Parsed()
    written_at = (moment(written.get("timestamp"), now) for written in items(part(event, "chat"), "messages"))
    began_at = min(written_at, default=now)
    lead = visitor_of(event, region, began_at)
    if is_true(part(event, "chat"), "blacklisted"):
        lead.extra["blacklisted"] = "true"
    agents = {text(agent, "id"): text(agent, "name") for agent in items(event, "agents")}
    same: Counter[str] = Counter()
    messages: list[ParsedMessage] = []
    for written in items(part(event, "chat"), "messages"):
        kind = text(written, "type")
        author: Author = _AUTHORS.get(kind, "bot")
        at = moment(written.get("timestamp"), now)
        stamp = f"{text(written, 'timestamp') or at.isoformat()}:{kind}"
        same[stamp] += 1
        words = text(written, "message")
        if not words:
            continue
        is_client = author == "client"
        messages.append(
            ParsedMessage(
                chat_id=chat_id,
                message_id=f"{chat_id}:{stamp}:{same[stamp]}",  # Jivo numbers no messages
                channel="jivo",
                author=author,
                at=at,
                text=words,
                author_name=lead.name if is_client else agents.get(text(written, "agent_id"), ""),
                lead=lead if is_client else None,
                hints=hints(words, region) if is_client else (),
            )
        )
    if any(message.author == "client" for message in messages):
        return Parsed(messages=tuple(messages))
    if not (lead.phones or lead.emails):
        return Parsed(messages=tuple(messages))
    return Parsed((visitor_of(event, region, began_at, lead_uid=f"chat:{chat_id}"),), messages=tuple(messages))


def _call(event: Tree, region: str, now: datetime) -> Parsed:
    call, agent = part(event, "call"), part(event, "agent")
    call_id = text(call, "id") or text(event, "chat_id")
    status = text(call, "status").casefold()
    if not call_id or not call:
        return Parsed()
    state = _CALL_STATES.get(status, "")
    direction = _CALL_TYPES.get(text(call, "type").casefold(), "in")
    phone = line_or_client(text(call, "phone") or text(event, "visitor", "phone"), region)
    record = web_link(text(call, "record_url"))
    lead = visitor_of(event, region, now, kind="call")
    return Parsed(
        calls=(
            ParsedCall(
                call_id=call_id,
                event=status or "call",
                event_id=f"{call_id}:{status}:{'record' if record else ''}",
                state=state,
                direction=direction,
                client=phone.outside,
                extension=line_or_client(text(agent, "phone"), region).extension,
                employee=agent_of(event),
                at=now,
                started_at=now if status == "start" else None,
                answered_at=now if state == "talking" else None,
                ended_at=now if state == "ended" else None,
                disposition=_disposition(direction, status, record) if state == "ended" else "",
                recording_url=record,
                lead=lead,
                extra={"type": text(call, "type")} if text(call, "type") else {},
            ),
        )
    )


def _disposition(direction: Direction, status: str, record: str) -> Disposition:
    """Jivo tells no length. Only a talk is recorded; an `end` without record leaves it to the events before it."""
    if record:
        return "answered"
    if status == "error":
        return "missed" if direction == "in" else "failed"
    return ""
