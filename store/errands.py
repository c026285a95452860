"""Errands: owed with the event that names them, claimed by the source's worker, settled with what was read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, literal_column, select, text, update

from leads.clock import Clock
from store.errand_tables import t_errand
from store.events import Arrival
from store.leases import Held, LostLease, assert_held
from store.operator import Done, record_action
from store.outbox import tell_due
from store.prepared import Prepared

OWED = ("ready", "claimed", "dead")
_IS_OPEN = text("errand.state NOT IN ('done', 'discarded')")
"""Word for word what the partial index says: see store.partial."""
WAITING = ("ready", "claimed")
LEASE = "source:"
LOCAL = ("payment", "call_insight")
"""Kinds that nobody is asked for: they wait here until it is known whose deal they are told on."""


FAULT = "fault"
"""`error_kind` of one of these that a fault of ours keeps from being told: it waits, and people hear of it."""
FAILED_AT_IT = "leadhub failed at it"
"""Its `last_error` begins so; after a colon comes the kind of the exception."""


def _of(source: str) -> tuple[Any, ...]:
    """What the source's worker runs."""
    return (t_errand.c.source == source, t_errand.c.kind.notin_(LOCAL))


def lease_of(source: str) -> str:
    """Under which name a source's worker is leased and woken."""
    return LEASE + source


