"""The duty to deliver: claim, intend, settle. Every write here carries the owner's fence."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    union_all,
    update,
)

from store import ties
from store.delivery_records import AttemptRecord, Claimed, ClaimResult, Intent, PersonView, Settlement
from store.intake import lead_from_row, notify
from store.lanes import BACKLOG as BACKLOG
from store.lanes import BULK as BULK
from store.lanes import FRESH as FRESH
from store.lanes import OPEN_STATES, let_go, line_up, lock_persons, open_in_lane
from store.leases import Held, LostLease, assert_held, is_held, lock_held
from store.prepared import Prepared, among, execute
from store.tables import t_attempt, t_delivery, t_follow_up, t_lead, t_link, t_person, to_us

FRESH_S = 15.0
"""A lead not claimed within this long has become backlog: newer ones go first."""


_READY = (
    t_delivery.c.connection == bindparam("of_connection"),
    t_delivery.c.state == literal_column("'ready'"),  # a literal, as in the partial index: so both planners see it
)


def _due(*priorities: int) -> CompoundSelect[Any]:
    """What is due, in the order of intake within each priority; each is read by its index no further than needed."""
    each = [
        select(t_delivery.c.priority, t_delivery.c.id)
        .where(*_READY, t_delivery.c.priority == literal_column(str(one)), t_delivery.c.due_at <= bindparam("at"))
        .order_by(t_delivery.c.due_at, t_delivery.c.created_at, t_delivery.c.id)
        .limit(bindparam("at_most"))
        .subquery()
        for one in priorities
    ]
    return union_all(*(select(one.c.priority, one.c.id) for one in each))


_DUE, _DUE_FRESH = Prepared(_due(FRESH, BACKLOG, BULK)), Prepared(_due(FRESH))
_AGED = Prepared(
    update(t_delivery)
    .where(*_READY, t_delivery.c.priority == literal_column(str(FRESH)), t_delivery.c.due_at < bindparam("before"))
    .values(priority=BACKLOG)
)
_TAKE = Prepared(
    update(t_delivery)
    .where(among(t_delivery.c.id, "ids"))
    .values(
        state="claimed",
        fence=bindparam("new_fence"),
        claimed_at=bindparam("now", type_=t_delivery.c.claimed_at.type),
        attempts=t_delivery.c.attempts + 1,
    )
)
_NEXT_OF = {
    priority: select(func.min(t_delivery.c.due_at, type_=t_delivery.c.due_at.type)).where(
        *_READY, t_delivery.c.priority == literal_column(str(priority))
    )
    for priority in (FRESH, BACKLOG, BULK)
}
_NEXT_DUE = Prepared(union_all(*_NEXT_OF.values()))
_NEXT_FRESH = Prepared(_NEXT_OF[FRESH])


def claim(
    conn: Connection, held: Held, now: datetime, *, limit: int, fresh_only: bool = False, aging: bool = True
) -> ClaimResult:
    """Takes up to `limit` due deliveries: fresh leads first, then backlog, then bulk, each in the order of intake.

    With `fresh_only` the others are not looked at, also not for `next_due`: that they are due changes nothing.
    With `aging`, fresh leads that nobody claimed in time become backlog first. Raises LostLease.
    """
    assert_held(conn, held)
    if aging:
        _AGED.run(conn, {"of_connection": held.name, "before": now - timedelta(seconds=FRESH_S)})
    wanted = {"of_connection": held.name, "at": now, "at_most": limit}
    due = sorted((_DUE_FRESH if fresh_only else _DUE).all(conn, wanted), key=itemgetter(0))
    ids: list[str] = [delivery_id for _, delivery_id in due[:limit]]
    if ids:
        _TAKE.run(conn, {"ids": ids, "new_fence": held.fence, "now": now})
    next_due = None
    if len(ids) < limit:  # else there is no time to wait anyway
        dues = (_NEXT_FRESH if fresh_only else _NEXT_DUE).scalars(conn, {"of_connection": held.name})
        next_due = min((due for due in dues if due is not None), default=None)
    return ClaimResult(load(conn, ids), next_due)


def load(conn: Connection, ids: list[str]) -> list[Claimed]:
    """These deliveries with all that is needed to write them, in the order of `ids`."""
    if not ids:
        return []
    rows = _LOADED.all(conn, {"ids": ids})
    by_id = {row.d_id: _claimed(row, _last_delivered(conn, row)) for row in rows}
    return [by_id[delivery_id] for delivery_id in ids if delivery_id in by_id]


_DELIVERY_COLUMNS = (
    "id",
    "connection",
    "lane",
    "route",
    "priority",
    "attempts",
    "created_at",
    "age_from",
    "progress",
    "looked_up",
    "assigned_to",
)


_LOADED = Prepared(
    select(
        *(t_delivery.c[name].label(f"d_{name}") for name in _DELIVERY_COLUMNS),
        t_person.c.name.label("person_name"),
        t_person.c.first_touch.label("person_first_touch"),
        t_link.c.vendor_id.label("person_contact"),
        *t_lead.c,
    )
    .join(t_lead, t_lead.c.id == t_delivery.c.lead_id)
    .join(t_person, t_person.c.id == t_delivery.c.lane)
    .outerjoin(
        t_link,
        (t_link.c.connection == t_delivery.c.connection)
        & (t_link.c.kind == "contact")
        & (t_link.c.our_id == t_delivery.c.lane),
    )
    .where(among(t_delivery.c.id, "ids"))
)
_LAST_DELIVERED = Prepared(
    select(t_delivery.c.record_id, t_delivery.c.created_at)
    .where(
        t_delivery.c.lane == bindparam("of_lane"),
        t_delivery.c.connection == bindparam("of_connection"),
        t_delivery.c.state == "delivered",
    )
    .order_by(t_delivery.c.place.desc())
    .limit(1)
)


def _last_delivered(conn: Connection, row: Any) -> tuple[str, datetime | None]:
    """Deal and time of the person's last lead delivered to the same connection."""
    if not row.person_contact:
        return "", None
    found = _LAST_DELIVERED.first(conn, {"of_lane": row.d_lane, "of_connection": row.d_connection})
    return (found.record_id, found.created_at) if found else ("", None)


