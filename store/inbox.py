"""Requests with events, stored at the door and worked on afterwards, in the order in which they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from leads.clock import Clock
from store.inbox_tables import t_inbox_request
from store.operator import Done, record_action
from store.prepared import Prepared, execute, fetch

ORDER_LOCK = 7_305_117
"""PostgreSQL's advisory lock of whoever works on the inbox: one at a time keeps the order."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One request. `record` as the spool keeps it; `tries` that failed before."""

    place: int
    id: str
    source: str
    received_at: datetime
    record: bytes
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """`count` of those that wait, `oldest_at` of them; `failed`: of those that were tried in vain, with the last
    error of the oldest."""

    count: int = 0
    oldest_at: datetime | None = None
    failed: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An accepted request that was tried in vain: how often, why, and when it is tried again."""

    id: str
    source: str
    received_at: datetime
    tries: int
    due_at: datetime
    error: str
    size_bytes: int


_ADD = Prepared(insert(t_inbox_request))
_BY_PLACE = (
    select(t_inbox_request)
    .where(t_inbox_request.c.due_at <= bindparam("now"))
    .order_by(t_inbox_request.c.place, t_inbox_request.c.id)
    .limit(bindparam("limit"))
)
_DUE = Prepared(_BY_PLACE)
_DUE_OF_SOURCE = Prepared(
    _BY_PLACE.where(t_inbox_request.c.source == bindparam("of_source"), t_inbox_request.c.tries == 0)
)
_DONE = Prepared(
    delete(t_inbox_request).where(
        t_inbox_request.c.place == bindparam("of_place"), t_inbox_request.c.id == bindparam("of_id")
    )
)


def add(conn: Connection, items: Sequence[Pending]) -> list[None]:
    """Work for `Database.write_in_batch`."""
    rows = [
        {
            "place": one.place,
            "id": one.id,
            "source": one.source,
            "received_at": one.received_at,
            "due_at": one.received_at,
            "record": one.record,
        }
        for one in items
    ]
    _ADD.run_many(conn, rows)
    return [None] * len(items)


def lock(conn: Connection, *, wait: bool) -> bool:
    """Makes the caller the only one who works on the inbox until it commits. False: somebody else does."""
    if conn.dialect.name != "postgresql":
        return True  # there is one writer anyway
    if not wait:
        return bool(fetch(conn, "SELECT pg_try_advisory_xact_lock(%s)", (ORDER_LOCK,))[0][0])
    execute(conn, "SELECT pg_advisory_xact_lock(%s)", (ORDER_LOCK,))
    return True


def due(conn: Connection, now: datetime, *, limit: int, source: str = "") -> list[Pending]:
    """The oldest first; with `source` only of that one, and only what never failed."""
    values = {"now": now, "limit": limit}
    query = _DUE
    if source:
        query, values = _DUE_OF_SOURCE, {**values, "of_source": source}
    return [
        Pending(row.place, row.id, row.source, row.received_at, row.record, row.tries)
        for row in query.all(conn, values)
    ]


def waits(conn: Connection, one: Pending) -> bool:
    """Whether it is still to be worked on."""
    which = (t_inbox_request.c.place == one.place, t_inbox_request.c.id == one.id)
    return conn.execute(select(t_inbox_request.c.id).where(*which)).first() is not None


def done(conn: Connection, pending: Sequence[Pending]) -> None:
    if pending:
        _DONE.run_many(conn, [{"of_place": one.place, "of_id": one.id} for one in pending])


def failed(conn: Connection, one: Pending, error: str, due_at: datetime) -> None:
    """It stays, and is tried again at `due_at`; those behind it go on."""
    which = (t_inbox_request.c.place == one.place, t_inbox_request.c.id == one.id)
    conn.execute(update(t_inbox_request).where(*which).values(tries=one.tries + 1, due_at=due_at, last_error=error))


def backlog(conn: Connection, since: datetime | None = None, until: datetime | None = None) -> Backlog:
    """Of all days, or of what came at or after `since` and before `until`."""
    columns = t_inbox_request.c
    of_day = [columns.received_at >= since] if since is not None else []
    of_day += [columns.received_at < until] if until is not None else []
    count, oldest_at = conn.execute(select(func.count(), func.min(columns.received_at)).where(*of_day)).one()
    if not count:
        return Backlog()
    tried = select(columns.last_error).where(columns.tries > 0, *of_day).order_by(columns.place)
    errors = list(conn.execute(tried).scalars())
    return Backlog(count, oldest_at, len(errors), errors[0] if errors else "")


def stuck(conn: Connection, source: str = "", *, limit: int = 100) -> list[Stuck]:
    """Oldest first; `source` "": of all."""
    columns = t_inbox_request.c
    told = (columns.id, columns.source, columns.received_at, columns.tries, columns.due_at)
    more = (columns.last_error.label("error"), func.length(columns.record).label("size_bytes"))
    query = select(*told, *more).where(columns.tries > 0)
    if source:
        query = query.where(columns.source == source)
    return [Stuck(**row) for row in conn.execute(query.order_by(columns.place, columns.id).limit(limit)).mappings()]


def discard(conn: Connection, ids: Sequence[str], *, why: str, actor: str, clock: Clock) -> Done:
    """A person decides that these need not be worked on. What they held is gone; that they were is in the audit trail.

    Only what was tried in vain: the turn of anything else comes at once.
    """
    done, columns = Done(), t_inbox_request.c
    lock(conn, wait=True)
    for one_id in dict.fromkeys(ids):
        row = conn.execute(select(t_inbox_request).where(columns.id == one_id, columns.tries > 0)).first()
        if row is None:
            done.refused[one_id] = "no such request"
            continue
        conn.execute(delete(t_inbox_request).where(columns.place == row.place, columns.id == one_id))
        about = {"received_at": row.received_at.isoformat(), "tries": row.tries, "error": row.last_error}
        record_action(conn, clock, actor=actor, action="event.discard", subject=row.source, why=why, data=about)
        done.changed.append(one_id)
    return done
