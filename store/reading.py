"""Questions about leads: how many did not arrive, which, and one lead's whole story."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, cast, func, literal, or_, select, type_coerce

from store.partial import HAS_NOT_ARRIVED, IS_OWED
from store.real import is_real
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
    """`text` finds a name, a phone, an e-mail, an id or a comment. `status` "" is all, "owed" pending or failed."""

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
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, is_real())
        .group_by(t_lead.c.status)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def count_by_connection(conn: Connection, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    """Connection -> {delivered, pending, failed, discarded} of leads received in [since, until)."""
    query = (
        select(t_delivery.c.connection, t_delivery.c.state, func.count())
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, is_real())
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
    """Seconds from receipt to the CRM of delivered leads; looked-up ones are counted apart."""

    seconds: tuple[float, ...]
    """Sorted."""
    looked_up: tuple[float, ...]

    def quantile(self, share: float) -> float | None:
        if not self.seconds:
            return None
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def latency(conn: Connection, since: datetime, until: datetime) -> Latency:
    query = (
        select(t_lead.c.received_at, t_delivery.c.arrived_at, t_delivery.c.looked_up)
        .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, t_delivery.c.state == "delivered")
    )
    normal: list[float] = []
    looked: list[float] = []
    for received_at, arrived_at, looked_up in conn.execute(query):
        took = max(0.0, (arrived_at - received_at).total_seconds())
        (looked if looked_up else normal).append(took)
    return Latency(tuple(sorted(normal)), tuple(sorted(looked)))


UNROUTED = (
    HAS_NOT_ARRIVED,
    t_lead.c.status == "failed",
    ~select(t_delivery.c.id).where(t_delivery.c.lead_id == t_lead.c.id).exists(),
)


def owed(conn: Connection, *, limit: int = 500) -> list[Any]:
    """Every delivery that did not arrive yet, whatever its day, oldest first; rows of `delivery_columns`."""
    query = _deliveries().where(IS_OWED)
    return list(conn.execute(query.order_by(t_delivery.c.created_at).limit(limit)))


def count_owed(conn: Connection) -> int:
    """Leads of any day with a delivery that did not arrive yet."""
    return conn.execute(select(func.count(t_delivery.c.lead_id.distinct())).where(IS_OWED)).scalar_one()


@dataclass(frozen=True, slots=True)
class OwedGroup:
    """Deliveries of one connection that are owed for one reason. `since`: the oldest lead; `lead_id`: that lead."""

    connection: str
    state: str
    error_kind: str
    last_error: str
    count: int
    since: datetime
    next_due: datetime
    lead_id: str


def owed_groups(conn: Connection) -> list[OwedGroup]:
    """Everything owed, of all days, by connection and reason; largest group first."""
    delivery = t_delivery.c
    reason = (delivery.connection, delivery.state, delivery.error_kind, delivery.last_error)
    query = (
        select(
            *reason,
            func.count(),
            func.min(delivery.created_at, type_=delivery.created_at.type),
            func.min(delivery.due_at, type_=delivery.due_at.type),
            func.min(delivery.lead_id),
        )
        .where(IS_OWED)
        .group_by(*reason)
    )
    found = [OwedGroup(*row) for row in conn.execute(query)]
    return sorted(found, key=lambda group: (-group.count, group.connection, group.state, group.last_error))


def ids_beginning(conn: Connection, start: str, *, limit: int = 20) -> list[str]:
    """Ids of leads that begin with `start`, oldest first."""
    query = select(t_lead.c.id).where(t_lead.c.id.like(f"{_escaped(start)}%", escape="\\"))
    return list(conn.execute(query.order_by(t_lead.c.id).limit(limit)).scalars())


def known_ids(conn: Connection, lead_ids: Sequence[str]) -> set[str]:
    """Those that are stored."""
    found: set[str] = set()
    for start in range(0, len(lead_ids), 400):
        found.update(conn.execute(select(t_lead.c.id).where(t_lead.c.id.in_(lead_ids[start : start + 400]))).scalars())
    return found


def unrouted(conn: Connection, *, limit: int = 500) -> list[Any]:
    """Leads that no route took: failed without any delivery."""
    return list(conn.execute(select(t_lead).where(*UNROUTED).order_by(t_lead.c.received_at).limit(limit)))


def count_unrouted(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(t_lead).where(*UNROUTED)).scalar_one()


def leads_by_id(conn: Connection, lead_ids: Iterable[str]) -> dict[str, Any]:
    """Rows of `lead`, by id."""
    ids = list(dict.fromkeys(lead_ids))
    found: dict[str, Any] = {}
    for start in range(0, len(ids), 400):
        found.update(
            (row.id, row) for row in conn.execute(select(t_lead).where(t_lead.c.id.in_(ids[start : start + 400])))
        )
    return found


def count_not_arrived(conn: Connection) -> dict[str, int]:
    """Leads of any day that are owed, by status."""
    query = select(t_lead.c.status, func.count()).where(HAS_NOT_ARRIVED)
    return {row[0]: row[1] for row in conn.execute(query.group_by(t_lead.c.status))}


def oldest_pending(conn: Connection) -> datetime | None:
    """When the oldest lead that is pending was received, of any day; held ones wait for a person and do not count."""
    at, waits = t_delivery.c.created_at, t_delivery.c.state.in_(("ready", "waiting", "claimed"))
    query = select(func.min(at, type_=at.type)).where(IS_OWED, waits)
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
        t_delivery.c.arrived_at,
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
    if wanted.status == "owed":
        conditions.append(t_lead.c.status.in_(("pending", "failed")))
    elif wanted.status:
        conditions.append(t_lead.c.status == wanted.status)
    if wanted.flag:
        flags = literal(" ") + _words(t_lead.c.flags) + literal(" ")
        conditions.append(flags.like(f"% {_escaped(wanted.flag)} %", escape="\\"))
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
    text = wanted.text.strip()
    anything: list[Any] = [
        t_lead.c.id == text,
        t_lead.c.lead_uid == text,
        # SQLite folds the case of Latin letters only: names are asked for as people write them, too.
        *(t_lead.c.name.like(_like(one), escape="\\") for one in {text, text.lower(), text.upper(), text.title()}),
        func.lower(t_lead.c.name).like(_like(text.lower()), escape="\\"),
        *_data_has(text),
        _words_have(t_lead.c.emails, text.lower()),
        _became_record(text),
    ]
    if wanted.phone:
        anything.append(_words_have(t_lead.c.phones, wanted.phone))
    digits = "".join(char for char in text if char.isdigit())
    if len(digits) >= 4 and len(digits) >= len(text) - 6:
        anything.append(_words_have(t_lead.c.phones, digits[-10:]))
    return or_(*anything)


def _escaped(text: str) -> str:
    """For the inside of a LIKE with escape character `\\`."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _like(text: str) -> str:
    return f"%{_escaped(text)}%"


