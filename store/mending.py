"""Mending what an owner, a crash or a wrong clock left behind: nothing stays claimed, waiting or postponed for ever."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, ColumnElement, Connection, Update, bindparam, select, update

from store.lanes import OPEN_STATES, lock_persons
from store.leases import Held, assert_held
from store.outbox import BACKLOG, free_lane
from store.partial import IS_OWED
from store.prepared import Prepared
from store.tables import t_delivery

LONGEST_WAIT = timedelta(seconds=700)
"""No retry and no second look is further ahead; a rate answer or a hold may be."""


def _owed_by(connection: BindParameter[str], *only: ColumnElement[bool]) -> Update:
    return update(t_delivery).where(IS_OWED, t_delivery.c.connection == connection, *only)


_OF: BindParameter[str] = bindparam("of_connection")
_FENCE: BindParameter[int] = bindparam("of_fence")
_AT = bindparam("at", type_=t_delivery.c.due_at.type)
_IS_CLAIMED, _IS_READY = t_delivery.c.state == "claimed", t_delivery.c.state == "ready"
_LEFT_CLAIMED, _CLAIMED = (
    Prepared(_owed_by(_OF, _IS_CLAIMED, whose).values(state="ready", due_at=_AT))
    for whose in (t_delivery.c.fence != _FENCE, t_delivery.c.fence == _FENCE)
)
_IDS_CLAIMED = Prepared(
    select(t_delivery.c.id).where(IS_OWED, t_delivery.c.connection == _OF, _IS_CLAIMED, t_delivery.c.fence == _FENCE)
)
_LATER = Prepared(
    _owed_by(_OF, _IS_READY, t_delivery.c.due_at > _AT, t_delivery.c.error_kind != "hold").values(due_at=_AT)
)
_TOO_FAR = Prepared(
    _owed_by(
        _OF,
        _IS_READY,
        t_delivery.c.due_at > bindparam("latest"),
        t_delivery.c.error_kind.notin_(("hold", "rate_limited")),
    ).values(due_at=_AT)
)
_OLDER = Prepared(_owed_by(_OF, t_delivery.c.state.in_(OPEN_STATES), t_delivery.c.age_from < _AT).values(age_from=_AT))


def take_over(conn: Connection, held: Held, now: datetime) -> int:
    """Deliveries that an earlier owner left claimed become ready at once; returns how many.

    What was being sent stands in their `progress`, so whoever takes them looks that up first.
    """
    assert_held(conn, held)
    return _LEFT_CLAIMED.run(conn, {"of_connection": held.name, "of_fence": held.fence, "at": now})


def hand_back(conn: Connection, held: Held, now: datetime) -> int:
    """All that we have claimed becomes ready again, for a clean stop. Raises LostLease."""
    assert_held(conn, held)
    return _CLAIMED.run(conn, {"of_connection": held.name, "of_fence": held.fence, "at": now})


def release_forgotten(conn: Connection, held: Held, running: Collection[str], now: datetime) -> int:
    """What we have claimed and nobody works on becomes ready again; none is expected, each is a fault of ours."""
    assert_held(conn, held)
    claimed = _IDS_CLAIMED.scalars(conn, {"of_connection": held.name, "of_fence": held.fence})
    forgotten = [delivery_id for delivery_id in claimed if delivery_id not in running]
    if forgotten:
        conn.execute(
            update(t_delivery)
            .where(t_delivery.c.id.in_(forgotten))
            .values(state="ready", due_at=now, priority=BACKLOG, error_kind="bug")
        )
    return len(forgotten)


def clamp_due(conn: Connection, connection: str, now: datetime) -> int:
    """A try that lies too far ahead was dated by a clock that was wrong: it is due now. Returns how many."""
    return _TOO_FAR.run(conn, {"of_connection": connection, "latest": now + LONGEST_WAIT, "at": now})


def make_due(conn: Connection, connection: str, now: datetime) -> int:
    """All that waits for its next try may go now: the connection is well again, or the clock was set."""
    return _LATER.run(conn, {"of_connection": connection, "at": now})


def make_some_due(conn: Connection, connection: str, now: datetime, *, limit: int) -> int:
    """Of all that waits for its next try the first few may go now; returns how many are due by that."""
    waits = (t_delivery.c.connection == connection, t_delivery.c.state == "ready", t_delivery.c.error_kind != "hold")
    query = select(t_delivery.c.id).where(IS_OWED, *waits)
    ids = list(conn.execute(query.order_by(t_delivery.c.due_at, t_delivery.c.created_at).limit(limit)).scalars())
    if ids:
        ahead = (t_delivery.c.id.in_(ids), t_delivery.c.due_at > now)
        conn.execute(update(t_delivery).where(*ahead).values(due_at=now))
    return len(ids)


def grant_time(conn: Connection, connection: str, youngest: datetime) -> int:
    """After an outage nothing counts as older than since `youngest`; returns how many were."""
    return _OLDER.run(conn, {"of_connection": connection, "at": youngest})


def free_stuck_lanes(conn: Connection, now: datetime) -> int:
    """Lets go whoever waits behind nobody. Should find none; counted, because each would be a fault of ours."""
    stuck = list(dict.fromkeys((row.lane, row.connection) for row in _STUCK.all(conn)))
    lock_persons(conn, {lane for lane, _ in stuck})
    for lane, connection in stuck:
        free_lane(conn, lane, connection, now)
    return len(stuck)


_ACTIVE = t_delivery.alias("active")
_STUCK = Prepared(
    select(t_delivery.c.lane, t_delivery.c.connection).where(
        IS_OWED,
        t_delivery.c.state == "waiting",
        ~select(_ACTIVE.c.id)
        .where(
            _ACTIVE.c.lane == t_delivery.c.lane,
            _ACTIVE.c.connection == t_delivery.c.connection,
            _ACTIVE.c.state.in_(("ready", "claimed")),
        )
        .exists(),
    )
)
