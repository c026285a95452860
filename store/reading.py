"""Questions about leads: how many did not arrive, which, and one lead's whole story."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from store.tables import (
    t_assignment,
    t_attempt,
    t_audit_entry,
    t_delivery,
    t_identity,
    t_lead,
    t_person,
    t_raw_request,
    t_touch,
)

OWED = ("ready", "waiting", "claimed", "held")


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """`text` finds a name, a phone, an e-mail, an id or a comment. `status` "" is all."""

    since: datetime | None = None
    until: datetime | None = None
    source: str = ""
    connection: str = ""
    status: str = ""
    text: str = ""
    phone: str = ""
    """E.164 of `text`, if it is a phone."""
    flag: str = ""


def count_by_status(conn: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """Leads received in [since, until), by status."""
    query = (
        select(t_lead.c.status, func.count())
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until)
        .group_by(t_lead.c.status)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def count_by_connection(conn: Connection, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    """Connection -> {delivered, pending, failed, discarded} of leads received in [since, until)."""
    query = (
        select(t_delivery.c.connection, t_delivery.c.state, func.count())
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until)
        .group_by(t_delivery.c.connection, t_delivery.c.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for connection, state, count in conn.execute(query):
        name = {"delivered": "delivered", "dead": "failed", "discarded": "discarded"}.get(state, "pending")
        mine = counts.setdefault(connection, {"delivered": 0, "pending": 0, "failed": 0, "discarded": 0})
        mine[name] += count
    return counts


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from receipt to settled of delivered leads; looked-up ones are counted apart."""

    seconds: tuple[float, ...]
    """Sorted."""
    looked_up: tuple[float, ...]

    def quantile(self, share: float) -> float | None:
        if not self.seconds:
            return None
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def latency(conn: Connection, since: datetime, until: datetime) -> Latency:
    query = (
        select(t_lead.c.received_at, t_delivery.c.settled_at, t_delivery.c.looked_up)
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, t_delivery.c.state == "delivered")
    )
    normal: list[float] = []
    looked: list[float] = []
    for received_at, settled_at, looked_up in conn.execute(query):
        took = max(0.0, (settled_at - received_at).total_seconds())
        (looked if looked_up else normal).append(took)
    return Latency(tuple(sorted(normal)), tuple(sorted(looked)))


def owed(conn: Connection, *, limit: int = 500) -> list[Any]:
    """Every delivery that did not arrive yet, whatever its day, oldest first; rows of `delivery_columns`."""
    query = _deliveries().where(t_delivery.c.state.notin_(("delivered", "discarded")))
    return list(conn.execute(query.order_by(t_delivery.c.created_at).limit(limit)))


def unrouted(conn: Connection, *, limit: int = 500) -> list[Any]:
    """Leads that no route took: failed without any delivery."""
    query = select(t_lead).where(
        t_lead.c.status == "failed",
        ~select(t_delivery.c.id).where(t_delivery.c.lead_id == t_lead.c.id).exists(),
    )
    return list(conn.execute(query.order_by(t_lead.c.received_at).limit(limit)))


def oldest_pending(conn: Connection) -> datetime | None:
    """When the oldest lead that is pending was received, of any day; held ones wait for a person and do not count."""
    query = select(func.min(t_delivery.c.created_at, type_=t_delivery.c.created_at.type)).where(
        t_delivery.c.state.in_(("ready", "waiting", "claimed"))
    )
    found: datetime | None = conn.execute(query).scalar()
    return found


def _deliveries() -> Select[Any]:
    return select(
        t_delivery.c.id,
        t_delivery.c.lead_id,
        t_delivery.c.connection,
        t_delivery.c.state,
        t_delivery.c.created_at,
        t_delivery.c.due_at,
        t_delivery.c.attempts,
        t_delivery.c.route,
        t_delivery.c.record_id,
        t_delivery.c.contact_id,
        t_delivery.c.company_id,
        t_delivery.c.outcome,
        t_delivery.c.assigned_to,
        t_delivery.c.incomplete,
        t_delivery.c.error_kind,
        t_delivery.c.last_error,
        t_delivery.c.looked_up,
        t_delivery.c.settled_at,
    )


def deliveries_of(conn: Connection, lead_ids: Iterable[str]) -> dict[str, list[Any]]:
    """Lead id -> its deliveries, by connection name."""
    found: dict[str, list[Any]] = {}
    ids = list(lead_ids)
    for start in range(0, len(ids), 400):
        query = _deliveries().where(t_delivery.c.lead_id.in_(ids[start : start + 400]))
        for row in conn.execute(query.order_by(t_delivery.c.connection)):
            found.setdefault(row.lead_id, []).append(row)
    return found


def find_leads(conn: Connection, wanted: LeadFilter, *, limit: int, before: str = "") -> list[Any]:
    """Newest first; `before` is the id of the last lead of the page before. Rows of `lead` with `first_touch`."""
    query = select(t_lead, t_person.c.first_touch).join(t_person, t_person.c.id == t_lead.c.person_id)
    query = query.where(*_conditions(wanted))
    if before:
        query = query.where(t_lead.c.id < before)
    return list(conn.execute(query.order_by(t_lead.c.id.desc()).limit(limit)))