def _claimed(row: Any, last: tuple[str, datetime | None]) -> Claimed:
    return Claimed(
        id=row.d_id,
        connection=row.d_connection,
        lead=lead_from_row(row),
        person=PersonView(row.d_lane, row.person_name, row.person_first_touch, row.person_contact or "", *last),
        route=row.d_route,
        priority=row.d_priority,
        attempt=row.d_attempts,
        created_at=row.d_created_at,
        age_from=row.d_age_from,
        progress=row.d_progress,
        looked_up=row.d_looked_up,
        assigned_to=row.d_assigned_to,
    )


def intend(conn: Connection, intents: Sequence[Intent]) -> list[None]:
    """Stores what is about to be sent; raises LostLease when it is not ours to send any more."""
    lock_held(conn, {intent.held for intent in intents})
    for intent in intents:
        _update_claimed(conn, intent.held, intent.delivery_id, {"progress": intent.progress})
    return [None] * len(intents)


@cache
def _changing(columns: tuple[str, ...], *, uncounted: bool = False, no_longer_fresh: bool = False) -> Prepared:
    """Updates these columns of a claimed delivery."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=t_delivery.c[name].type) for name in columns}
    if "arrived_at" in values:  # it arrived but once, whatever was still to be written beside it
        values["arrived_at"] = func.coalesce(t_delivery.c.arrived_at, values["arrived_at"])
    if uncounted:
        values["attempts"] = t_delivery.c.attempts - 1
    if no_longer_fresh:
        values["priority"] = case((t_delivery.c.priority == FRESH, BACKLOG), else_=t_delivery.c.priority)
    return Prepared(
        update(t_delivery)
        .where(
            t_delivery.c.id == bindparam("of_id"),
            t_delivery.c.connection == bindparam("of_connection"),
            t_delivery.c.state == "claimed",
            t_delivery.c.fence == bindparam("of_fence"),
            is_held(bindparam("of_connection"), bindparam("of_owner"), bindparam("of_fence")),
        )
        .values(**values)
        .returning(t_delivery.c.lane)
    )


def _update_claimed(conn: Connection, held: Held, delivery_id: str, values: dict[str, Any], **more: bool) -> str:
    """Returns the lane that it stands in. `more` as of `_changing`. Raises LostLease: it is not ours any more."""
    wanted = {f"new_{name}": value for name, value in values.items()}
    owner = {"of_id": delivery_id, "of_connection": held.name, "of_owner": held.owner, "of_fence": held.fence}
    row = _changing(tuple(values), **more).first(conn, {**wanted, **owner})
    if row is None:
        raise LostLease(held.name)
    return str(row.lane)


def settle(conn: Connection, settlements: Sequence[Settlement]) -> list[bool]:
    """Stores outcomes with their attempts, links and follow-ups, and lets the next of each lane go.

    Returns of each whether it made something due, now or later: its own next try, or the next of its lane.
    Raises LostLease: then nothing of that settlement is stored, and whoever owns the
    connection now looks up what was written.
    """
    lock_held(conn, {settlement.held for settlement in settlements})
    lock_persons(conn, {settlement.lane for settlement in settlements})
    return [_settle(conn, settlement) for settlement in settlements]


def _settle(conn: Connection, done: Settlement) -> bool:
    final = done.state != "ready"
    values: dict[str, Any] = {
        "state": done.state,
        "progress": done.progress,
        "error_kind": done.error_kind,
        "last_error": done.last_error,
        "settled_at": done.now if final else None,
    }
    again = done.state == "ready"
    if again:
        values["due_at"] = done.due_at or done.now
    if done.state == "delivered":
        values["incomplete"] = done.incomplete
        values["outcome"] = done.outcome
    if done.arrived_at or done.state == "delivered":
        values["arrived_at"] = done.arrived_at or done.now
    for name in ("record_id", "contact_id", "company_id", "assigned_to"):
        if value := getattr(done, name):
            values[name] = value
    if done.looked_up:
        values["looked_up"] = True
    lane = _update_claimed(
        conn,
        done.held,
        done.delivery_id,
        values,
        uncounted=again and not done.count_attempt,
        no_longer_fresh=again and done.count_attempt and done.attempt is not None,
    )
    if done.attempt is not None:
        _NEW_ATTEMPT.run(conn, _attempt_row(done, done.attempt))
    if lane != done.lane:  # its person turned out to be another while it was under way
        lock_persons(conn, (lane,))
        line_up(conn, lane, done.held.name, done.now)
    links = done.links
    if was := next((our_id for kind, our_id, _ in links if kind == "contact" and our_id != lane), ""):
        links = ties.whose(conn, links, was, lane, done.held.name)
    remember_links(conn, done.held.name, links, done.now)
    for follow_up in done.follow_ups:
        conn.execute(
            insert(t_follow_up).values(
                id=follow_up.id,
                connection=done.held.name,
                kind=follow_up.kind,
                delivery_id=done.delivery_id,
                due_at=follow_up.due_at,
                tries=0,
                data=follow_up.data,
            )
        )
    if not final:
        return True
    refresh_lead_status(conn, done.lead_id, done.now)
    return free_lane(conn, lane, done.held.name, done.now) or lane != done.lane


_NEW_ATTEMPT = Prepared(insert(t_attempt))


def _attempt_row(done: Settlement, attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "delivery_id": done.delivery_id,
        "lead_id": done.lead_id,
        "connection": done.held.name,
        "number": attempt.number,
        "started_at": attempt.started_at,
        "took_ms": attempt.took_ms,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "calls": attempt.calls,
    }


def remember_links(conn: Connection, connection: str, links: Iterable[tuple[str, str, str]], now: datetime) -> None:
    """(kind, our id, vendor's id): a newer one replaces what was known (merged or deleted in the CRM)."""
    at = to_us(now)
    rows = [(connection, kind, our_id, vendor_id, at) for kind, our_id, vendor_id in links]
    for row in rows:
        execute(conn, _LINK_SQL if conn.dialect.paramstyle == "qmark" else _LINK_POSTGRES, row)


_LINK_SQL = (
    "INSERT INTO link (connection, kind, our_id, vendor_id, created_at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (connection, kind, our_id) DO UPDATE SET vendor_id = excluded.vendor_id"
)
_LINK_POSTGRES = _LINK_SQL.replace("?", "%s")


def free_lane(conn: Connection, lane: str, connection: str, now: datetime) -> bool:
    """The oldest that waits in the lane may go, unless one is under way. Returns whether one may."""
    rows = open_in_lane(conn, lane, connection)
    if not rows or any(row.state != "waiting" for row in rows):
        return False
    first = rows[0]
    fresh = first.priority == FRESH and (now - first.created_at).total_seconds() <= FRESH_S
    priority = first.priority if fresh or first.priority == BULK else BACKLOG
    let_go(conn, first.id, now, priority)
    return True


def _some_delivery(*states: str) -> ColumnElement[bool]:
    """Whether the lead has one, in one of these states if any are given."""
    of_lead = exists().where(t_delivery.c.lead_id == t_lead.c.id)
    return of_lead.where(t_delivery.c.state.in_(states)) if states else of_lead


_STATUS_ANEW = Prepared(
    update(t_lead)
    .where(t_lead.c.id == bindparam("of_lead"), _some_delivery())
    .values(
        status=case(
            (_some_delivery("dead"), "failed"),
            (_some_delivery(*OPEN_STATES, "held"), "pending"),
            (_some_delivery("discarded"), "discarded"),
            else_="delivered",
        ),
        status_why="",
        status_at=bindparam("at", type_=t_lead.c.status_at.type),
    )
)


def refresh_lead_status(conn: Connection, lead_id: str, now: datetime) -> None:
    """Sets a lead's status from its deliveries, if it has any."""
    _STATUS_ANEW.run(conn, {"of_lead": lead_id, "at": now})


def tell_due(conn: Connection, connections: Iterable[str]) -> None:
    """Other processes hear of it when this is committed. SQLite needs no telling: they look at the file."""
    if conn.dialect.name == "postgresql" and (names := ",".join(sorted(set(connections)))):
        notify(conn, names)
