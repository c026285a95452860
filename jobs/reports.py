"""Leads, their stories and the day's numbers as plain data: the same for CLI, API and console."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connectors.body_text import readable
from jobs.intake.spooled import SpooledLead
from jobs.sources.masking import Masks
from leads.incidents import Incident
from leads.masking import Mask
from store import errands, reading
from store.errands import OwedErrands
from store.inbox import Backlog, backlog
from store.incidents import open_incidents
from store.reading import LeadFilter, Story
from store.recovered import count_recovered
from store.tables import t_lease
from store.talk_work import Work, note_work, reply_work


def day_window(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[start, end) of a day in the hub's zone; 23 or 25 hours on days when the clocks change."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    return start, end


@dataclass(frozen=True, slots=True)
class DayStatus:
    """The answer to "how many leads did not arrive?". Counts are of leads received on `day`.

    `owed` and `oldest_pending` look at all days: what is stuck since yesterday is stuck today.
    """

    day: date
    accepted: int
    delivered: int
    pending: int
    failed: int
    discarded: int
    owed: int
    """Leads of any day that did not arrive yet, those without a route too."""
    groups: tuple[reading.OwedGroup, ...]
    unrouted: int
    oldest_pending: datetime | None
    latency: reading.Latency
    connections: Mapping[str, Mapping[str, Any]]
    now: datetime
    spooled: int = 0
    """Leads of `day` that wait beside the database; they are in `accepted` and `pending`."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """Errands of `day`, by state: enquiries that a request named and that wait to be read are no leads yet."""
    unread_now: Mapping[str, OwedErrands] = field(default_factory=dict)
    """Source -> what is not read there, of all days."""
    unclaimed: Mapping[str, OwedErrands] = field(default_factory=dict)
    """Source -> payments and insights whose deal is not known, of all days."""
    events: Backlog = field(default_factory=Backlog)
    """Calls, messages and payments of `day` that were accepted and are not worked on yet: leads may be among them."""
    recovered: int = 0
    """Leads of `day` that never came by themselves and were found in the vendor's list."""
    refused: Sequence[Incident] = ()
    """Of connections that refuse their token now, with leads waiting or without."""
    notes: Work = field(default_factory=Work)
    """Notes of conversations: work of its own, not counted as leads."""
    replies: Work = field(default_factory=Work)
    """Our messages to clients."""

    @property
    def not_read(self) -> int:
        """Of the day."""
        return sum(self.unread.get(state, 0) for state in errands.OWED)

    @property
    def not_arrived(self) -> int:
        return self.pending + self.failed

    @property
    def fine(self) -> bool:
        """Nothing of this day is undelivered or unread."""
        return self.not_arrived == 0 and self.not_read == 0 and self.events.count == 0

    def to_json(self) -> dict[str, Any]:
        """What `leadhub status --json` prints."""
        oldest = (self.now - self.oldest_pending).total_seconds() if self.oldest_pending else 0.0
        latency = {name: self.latency.quantile(share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
        return {
            "day": self.day.isoformat(),
            "accepted": self.accepted,
            "delivered": self.delivered,
            "pending": self.pending,
            "failed": self.failed,
            "discarded": self.discarded,
            "oldest_pending_seconds": round(max(0.0, oldest), 3),
            "latency_seconds": {name: None if value is None else round(value, 3) for name, value in latency.items()},
            "looked_up": len(self.latency.looked_up),
            "spooled": self.spooled,
            "events_waiting": self.events.count,
            "recovered": self.recovered,
            "errands": {
                "pending": sum(self.unread.get(state, 0) for state in errands.WAITING),
                "failed": self.unread.get("dead", 0),
                "done": self.unread.get("done", 0),
                "discarded": self.unread.get("discarded", 0),
            },
            "connections": {name: dict(one) for name, one in self.connections.items()},
            "notes": self.notes.to_json(),
            "replies": self.replies.to_json(),
        }


def day_status(
    conn: Connection,
    day: date,
    zone: ZoneInfo,
    names: Sequence[str],
    now: datetime,
    spooled: Sequence[SpooledLead] = (),
) -> DayStatus:
    """`names`: the configured connections; `spooled`: what the spool holds (jobs.intake.spooled)."""
    since, until = day_window(day, zone)
    counts = reading.count_by_status(conn, since, until)
    by_connection = reading.count_by_connection(conn, since, until)
    groups, unrouted = reading.owed_groups(conn), reading.count_unrouted(conn)
    states = connection_states(conn)
    for group in groups:
        if group.last_error and group.error_kind != "hold":
            states.setdefault(group.connection, "degraded")
    beside = not_taken_in(conn, [one for one in spooled if since <= one.received_at < until])
    nothing = {"delivered": 0, "pending": 0, "failed": 0, "discarded": 0}
    connections = {
        name: {**by_connection.get(name, nothing), "state": states.get(name, "ok")}
        for name in dict.fromkeys([*names, *by_connection])
    }
    return DayStatus(
        day=day,
        accepted=sum(counts.values()) + len(beside),
        delivered=counts.get("delivered", 0),
        pending=counts.get("pending", 0) + len(beside),
        failed=counts.get("failed", 0),
        discarded=counts.get("discarded", 0),
        owed=reading.count_owed(conn) + unrouted,
        groups=tuple(groups),
        unrouted=unrouted,
        oldest_pending=min(
            filter(None, (reading.oldest_pending(conn), *(one.received_at for one in beside))), default=None
        ),
        latency=reading.latency(conn, since, until),
        connections=connections,
        now=now,
        spooled=len(beside),
        unread=errands.count_by_state(conn, since, until),
        unread_now=errands.owed(conn),
        unclaimed=errands.owed(conn, local=True),
        events=backlog(conn, since, until),
        recovered=sum(count_recovered(conn, since, until).values()),
        refused=[one for one in open_incidents(conn) if one.kind == "token_refused" and one.recovered_at is None],
        notes=note_work(conn, since, until),
        replies=reply_work(conn, since, until),
    )


def not_taken_in(conn: Connection, spooled: Sequence[SpooledLead]) -> list[SpooledLead]:
    """Without those that the database has as well (their commit was only thought to have failed)."""
    known = reading.known_ids(conn, [one.lead_id for one in spooled])
    return [one for one in spooled if one.lead_id not in known]


def connection_states(conn: Connection) -> dict[str, str]:
    """Connection -> ok, degraded, down or unauthorized, as its owner last said through its incidents."""
    states: dict[str, str] = {}
    for one in open_incidents(conn):
        if one.recovered_at is not None:
            continue
        if one.kind == "token_refused":
            states[one.connection] = "unauthorized"
        elif one.kind == "connection_down":
            states.setdefault(one.connection, "down")
        elif one.kind in ("lead_late", "lead_failed"):
            states.setdefault(one.connection, "degraded")
    return states


def list_leads(conn: Connection, wanted: LeadFilter, *, limit: int, before: str = "") -> list[dict[str, Any]]:
    """Newest first, what `leadhub leads list --json` prints."""
    rows = reading.find_leads(conn, wanted, limit=limit, before=before)
    deliveries = reading.deliveries_of(conn, (row.id for row in rows))
    return [lead_json(row, row.first_touch, deliveries.get(row.id, [])) for row in rows]


def lead_json(row: Any, first_touch: Mapping[str, Any], deliveries: Sequence[Any]) -> dict[str, Any]:
    data = row.data
    return {
        "id": row.id,
        "source": row.source,
        "received_at": row.received_at.isoformat(),
        "lead_uid": row.lead_uid,
        "name": row.name,
        "phones": list(row.phones),
        "emails": list(row.emails),
        "messengers": data.get("messengers", []),
        "external_id": data.get("external_id", ""),
        "company": data.get("company", ""),
        "comment": data.get("comment", ""),
        "form": data.get("form", ""),
        "page_url": data.get("page_url", ""),
        "referrer": data.get("referrer", ""),
        "utm": data.get("utm", {}),
        "click_ids": data.get("click_ids", {}),
        "extra": data.get("extra", {}),
        "first_touch": dict(first_touch) or None,
        "last_touch": data.get("touch"),
        "person_id": row.person_id,
        "other_persons": data.get("other_persons", []),
        "flags": list(row.flags),
        "status": row.status,
        "status_why": row.status_why,
        "route": row.route,
        "duplicates": row.duplicates,
        "deliveries": [delivery_json(one) for one in deliveries],
    }


def delivery_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "connection": row.connection,
        "state": "failed" if row.state == "dead" else row.state,
        "record_id": row.record_id,
        "contact_id": row.contact_id,
        "company_id": row.company_id,
        "attempts": row.attempts,
        "assigned_to": row.assigned_to,
        "outcome": row.outcome,
        "route": row.route,
        "due_at": row.due_at.isoformat(),
        "arrived_at": row.arrived_at.isoformat() if row.arrived_at else None,
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
        "error_kind": row.error_kind,
        "last_error": row.last_error,
        "incomplete": row.incomplete,
        "looked_up": row.looked_up,
    }


def story_json(story: Story, masks: Masks) -> dict[str, Any]:
    """A lead with everything that happened to it, in time order under `timeline`; without secrets of its source."""
    first_touch = story.person.first_touch if story.person else {}
    lead = lead_json(story.lead, first_touch, story.deliveries)
    mask = masks.of(story.lead.source)
    lead["extra"] = {name: mask(str(value)) for name, value in lead["extra"].items()}
    raw = story.raw
    return {
        **lead,
        "raw": None if raw is None else _raw_json(raw, mask),
        "identities": [{"kind": one.kind, "value": one.value} for one in story.identities],
        "touches": [one.data for one in story.touches],
        "other_leads": [
            {"id": one.id, "source": one.source, "status": one.status, "received_at": one.received_at.isoformat()}
            for one in story.other_leads
        ],
        "timeline": timeline(story, mask),
    }


def _raw_json(raw: Any, mask: Mask) -> dict[str, Any]:
    body = bytes(raw.body)
    return {
        "method": raw.method,
        "url": mask(raw.url),
        "headers": {name: mask(str(value)) for name, value in raw.headers.items()},
        "body": mask(readable(body, {name.lower(): str(value) for name, value in raw.headers.items()})),
        "size_bytes": len(body),
        "remote_ip": raw.remote_ip,
    }


def timeline(story: Story, mask: Mask) -> list[dict[str, Any]]:
    """What happened, oldest first: received, assigned, attempts with their calls, actions of people, repeats."""
    lead = story.lead
    received = {"event": "received", "source": lead.source, "spooled": lead.spooled, "route": lead.route}
    events: list[tuple[datetime, dict[str, Any]]] = [(lead.received_at, received)]
    events += [(one.at, _assigned(one)) for one in story.assignments]
    events += [(one.started_at, _attempted(one)) for one in story.attempts]
    events += [(one.at, _done(one, mask)) for one in story.actions]
    return [{"at": at.isoformat(), **event} for at, event in sorted(events, key=lambda pair: pair[0])]


def folded(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The timeline for reading: attempts that ended alike, with nothing in between, are one with the last of them.

    Such a one has `count`, `last_number` and `until`, when the last began.
    """
    told: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for event in events:
        connection = event.get("connection", "")
        before = last.get(connection)
        if event["event"] != "attempt" or before is None or _ending(before) != _ending(event):
            told.append({**event})
            if not connection:
                last.clear()
            last[connection] = told[-1]
            continue
        more = {"at": before["at"], "number": before["number"], "count": before.get("count", 1) + 1}
        before.update({**event, **more, "last_number": event["number"], "until": event["at"]})
    return told


def _ending(event: Mapping[str, Any]) -> tuple[str, ...]:
    """What is the same of attempts that are told as one; how long a vendor asks to wait differs each time."""
    outcome = event.get("outcome", "")
    return (event["event"], outcome, "" if outcome == "rate_limited" else event.get("error", ""))


def _done(one: Any, mask: Mask) -> dict[str, Any]:
    data = {name: mask(value) if isinstance(value, str) else value for name, value in one.data.items()}
    return {"event": one.action, "actor": one.actor, "why": one.why, "data": data}


def _assigned(one: Any) -> dict[str, Any]:
    return {"event": "assigned", "connection": one.connection, "user": one.user_id, "why": one.reason, "data": one.data}


def _attempted(one: Any) -> dict[str, Any]:
    return {
        "event": "attempt",
        "connection": one.connection,
        "number": one.number,
        "outcome": one.outcome,
        "error": one.error,
        "took_ms": one.took_ms,
        "calls": one.calls,
    }


def owners(conn: Connection, now: datetime) -> dict[str, bool]:
    """Connection -> whether some process works on it now."""
    return {row.name: row.expires_at > now for row in conn.execute(t_lease.select())}