def _words(column: Any) -> Any:
    """A Words column as the one text that it is stored as."""
    return type_coerce(column, Text)


def _words_have(column: Any, text: str) -> Any:
    return _words(column).like(_like(text), escape="\\")


def _data_has(text: str) -> list[Any]:
    """Comment, company, campaign and all else that was understood; texts too short would be found everywhere."""
    if len(text) < 3:
        return []
    as_stored = {json.dumps(one, ensure_ascii=False)[1:-1] for one in (text, text.lower(), text.title())}
    return [cast(t_lead.c.data, Text).like(_like(one), escape="\\") for one in sorted(as_stored)]


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
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, is_real())
        .order_by(t_lead.c.received_at)
    )
    return list(conn.execute(query))


def received_between(conn: Connection, since: datetime, until: datetime) -> list[Any]:
    """(id, source, status, status_why, duplicates, unrouted) of leads received in [since, until), oldest first."""
    has_delivery = select(t_delivery.c.id).where(t_delivery.c.lead_id == t_lead.c.id).exists()
    lead = t_lead.c
    query = select(
        lead.id, lead.source, lead.status, lead.status_why, lead.duplicates, (~has_delivery).label("unrouted")
    )
    query = query.where(lead.received_at >= since, lead.received_at < until, is_real())
    return list(conn.execute(query.order_by(lead.received_at, lead.id)))
