"""Mending what an owner, a crash or a wrong clock left behind: nothing stays claimed, waiting or postponed for ever."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from store.lanes import OPEN_STATES, lock_persons
from store.leases import Held, assert_held
from store.outbox import BACKLOG, free_lane
from store.partial import IS_OWED
from store.tables import t_delivery

LONGEST_WAIT = timedelta(seconds=700)
"""No retry and no second look is further ahead; a rate answer or a hold may be."""


def take_over(conn: Connection, held: Held, now: datetime) -> int:
    """Deliveries that an earlier owner left claimed become ready at once; returns how many.

    What was being sent stands in their `progress`, so whoever takes them looks that up first.
    """
    assert_held(conn, held)
    changed = conn.execute(
        update(t_delivery)
        .where(
            IS_OWED,
            t_delivery.c.connection == held.name,
            t_delivery.c.state == "claimed",
            t_delivery.c.fence != held.fence,
        )
        .values(state="ready", due_at=now)
    )
    return int(changed.rowcount)


def hand_back(conn: Connection, held: Held, now: datetime) -> int:
    """All that we have claimed becomes ready again, for a clean stop. Raises LostLease."""
    assert_held(conn, held)
    changed = conn.execute(
        update(t_delivery)
        .where(
            IS_OWED,
            t_delivery.c.connection == held.name,
            t_delivery.c.state == "claimed",
            t_delivery.c.fence == held.fence,
        )
        .values(state="ready", due_at=now)
    )
    return int(changed.rowcount)


def release_forgotten(conn: Connection, held: Held, running: Collection[str], now: datetime) -> int:
    """What we have claimed and nobody works on becomes ready again; none is expected, each is a fault of ours."""
    assert_held(conn, held)
    ours = (t_delivery.c.connection == held.name, t_delivery.c.state == "claimed", t_delivery.c.fence == held.fence)
    query = select(t_delivery.c.id).where(IS_OWED, *ours)
    forgotten = [delivery_id for delivery_id in conn.execute(query).scalars() if delivery_id not in running]
    if forgotten:
        conn.execute(
            update(t_delivery)
            .where(t_delivery.c.id.in_(forgotten))
            .values(state="ready", due_at=now, priority=BACKLOG, error_kind="bug")
        )
    return len(forgotten)


def clamp_due(conn: Connection, connection: str, now: datetime) -> int:
    """A try that lies too far ahead was dated by a clock that was wrong: it is due now. Returns how many."""
    changed = conn.execute(
        update(t_delivery)
        .where(
            IS_OWED,
            t_delivery.c.connection == connection,
            t_delivery.c.state == "ready",
            t_delivery.c.due_at > now + LONGEST_WAIT,
            t_delivery.c.error_kind.notin_(("hold", "rate_limited")),
        )
        .values(due_at=now)
    )
    return int(changed.rowcount)


def make_due(conn: Connection, connection: str, now: datetime) -> int:
    """All that waits for its next try may go now: the connection is well again, or the clock was set."""
    changed = conn.execute(
        update(t_delivery)
        .where(
            IS_OWED,
            t_delivery.c.connection == connection,
            t_delivery.c.state == "ready",
            t_delivery.c.due_at > now,
            t_delivery.c.error_kind != "hold",
        )
        .values(due_at=now)
    )
    return int(changed.rowcount)


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
    changed = conn.execute(
        update(t_delivery)
        .where(
            IS_OWED,
            t_delivery.c.connection == connection,
            t_delivery.c.state.in_(OPEN_STATES),
            t_delivery.c.age_from < youngest,
        )
        .values(age_from=youngest)
    )
    return int(changed.rowcount)


def free_stuck_lanes(conn: Connection, now: datetime) -> int:
    """Lets go whoever waits behind nobody. Should find none; counted, because each would be a fault of ours."""
    active = t_delivery.alias("active")
    query = select(t_delivery.c.lane, t_delivery.c.connection).where(
        IS_OWED,
        t_delivery.c.state == "waiting",
        ~select(active.c.id)
        .where(
            active.c.lane == t_delivery.c.lane,
            active.c.connection == t_delivery.c.connection,
            active.c.state.in_(("ready", "claimed")),
        )
        .exists(),
    )
    stuck = list(dict.fromkeys((row.lane, row.connection) for row in conn.execute(query)))
    lock_persons(conn, {lane for lane, _ in stuck})
    for lane, connection in stuck:
        free_lane(conn, lane, connection, now)
    return len(stuck)
