"""What the page of one lead shows: understood, person, assignment, deliveries, what happened, the raw request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any

from connectors.base import Kind
from jobs import reports
from jobs.alerts.parts import crm_name
from jobs.hub import Hub
from leads.attribution import describe_touch, touch_from_json
from leads.call_text import call_line
from leads.calls import Call
from store.reading import Story
from store.repeats import SENT_AGAIN
from store.ties import TIED
from web.reasons import Why, why
from web.reasons import next_try as next_try_words
from web.words import Words

NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(("company", "comment", "form", "page_url", "referrer", "external_id"), ""),
    **dict.fromkeys(("messengers", "utm", "click_ids", "extra", "other_persons")),
}
"""What a lead's `data` leaves out when it is empty."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A touch in words."""

    at: datetime
    text: str
    referrer: str
    landing_page: str
    marks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    title: str
    state: str
    why: Why
    next_try: str
    attempts: int
    took_s: float | None
    deal_id: str
    deal_url: str
    contact_id: str
    contact_url: str
    joined: bool
    looked_up: bool
    incomplete: Sequence[str]
    responsible: str


@dataclass(frozen=True, slots=True)
class EventView:
    at: datetime
    text: str
    note: str
    detail: str
    took_ms: int | None
    tone: str
    calls: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StoryView:
    """`can_retry`: something is owed and no one is at it; `held`: a person decides first."""

    lead: Any
    data: Mapping[str, Any]
    first: Origin | None
    last: Origin | None
    journey: Sequence[Origin]
    identities: Sequence[Any]
    others: Sequence[Any]
    deliveries: Sequence[DeliveryView]
    events: Sequence[EventView]
    actions: Sequence[Any]
    raw: Mapping[str, Any] | None
    can_retry: bool
    can_discard: bool
    held: bool
    call: str = ""
    """The phone call that the lead is, in one line; `recording` is the page where it is heard, or ""."""
    recording: str = ""


def view(story: Story, hub: Hub, words: Words, recording_of: str = "") -> StoryView:
    """`recording_of`: our id of the call, where there is a recording of it."""
    states = {row.state for row in story.deliveries}
    lead = story.lead
    unrouted = not story.deliveries and lead.status == "failed"
    json = reports.story_json(story, hub.masks)
    return StoryView(
        lead=lead,
        data={**NOTHING, **lead.data},
        first=_origin(story.person.first_touch if story.person else {}, words),
        last=_origin(lead.data.get("touch"), words),
        journey=[origin for one in story.touches if (origin := _origin(one.data, words))],
        identities=story.identities,
        others=story.other_leads,
        deliveries=[_delivery(row, story, hub, words) for row in story.deliveries],
        events=[_event(one, hub, words) for one in reports.folded(json["timeline"])],
        actions=[one for one in story.actions if one.action not in (SENT_AGAIN, TIED)],
        raw=json["raw"],
        can_retry=bool(states & {"dead", "held", "ready", "waiting"}) or unrouted,
        can_discard=(bool(states & {"dead", "held", "ready", "waiting"}) and "claimed" not in states) or unrouted,
        held="held" in states,
        call=call_line(Call.from_json(lead.data["call"]), words.locale) if lead.data.get("call") else "",
        recording=f"/recordings/{recording_of}" if recording_of else "",
    )


def crm(name: str, hub: Hub, words: Words) -> str:
    """`amoCRM "sales"`."""
    found = hub.connections.get(name)
    about = {"vendor": found.connector.title, "title": name} if found else {"title": name}
    return unescape(crm_name(about, name, words.style))


def _origin(data: Mapping[str, Any] | None, words: Words) -> Origin | None:
    if not data:
        return None
    try:
        touch = touch_from_json(data)
    except ValueError:
        return None
    return Origin(
        at=touch.at,
        text=describe_touch(touch, words.locale),
        referrer=touch.referrer,
        landing_page=touch.landing_page,
        marks={**touch.utm, **touch.click_ids},
    )


def _delivery(row: Any, story: Story, hub: Hub, words: Words) -> DeliveryView:
    delivered = row.state == "delivered"
    following = ""
    if row.state == "waiting":
        following = words("row.behind")
    elif row.state == "claimed":
        following = words("row.sending")
    elif row.state == "ready" and row.last_error:
        following = words("group.next", when=next_try_words(row.due_at, words))
    reason = next((one.reason for one in reversed(story.assignments) if one.delivery_id == row.id), "")
    return DeliveryView(
        title=crm(row.connection, hub, words),
        state=row.state,
        why=Why("") if delivered or row.state == "discarded" else why(row, words),
        next_try=following,
        attempts=row.attempts,
        took_s=(row.arrived_at - story.lead.received_at).total_seconds() if delivered and row.arrived_at else None,
        deal_id=row.record_id,
        deal_url=record_url(hub, row.connection, "deal", row.record_id),
        contact_id=row.contact_id,
        contact_url=record_url(hub, row.connection, "contact", row.contact_id),
        joined=row.outcome == "joined",
        looked_up=row.looked_up,
        incomplete=[str(one.get("field") or one.get("kind") or "") for one in row.incomplete],
        responsible=reason or row.assigned_to,
    )


def record_url(hub: Hub, connection: str, kind: Kind, record_id: str) -> str:
    """Where the record is in the CRM; "" when there is none, or nobody can tell."""
    found = hub.connections.get(connection)
    url = found.target.record_url(kind, record_id) if found and record_id else ""
    return url if url.startswith(("https://", "http://")) else ""


def _event(event: Mapping[str, Any], hub: Hub, words: Words) -> EventView:
    at = datetime.fromisoformat(event["at"])
    name = event["event"]
    match name:
        case "received":
            note = words("lead.spooled") if event["spooled"] else ""
            return EventView(at, words("event.received", source=event["source"]), note, "", None, "", ())
        case "assigned":
            return EventView(at, words("event.assigned"), event["why"], "", None, "", ())
        case "attempt":
            outcome = event["outcome"]
            text = f"{crm(event['connection'], hub, words)}, {words('event.attempt', number=event['number'])}"
            note, took_ms = words.known("outcome", outcome), event["took_ms"]
            if "count" in event:
                last = words.time(datetime.fromisoformat(event["until"]), seconds=True)
                note = f"{note}, {words('event.times', n=event['count'], last=last)}"
                took_ms = None
            tone = (
                "good" if outcome in ("created", "joined") else "bad" if outcome in ("refused", "gave_up") else "warn"
            )
            return EventView(at, text, note, event["error"], took_ms, tone, event["calls"])
        case "lead.sent_again":
            said = "; ".join(f"{field}: «{value}»" for field, value in event["data"].items())
            return EventView(at, words("event.lead.sent_again"), said, "", None, "warn", ())
        case "person.tied":
            note = words("event.person.tied.by", source=event["data"].get("source", ""))
            return EventView(at, words("event.person.tied"), note, "", None, "person", ())
        case _:
            who = actor(event["actor"], words)
            return EventView(at, f"{words.known('event', name)}: {who}", event["why"], "", None, "person", ())


def actor(name: str, words: Words) -> str:
    """`user:anna` -> `anna`."""
    return words("actor.local") if name == "local" else name.removeprefix("user:")
