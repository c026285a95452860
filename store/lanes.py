"""The lane of a person in each connection: one after the other, in the order in which the leads came."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, func, select, update

from store.prepared import Prepared, Rows, among
from store.tables import t_delivery, t_person

OPEN_STATES = ("ready", "waiting", "claimed")
FRESH, BACKLOG, BULK = 0, 1, 2

_IS_OPEN = case((t_delivery.c.state.in_(OPEN_STATES), 1), else_=0)
_PLACES = Prepared(
    select(
        t_delivery.c.lane,
        t_delivery.c.connection,
        func.max(t_delivery.c.place).label("last"),
        func.max(_IS_OPEN).label("open"),
    )
    .where(among(t_delivery.c.lane, "lanes"))
    .group_by(t_delivery.c.lane, t_delivery.c.connection)
)
_LOCKED = Prepared(
    select(t_person.c.merged_into).where(among(t_person.c.id, "ids")).order_by(t_person.c.id).with_for_update()
)
_OPEN_IN_LANE = Prepared(
    select(t_delivery.c.id, t_delivery.c.state, t_delivery.c.created_at, t_delivery.c.priority)
    .where(
        t_delivery.c.lane == bindparam("of_lane"),
        t_delivery.c.connection == bindparam("of_connection"),
        t_delivery.c.state.in_(OPEN_STATES),
    )
    .order_by(t_delivery.c.place)
)
_CHANGED = Prepared(update(t_delivery).where(t_delivery.c.id == bindparam("of_id")))
_AT = bindparam("at", type_=t_delivery.c.due_at.type)
_MAY_GO = (t_delivery.c.state == "ready") & (t_delivery.c.due_at <= _AT)
_HURRIED = Prepared(
    update(t_delivery)
    .where(
        t_delivery.c.lane == bindparam("of_lane"),
        t_delivery.c.connection == bindparam("of_connection"),
        t_delivery.c.state.in_(OPEN_STATES),
        t_delivery.c.priority == BULK,
    )
    .values(priority=case((_MAY_GO, FRESH), else_=BACKLOG), due_at=case((_MAY_GO, _AT), else_=t_delivery.c.due_at))
)


def lanes_of(conn: Connection, persons: set[str]) -> dict[tuple[str, str], tuple[int, bool]]:
    """(person, connection) -> last place, and whether something there is not settled yet.

    Nobody can settle or add anything there until we commit.
    """
    lock_persons(conn, persons)
    return read_lanes(conn, persons)


def read_lanes(conn: Connection, persons: set[str]) -> dict[tuple[str, str], tuple[int, bool]]:
    """The same of persons that the caller has locked."""
    rows = _PLACES.all(conn, {"lanes": list(persons)}) if persons else []
    return {(row.lane, row.connection): (row.last, bool(row.open)) for row in rows}


def lock_persons(conn: Connection, persons: Iterable[str]) -> bool:
    """Makes intake and settling of one person wait for each other. SQLite has one writer anyway.

    True: one of them has become another person since it was read whose he is.
    """
    if conn.dialect.name != "postgresql" or not (ids := sorted(persons)):
        return False
    return any(_LOCKED.scalars(conn, {"ids": ids}))


def line_up(conn: Connection, lane: str, connection: str, now: datetime) -> None:
    """Of what is open in a lane only the first may go, and only while nothing there is under way."""
    rows = open_in_lane(conn, lane, connection)
    free = not any(row.state == "claimed" for row in rows)
    waiting = [row for row in rows if row.state != "claimed"]
    if free and waiting:
        first = waiting.pop(0)
        if first.state == "waiting":
            _CHANGED.run(conn, {"of_id": first.id, "state": "ready", "due_at": now})
    behind = [row.id for row in waiting if row.state == "ready"]
    _CHANGED.run_many(conn, [{"of_id": one, "state": "waiting"} for one in behind])


def hurry(conn: Connection, lanes: Iterable[tuple[str, str]], now: datetime) -> None:
    """A fresh lead joins these (person, connection): what an import put there before it waits no longer."""
    of = {"at": now}
    _HURRIED.run_many(conn, [{**of, "of_lane": lane, "of_connection": connection} for lane, connection in lanes])


def open_in_lane(conn: Connection, lane: str, connection: str) -> Rows:
    """Rows with `id`, `state`, `created_at` and `priority` of what is not settled yet, in order."""
    return _OPEN_IN_LANE.all(conn, {"of_lane": lane, "of_connection": connection})


def let_go(conn: Connection, delivery_id: str, now: datetime, priority: int) -> None:
    """It may be claimed from now on."""
    _CHANGED.run(conn, {"of_id": delivery_id, "state": "ready", "due_at": now, "priority": priority})