def _conditions(wanted: LeadFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.since:
        conditions.append(t_lead.c.received_at >= wanted.since)
    if wanted.until:
        conditions.append(t_lead.c.received_at < wanted.until)
    if wanted.source:
        conditions.append(t_lead.c.source == wanted.source)
    if wanted.status:
        conditions.append(t_lead.c.status == wanted.status)
    if wanted.flag:
        conditions.append(t_lead.c.flags.op("LIKE")(f"%{wanted.flag}%"))
    if wanted.connection:
        conditions.append(
            select(t_delivery.c.id)
            .where(t_delivery.c.lead_id == t_lead.c.id, t_delivery.c.connection == wanted.connection)
            .exists()
        )
    if wanted.text:
        conditions.append(_text_matches(wanted))
    return conditions


def _text_matches(wanted: LeadFilter) -> Any:
    escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = f"%{escaped}%"
    anything: list[Any] = [
        t_lead.c.id == wanted.text,
        t_lead.c.lead_uid == wanted.text,
        func.lower(t_lead.c.name).like(like.lower(), escape="\\"),
        t_lead.c.name.like(like, escape="\\"),
        t_lead.c.emails.op("LIKE")(like.lower()),
        _became_record(wanted.text),
    ]
    if wanted.phone:
        anything.append(t_lead.c.phones.op("LIKE")(f"%{wanted.phone}%"))
    digits = "".join(char for char in wanted.text if char.isdigit())
    if len(digits) >= 4 and len(digits) >= len(wanted.text.strip()) - 6:
        anything.append(t_lead.c.phones.op("LIKE")(f"%{digits[-10:]}%"))
    return or_(*anything)


def _became_record(record_id: str) -> Any:
    """The lead became that record in some CRM."""
    became = select(t_delivery.c.id).where(t_delivery.c.lead_id == t_lead.c.id, t_delivery.c.record_id == record_id)
    return became.exists()


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about one lead."""

    lead: Any
    raw: Any
    person: Any
    identities: Sequence[Any]
    touches: Sequence[Any]
    other_leads: Sequence[Any]
    deliveries: Sequence[Any]
    attempts: Sequence[Any]
    assignments: Sequence[Any]
    actions: Sequence[Any]


def story(conn: Connection, lead_id: str) -> Story | None:
    """None when there is no such lead."""
    lead = conn.execute(select(t_lead).where(t_lead.c.id == lead_id)).first()
    if lead is None:
        return None
    person_id = lead.person_id

    def rows(query: Select[Any]) -> Sequence[Any]:
        return conn.execute(query).all()

    others = select(t_lead.c.id, t_lead.c.received_at, t_lead.c.source, t_lead.c.status).where(
        t_lead.c.person_id == person_id, t_lead.c.id != lead_id
    )
    return Story(
        lead=lead,
        raw=conn.execute(select(t_raw_request).where(t_raw_request.c.lead_id == lead_id)).first(),
        person=conn.execute(select(t_person).where(t_person.c.id == person_id)).first(),
        identities=rows(select(t_identity).where(t_identity.c.person_id == person_id).order_by(t_identity.c.since)),
        touches=rows(select(t_touch).where(t_touch.c.person_id == person_id).order_by(t_touch.c.at)),
        other_leads=rows(others.order_by(t_lead.c.received_at.desc()).limit(50)),
        deliveries=deliveries_of(conn, [lead_id]).get(lead_id, []),
        attempts=rows(
            select(t_attempt)
            .join(t_delivery, t_delivery.c.id == t_attempt.c.delivery_id)
            .where(t_delivery.c.lead_id == lead_id)
            .order_by(t_attempt.c.started_at, t_attempt.c.id)
        ),
        assignments=rows(select(t_assignment).where(t_assignment.c.lead_id == lead_id).order_by(t_assignment.c.at)),
        actions=rows(select(t_audit_entry).where(t_audit_entry.c.subject == lead_id).order_by(t_audit_entry.c.at)),
    )


def count_person_leads(conn: Connection, person_id: str, since: datetime, until: datetime) -> int:
    """Leads of one person received in [since, until]."""
    query = select(func.count()).where(
        t_lead.c.person_id == person_id, t_lead.c.received_at >= since, t_lead.c.received_at <= until
    )
    return int(conn.execute(query).scalar_one())


def delivered_between(conn: Connection, since: datetime, until: datetime) -> list[Any]:
    """Every delivery of leads received in [since, until), with lead columns: what the audit reads back."""
    query = (
        select(
            t_delivery,
            t_lead.c.source,
            t_lead.c.received_at,
            t_lead.c.status.label("lead_status"),
            t_lead.c.status_why,
            t_lead.c.duplicates,
        )
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until)
        .order_by(t_lead.c.received_at)
    )
    return list(conn.execute(query))
