"""Who was chosen and where each queue of people stands; both change in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from store import leases
from store.leases import Held
from store.tables import t_assign_state, t_assignment, t_delivery


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided, and the queue's state after it."""

    user_id: str
    reason: str
    data: dict[str, Any]
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """What a strategy may look at: leads given to each user since `since`, and who had this person last."""

    load: dict[str, int]
    previous_user: str
    state: dict[str, Any]


def assign(
    conn: Connection,
    held: Held,
    *,
    pool: str,
    assignment_id: str,
    delivery_id: str,
    lead_id: str,
    person_id: str,
    since: datetime,
    now: datetime,
    decide: Callable[[LoadFacts], Choice],
) -> Choice:
    """Decides and stores in one go, so that two workers never hand out the same turn. Raises LostLease."""
    leases.assert_held(conn, held)
    choice = decide(
        LoadFacts(
            load=_load(conn, held.name, since),
            previous_user=_previous_user(conn, held.name, person_id, delivery_id),
            state=_state(conn, pool),
        )
    )
    changed = conn.execute(update(t_assign_state).where(t_assign_state.c.pool == pool).values(state=choice.state))
    if changed.rowcount == 0:
        conn.execute(insert(t_assign_state).values(pool=pool, state=choice.state))
    conn.execute(
        insert(t_assignment).values(
            id=assignment_id,
            lead_id=lead_id,
            delivery_id=delivery_id,
            connection=held.name,
            user_id=choice.user_id,
            at=now,
            reason=choice.reason,
            data=choice.data,
        )
    )
    conn.execute(update(t_delivery).where(t_delivery.c.id == delivery_id).values(assigned_to=choice.user_id))
    return choice


def _state(conn: Connection, pool: str) -> dict[str, Any]:
    query = select(t_assign_state.c.state).where(t_assign_state.c.pool == pool)
    if conn.dialect.name == "postgresql":
        query = query.with_for_update()
    found: dict[str, Any] | None = conn.execute(query).scalar()
    return found or {}


def _load(conn: Connection, connection: str, since: datetime) -> dict[str, int]:
    query = (
        select(t_assignment.c.user_id, func.count())
        .where(t_assignment.c.connection == connection, t_assignment.c.at >= since)
        .group_by(t_assignment.c.user_id)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def _previous_user(conn: Connection, connection: str, person_id: str, delivery_id: str) -> str:
    """Who was responsible for this person's last lead here."""
    query = (
        select(t_assignment.c.user_id)
        .join(t_delivery, t_delivery.c.id == t_assignment.c.delivery_id)
        .where(
            t_delivery.c.lane == person_id,
            t_assignment.c.connection == connection,
            t_assignment.c.delivery_id != delivery_id,
            t_assignment.c.user_id != "",
        )
        .order_by(t_assignment.c.at.desc())
        .limit(1)
    )
    return conn.execute(query).scalar() or ""