@dataclass(frozen=True, slots=True)
class Claimed:
    """One errand to run. `attempt` counts from 1."""

    id: str
    source: str
    kind: str
    key: str
    data: dict[str, str]
    created_at: datetime
    age_from: datetime
    attempt: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a try ended. `state`: done, dead or ready (then `due_at` says when again)."""

    state: str
    now: datetime
    due_at: datetime | None = None
    error_kind: str = ""
    last_error: str = ""
    lead_ids: tuple[str, ...] = ()
    count_attempt: bool = True


@dataclass(frozen=True, slots=True)
class OwedErrands:
    """Of one source: how many wait and since when the oldest, how many gave up, and what the oldest met with.

    What a fault of ours keeps from being told counts with those that gave up, though it is tried again.
    """

    source: str
    waiting: int = 0
    failed: int = 0
    oldest_at: datetime | None = None
    """Of those that wait."""
    oldest_failed_at: datetime | None = None
    last_error: str = ""
    """Of the oldest that waits."""
    failed_error: str = ""
    """Of the last that gave up."""


_NEW = Prepared(insert(t_errand))
_SAME = Prepared(
    select(t_errand.c.id).where(
        t_errand.c.source == bindparam("of_source"),
        t_errand.c.kind == bindparam("of_kind"),
        t_errand.c.key == bindparam("of_key"),
    )
)


def owe(conn: Connection, errands: Sequence[Arrival]) -> tuple[str, ...]:
    """Stores errands whose events are new; returns the names of the workers to wake."""
    for one in errands:
        at = one.received_at
        said = {"id": one.id, "source": one.source, "kind": one.data["kind"], "key": one.key}
        asked = {**said, "data": one.data.get("data", {}), "state": "ready"}
        _NEW.run(conn, {**asked, "created_at": at, "due_at": at, "age_from": at})
    names = tuple({lease_of(one.source): None for one in errands})
    tell_due(conn, names)
    return names


def wait_locally(
    conn: Connection, errand_id: str, source: str, kind: str, key: str, data: dict[str, Any], now: datetime, why: str
) -> None:
    """Keeps what cannot be told on a deal yet; what waits already is left as it is. `kind` is one of LOCAL."""
    if _SAME.first(conn, {"of_source": source, "of_kind": kind, "of_key": key}) is None:
        said = {"id": errand_id, "source": source, "kind": kind, "key": key, "data": data, "last_error": why}
        _NEW.run(conn, {**said, "state": "ready", "created_at": now, "due_at": now, "age_from": now})


def due_locally(conn: Connection, now: datetime, *, limit: int) -> list[Any]:
    """Rows of those that are to be looked at again, oldest first."""
    return _DUE_LOCALLY.all(conn, {"now": now, "at_most": limit})


_DUE_LOCALLY = Prepared(
    select(t_errand)
    .where(_IS_OPEN, t_errand.c.kind.in_(LOCAL), t_errand.c.state == "ready", t_errand.c.due_at <= bindparam("now"))
    .order_by(t_errand.c.due_at, t_errand.c.id)
    .limit(bindparam("at_most"))
)


def settle_locally(conn: Connection, errand_id: str, done: Settlement) -> None:
    values: dict[str, Any] = {
        "state": done.state,
        "attempts": t_errand.c.attempts + 1,
        "lead_ids": done.lead_ids,
        "error_kind": done.error_kind,
    }
    values |= {"due_at": done.due_at} if done.state == "ready" else {"settled_at": done.now}
    if done.last_error:
        values["last_error"] = done.last_error
    conn.execute(update(t_errand).where(t_errand.c.id == errand_id, t_errand.c.state == "ready").values(**values))


def claim(conn: Connection, held: Held, source: str, now: datetime, *, limit: int) -> list[Claimed]:
    """Up to `limit` due ones, oldest first. Raises LostLease."""
    assert_held(conn, held)
    query = (
        select(t_errand)
        .where(*_of(source), t_errand.c.state == "ready", t_errand.c.due_at <= now)
        .order_by(t_errand.c.due_at, t_errand.c.id)
        .limit(limit)
    )
    rows = list(conn.execute(query))
    if rows:
        conn.execute(
            update(t_errand)
            .where(t_errand.c.id.in_([row.id for row in rows]))
            .values(state="claimed", fence=held.fence, attempts=t_errand.c.attempts + 1)
        )
    return [
        Claimed(row.id, row.source, row.kind, row.key, row.data, row.created_at, row.age_from, row.attempts + 1)
        for row in rows
    ]


def settle(conn: Connection, held: Held, errand_id: str, done: Settlement) -> None:
    """Raises LostLease when it is not claimed by us any more: then nothing that goes with it may be stored."""
    assert_held(conn, held)
    values: dict[str, Any] = {
        "state": done.state,
        "error_kind": done.error_kind,
        "last_error": done.last_error,
        "settled_at": None if done.state == "ready" else done.now,
    }
    if done.state == "ready":
        values["due_at"] = done.due_at or done.now
    if done.lead_ids:
        values["lead_ids"] = done.lead_ids
    if not done.count_attempt:
        values["attempts"] = t_errand.c.attempts - 1
    changed = conn.execute(
        update(t_errand)
        .where(t_errand.c.id == errand_id, t_errand.c.state == "claimed", t_errand.c.fence == held.fence)
        .values(**values)
    )
    if changed.rowcount != 1:
        raise LostLease(held.name)


def take_over(conn: Connection, held: Held, source: str, now: datetime) -> int:
    """What nobody finished, and what waits for its next try, is due now: reading twice harms nobody."""
    assert_held(conn, held)
    changed = conn.execute(
        update(t_errand).where(*_of(source), t_errand.c.state.in_(WAITING)).values(state="ready", due_at=now)
    )
    return int(changed.rowcount)


def make_due(conn: Connection, held: Held, source: str, now: datetime, youngest: datetime) -> int:
    """The vendor answers again: all may go, and none counts as older than since `youngest`."""
    assert_held(conn, held)
    waiting = (*_of(source), t_errand.c.state == "ready")
    conn.execute(update(t_errand).where(*waiting, t_errand.c.age_from < youngest).values(age_from=youngest))
    changed = conn.execute(update(t_errand).where(*waiting, t_errand.c.due_at > now).values(due_at=now))
    return int(changed.rowcount)


def next_due(conn: Connection, source: str) -> datetime | None:
    query = select(func.min(t_errand.c.due_at, type_=t_errand.c.due_at.type)).where(
        *_of(source), t_errand.c.state == "ready"
    )
    return conn.execute(query).scalar()


# --- how things stand ------------------------------------------------------------------------------------------------


_WAITS = t_errand.c.state.in_(WAITING) & (t_errand.c.error_kind != literal_column(f"'{FAULT}'"))


def _owed(kind: ColumnElement[bool]) -> Prepared:
    oldest = func.min(t_errand.c.created_at, type_=t_errand.c.created_at.type)
    return Prepared(
        select(t_errand.c.source, _WAITS.label("waits"), func.count().label("count"), oldest.label("oldest_at"))
        .where(_IS_OPEN, t_errand.c.state.in_(OWED), kind)
        .group_by(t_errand.c.source, _WAITS)
    )


_OWED, _OWED_LOCALLY = _owed(t_errand.c.kind.notin_(LOCAL)), _owed(t_errand.c.kind.in_(LOCAL))


def owed(conn: Connection, *, local: bool = False) -> dict[str, OwedErrands]:
    """Source -> what is to be read there, or with `local` what waits for its deal; for each that owes anything."""
    kind = t_errand.c.kind.in_(LOCAL) if local else t_errand.c.kind.notin_(LOCAL)
    found: dict[str, OwedErrands] = {}
    for row in (_OWED_LOCALLY if local else _OWED).all(conn):
        one = found.setdefault(row.source, OwedErrands(row.source))
        values = {"waiting": row.count, "oldest_at": row.oldest_at}
        if not row.waits:
            values = {"failed": row.count, "oldest_failed_at": row.oldest_at}
        found[row.source] = replace(one, **values)
    return {
        name: replace(one, last_error=_error(conn, name, kind), failed_error=_error(conn, name, kind, failed=True))
        for name, one in found.items()
    }


def count_by_state(conn: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """Errands that came in [since, until), by state."""
    query = (
        select(t_errand.c.state, func.count())
        .where(t_errand.c.created_at >= since, t_errand.c.created_at < until, t_errand.c.kind.notin_(LOCAL))
        .group_by(t_errand.c.state)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def _error(conn: Connection, source: str, kind: ColumnElement[bool], *, failed: bool = False) -> str:
    which = ~_WAITS if failed else _WAITS
    query = select(t_errand.c.last_error).where(
        t_errand.c.source == source, kind, which, t_errand.c.state.in_(OWED), t_errand.c.last_error != ""
    )
    order = func.coalesce(t_errand.c.settled_at, t_errand.c.due_at).desc() if failed else t_errand.c.created_at
    return conn.execute(query.order_by(order).limit(1)).scalar() or ""


def list_errands(conn: Connection, *, states: Collection[str] = OWED, source: str = "", limit: int = 200) -> list[Any]:
    """Rows, newest first."""
    query = select(t_errand).where(t_errand.c.state.in_(tuple(states)))
    if source:
        query = query.where(t_errand.c.source == source)
    return list(conn.execute(query.order_by(t_errand.c.created_at.desc(), t_errand.c.id.desc()).limit(limit)))


def errand_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "kind": row.kind,
        "key": row.key,
        "data": row.data,
        "state": "failed" if row.state == "dead" else "pending" if row.state in WAITING else row.state,
        "created_at": row.created_at.isoformat(),
        "due_at": row.due_at.isoformat(),
        "attempts": row.attempts,
        "error_kind": row.error_kind,
        "last_error": row.last_error,
        "lead_ids": list(row.lead_ids),
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
    }


# --- what a person does ----------------------------------------------------------------------------------------------


def failed_errands(conn: Connection) -> list[str]:
    query = select(t_errand.c.id).where(t_errand.c.state == "dead").order_by(t_errand.c.created_at)
    return list(conn.execute(query).scalars())


def retry(conn: Connection, ids: Sequence[str], *, actor: str, clock: Clock) -> Done:
    """These are due now, those that gave up anew in age. `refused` as of `store.operator.retry`."""
    done, now = Done(), clock.now()
    for errand_id, row in _found(conn, ids).items():
        anew = {"state": "ready", "age_from": now, "attempts": 0} if row is not None and row.state == "dead" else {}
        values = {"due_at": now, "settled_at": None, "error_kind": "", **anew}
        if _change(conn, done, errand_id, row, values):
            record_action(conn, clock, actor=actor, action="errand.retry", subject=errand_id)
    tell_due(conn, done.connections)
    return done


def discard(conn: Connection, ids: Sequence[str], *, why: str, actor: str, clock: Clock) -> Done:
    """A person decides that these need not be read."""
    done, now = Done(), clock.now()
    for errand_id, row in _found(conn, ids).items():
        if _change(conn, done, errand_id, row, {"state": "discarded", "settled_at": now, "last_error": why}):
            record_action(conn, clock, actor=actor, action="errand.discard", subject=errand_id, why=why)
    return done


def _change(conn: Connection, done: Done, errand_id: str, row: Any, values: Mapping[str, Any]) -> bool:
    """Not while a worker is at it, nor what is over already."""
    if row is None:
        done.refused[errand_id] = "no such errand"
        return False
    open_still = (t_errand.c.id == errand_id, t_errand.c.state.in_(("ready", "dead")))
    if conn.execute(update(t_errand).where(*open_still).values(**values)).rowcount != 1:
        done.refused[errand_id] = "claimed" if row.state in WAITING else row.state
        return False
    done.changed.append(errand_id)
    done.connections.add(lease_of(row.source))
    return True


def _found(conn: Connection, ids: Sequence[str]) -> Mapping[str, Any]:
    rows = {row.id: row for row in conn.execute(select(t_errand).where(t_errand.c.id.in_(list(ids))))}
    return {one: rows.get(one) for one in dict.fromkeys(ids)}
