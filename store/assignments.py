"""Who was chosen and where each queue of people stands; both change in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from store import leases
from store.leases import Held
from store.prepared import Prepared
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
    if _KEEP_STATE.run(conn, {"of_pool": pool, "state": choice.state}) == 0:
        conn.execute(insert(t_assign_state).values(pool=pool, state=choice.state))
    chosen = {"id": assignment_id, "lead_id": lead_id, "delivery_id": delivery_id, "connection": held.name, "at": now}
    _NEW.run(conn, {**chosen, "user_id": choice.user_id, "reason": choice.reason, "data": choice.data})
    _KEEP_USER.run(conn, {"of_id": delivery_id, "assigned_to": choice.user_id})
    return choice


_NEW = Prepared(insert(t_assignment))
_KEEP_USER = Prepared(update(t_delivery).where(t_delivery.c.id == bindparam("of_id")))
_KEEP_STATE = Prepared(update(t_assign_state).where(t_assign_state.c.pool == bindparam("of_pool")))
_STATE = Prepared(select(t_assign_state.c.state).where(t_assign_state.c.pool == bindparam("of_pool")).with_for_update())
"""Locked where there are several writers; SQLite knows no such word, and leaves it out."""
_LOAD = Prepared(
    select(t_assignment.c.user_id, func.count())
    .where(t_assignment.c.connection == bindparam("of_connection"), t_assignment.c.at >= bindparam("since"))
    .group_by(t_assignment.c.user_id)
)
_PREVIOUS_USER = Prepared(
    select(t_assignment.c.user_id)
    .join(
        # By the person's deliveries and their leads, which indexes know: else all assignments are walked through.
        t_delivery,
        and_(t_delivery.c.id == t_assignment.c.delivery_id, t_delivery.c.lead_id == t_assignment.c.lead_id),
    )
    .where(
        t_delivery.c.lane == bindparam("of_person"),
        t_delivery.c.connection == bindparam("of_connection"),
        t_assignment.c.delivery_id != bindparam("but_of"),
        t_assignment.c.user_id != "",
    )
    .order_by(t_assignment.c.at.desc())
    .limit(1)
)


def _state(conn: Connection, pool: str) -> dict[str, Any]:
    return _STATE.scalar(conn, {"of_pool": pool}) or {}


def _load(conn: Connection, connection: str, since: datetime) -> dict[str, int]:
    return {row[0]: row[1] for row in _LOAD.all(conn, {"of_connection": connection, "since": since})}


def _previous_user(conn: Connection, connection: str, person_id: str, delivery_id: str) -> str:
    """Who was responsible for this person's last lead here."""
    wanted = {"of_person": person_id, "of_connection": connection, "but_of": delivery_id}
    return _PREVIOUS_USER.scalar(conn, wanted) or ""
