"""Leads on their way to a CRM: how many, since when.

One that waits for an opening on purpose is not late, nor is one whose deal is there and only its note or task is not.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text, tuple_

from store.lanes import OPEN_STATES
from store.partial import IS_OWED
from store.prepared import Prepared
from store.tables import t_delivery


def on_its_way() -> Any:
    """Condition on `delivery`: not in the CRM, and neither held until an opening nor queued behind a lead that is."""
    held = t_delivery.alias("held")
    lanes_held = select(held.c.lane, held.c.connection).where(text("held.state = 'ready'"), held.c.error_kind == "hold")
    return and_(
        IS_OWED,
        t_delivery.c.state.in_(OPEN_STATES),
        t_delivery.c.arrived_at.is_(None),
        t_delivery.c.error_kind != "hold",
        or_(t_delivery.c.state != "waiting", tuple_(t_delivery.c.lane, t_delivery.c.connection).not_in(lanes_held)),
    )


_COUNTED = select(func.count(), func.min(t_delivery.c.created_at, type_=t_delivery.c.created_at.type)).where(
    t_delivery.c.connection == bindparam("of_connection"), on_its_way()
)
_ON_THE_WAY = Prepared(_COUNTED)
_BY_CONNECTION = Prepared(
    select(
        t_delivery.c.connection,
        func.count(),
        func.min(t_delivery.c.created_at, type_=t_delivery.c.created_at.type),
    )
    .where(IS_OWED, t_delivery.c.state.in_(OPEN_STATES), t_delivery.c.arrived_at.is_(None))
    .group_by(t_delivery.c.connection)
)
_OLDER = Prepared(_COUNTED.where(t_delivery.c.created_at < bindparam("before", type_=t_delivery.c.created_at.type)))


def on_the_way(conn: Connection, connection: str, before: datetime | None = None) -> tuple[int, datetime | None]:
    """How many came in (before that time), and since when the oldest of them waits."""
    query, wanted = (_ON_THE_WAY, {}) if before is None else (_OLDER, {"before": before})
    row = query.first(conn, {"of_connection": connection, **wanted})
    return int(row[0]), row[1]


def of_nobody(conn: Connection, configured: Collection[str]) -> dict[str, tuple[int, datetime | None]]:
    """Connection -> what is owed to it, of those that are not configured any more: nobody will deliver that."""
    return {row[0]: (int(row[1]), row[2]) for row in _BY_CONNECTION.all(conn) if row[0] not in configured}


@dataclass(frozen=True, slots=True)
class Drained:
    """Of the leads that waited when a connection was well again."""

    left: int
    arrived: int
    last_at: datetime | None


def drained(conn: Connection, connection: str, opened_at: datetime, recovered_at: datetime) -> Drained:
    """The lead that showed that the connection is well was delivered a moment before that was known: it counts too."""
    left, _ = on_the_way(conn, connection, recovered_at)
    last = func.max(t_delivery.c.settled_at, type_=t_delivery.c.settled_at.type)
    query = select(func.count(), last).where(
        t_delivery.c.connection == connection,
        t_delivery.c.state == "delivered",
        t_delivery.c.settled_at >= opened_at,
        t_delivery.c.created_at < recovered_at,
    )
    row = conn.execute(query).one()
    return Drained(left, int(row[0]), row[1])
