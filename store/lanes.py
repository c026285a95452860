"""The lane of a person in each connection: one after the other, in the order in which the leads came."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from store.tables import t_delivery, t_person

OPEN_STATES = ("ready", "waiting", "claimed")
IN_LIMIT = 400
"""Values in one `IN (…)`: far below the limits of both databases."""


# Built once: building a statement costs more than running it.
_PLACES = select(t_delivery.c.lane, t_delivery.c.connection, t_delivery.c.place, t_delivery.c.state).where(
    t_delivery.c.lane.in_(bindparam("lanes", expanding=True))
)
_LOCKED = (
    select(t_person.c.merged_into)
    .where(t_person.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(t_person.c.id)
    .with_for_update()
)


def lanes_of(conn: Connection, persons: set[str]) -> dict[tuple[str, str], tuple[int, bool]]:
    """(person, connection) -> last place, and whether something there is not settled yet.

    Nobody can settle or add anything there until we commit.
    """
    lock_persons(conn, persons)
    return read_lanes(conn, persons)


def read_lanes(conn: Connection, persons: set[str]) -> dict[tuple[str, str], tuple[int, bool]]:
    """The same of persons that the caller has locked."""
    lanes: dict[tuple[str, str], tuple[int, bool]] = {}
    for chunk in _chunks(persons):
        for row in conn.execute(_PLACES, {"lanes": chunk}):
            place, busy = lanes.get((row.lane, row.connection), (0, False))
            open_now = row.state in OPEN_STATES
            lanes[row.lane, row.connection] = (max(place, row.place), busy or open_now)
    return lanes


def lock_persons(conn: Connection, persons: Iterable[str]) -> bool:
    """Makes intake and settling of one person wait for each other. SQLite has one writer anyway.

    True: one of them has become another person since it was read whose he is.
    """
    if conn.dialect.name != "postgresql":
        return False
    merged = False
    for chunk in _chunks(sorted(persons)):
        merged |= any(conn.execute(_LOCKED, {"ids": chunk}).scalars())
    return merged


def line_up(conn: Connection, lane: str, connection: str, now: datetime) -> None:
    """Of what is open in a lane only the first may go, and only while nothing there is under way."""
    query = select(t_delivery.c.id, t_delivery.c.state).where(
        t_delivery.c.lane == lane, t_delivery.c.connection == connection, t_delivery.c.state.in_(OPEN_STATES)
    )
    rows = conn.execute(query.order_by(t_delivery.c.place)).all()
    free = not any(row.state == "claimed" for row in rows)
    waiting = [row for row in rows if row.state != "claimed"]
    if free and waiting:
        first = waiting.pop(0)
        if first.state == "waiting":
            conn.execute(update(t_delivery).where(t_delivery.c.id == first.id).values(state="ready", due_at=now))
    behind = [row.id for row in waiting if row.state == "ready"]
    if behind:
        conn.execute(update(t_delivery).where(t_delivery.c.id.in_(behind)).values(state="waiting"))


def _chunks(values: Iterable[str]) -> Iterable[list[str]]:
    everything = list(values)
    for start in range(0, len(everything), IN_LIMIT):
        yield everything[start : start + IN_LIMIT]
