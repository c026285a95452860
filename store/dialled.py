"""Calls that people asked us to dial: asked for, handed to the vendor, settled, tied to the call that came of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from leads.calls import Call
from store.call_tables import t_dialled_call
from store.errands import lease_of
from store.events import KnownCall
from store.leases import Held, assert_held
from store.outbox import tell_due
from store.tables import t_call

TIED_WITHIN = timedelta(hours=1)
"""An event that bears our command comes within so long of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to make. `id` is ours; `actor` as in the audit trail."""

    id: str
    connection: str
    source: str
    user_id: str
    extension: str
    phone: str
    actor: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DialSettlement:
    """`state`: queued (then again at `due_at`), accepted, failed, unknown."""

    state: str
    now: datetime
    command_id: str = ""
    error: str = ""
    due_at: datetime | None = None


def ask(conn: Connection, wanted: Wanted) -> bool:
    """Whether it is new: with the same id once more nothing is added."""
    if find(conn, wanted.id) is not None:
        return False
    conn.execute(
        insert(t_dialled_call).values(
            id=wanted.id,
            connection=wanted.connection,
            source=wanted.source,
            user_id=wanted.user_id,
            extension=wanted.extension,
            phone=wanted.phone,
            actor=wanted.actor,
            state="queued",
            created_at=wanted.created_at,
            due_at=wanted.created_at,
        )
    )
    tell_due(conn, [lease_of(wanted.source)])
    return True


def find(conn: Connection, dialled_id: str) -> Any:
    """The row, with `call`: the data of the call that came of it, or None; None for an unknown id."""
    query = select(t_dialled_call, t_call.c.data.label("call")).outerjoin(
        t_call, t_call.c.id == t_dialled_call.c.call_id
    )
    return conn.execute(query.where(t_dialled_call.c.id == dialled_id)).first()


def claim(conn: Connection, held: Held, source: str, now: datetime, *, limit: int) -> list[Wanted]:
    """Due ones, the oldest first; they are `sending` now. Raises LostLease."""
    assert_held(conn, held)
    query = select(t_dialled_call).where(
        t_dialled_call.c.source == source, t_dialled_call.c.state == "queued", t_dialled_call.c.due_at <= now
    )
    rows = list(conn.execute(query.order_by(t_dialled_call.c.due_at, t_dialled_call.c.id).limit(limit)))
    if rows:
        taken = t_dialled_call.c.id.in_([row.id for row in rows])
        values = {"state": "sending", "sent_at": now, "tries": t_dialled_call.c.tries + 1}
        conn.execute(update(t_dialled_call).where(taken).values(values))
    return [
        Wanted(
            id=row.id,
            connection=row.connection,
            source=row.source,
            user_id=row.user_id,
            extension=row.extension,
            phone=row.phone,
            actor=row.actor,
            created_at=row.created_at,
        )
        for row in rows
    ]


def settle(conn: Connection, held: Held, dialled_id: str, done: DialSettlement) -> None:
    """Raises LostLease."""
    assert_held(conn, held)
    values: dict[str, Any] = {"state": done.state, "command_id": done.command_id, "error": done.error}
    if done.state == "queued":
        values["due_at"] = done.due_at or done.now
    else:
        values["settled_at"] = done.now
    query = update(t_dialled_call).where(t_dialled_call.c.id == dialled_id, t_dialled_call.c.state == "sending")
    conn.execute(query.values(values))
    if done.command_id:  # the vendor's event may have been quicker than its answer
        row = conn.execute(select(t_dialled_call).where(t_dialled_call.c.id == dialled_id)).one()
        _tie_to_stored(conn, row)


def take_over(conn: Connection, held: Held, source: str, now: datetime) -> int:
    """What an owner before us was sending has an unknown outcome, and is not sent again: a phone would ring twice."""
    assert_held(conn, held)
    query = update(t_dialled_call).where(t_dialled_call.c.source == source, t_dialled_call.c.state == "sending")
    error = "leadhub was interrupted while it asked the vendor"
    return int(conn.execute(query.values(state="unknown", settled_at=now, error=error)).rowcount)


def next_due(conn: Connection, source: str) -> datetime | None:
    query = select(func.min(t_dialled_call.c.due_at, type_=t_dialled_call.c.due_at.type))
    of_source = query.where(t_dialled_call.c.source == source, t_dialled_call.c.state == "queued")
    return conn.execute(of_source).scalar()


def tie(conn: Connection, calls: Iterable[KnownCall]) -> None:
    """A call whose events bear the id of our command, the vendor's or ours, is the one that we asked for."""
    for one in calls:
        command = one.call.command_id
        if command:
            ours = or_(t_dialled_call.c.command_id == command, t_dialled_call.c.id == command)
            _tie(conn, one.id, t_dialled_call.c.source == one.source, ours)


def _tie_to_stored(conn: Connection, row: Any) -> None:
    query = select(t_call.c.id, t_call.c.data).where(
        t_call.c.client == row.phone, t_call.c.source == row.source, t_call.c.received_at > row.created_at - TIED_WITHIN
    )
    for found in conn.execute(query):
        if Call.from_json(found.data).command_id in (row.command_id, row.id):
            _tie(conn, found.id, t_dialled_call.c.id == row.id)


def _tie(conn: Connection, call_id: str, *which: Any) -> None:
    untied = (*which, t_dialled_call.c.call_id == "")
    conn.execute(update(t_dialled_call).where(*untied).values(call_id=call_id))
    seen = (*which, t_dialled_call.c.state == "unknown")
    conn.execute(update(t_dialled_call).where(*seen).values(state="accepted", error=""))


def dialled_json(row: Any) -> dict[str, Any]:
    """How a row of `find` is shown. `call`: of the call that came of it, "" and None while nobody tells."""
    call = Call.from_json(row.call) if row.call else Call()
    return {
        "id": row.id,
        "state": row.state,
        "connection": row.connection,
        "source": row.source,
        "extension": row.extension,
        "created_at": row.created_at.isoformat(),
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
        "error": row.error,
        "call_id": row.call_id,
        "call_state": call.state,
        "disposition": call.disposition,
        "talk_s": call.talk_s,
    }
