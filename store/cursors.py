"""Small named values that survive."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from store.prepared import Prepared
from store.tables import t_cursor

_VALUE = Prepared(select(t_cursor.c.value).where(t_cursor.c.name == bindparam("of_name")))
_CHANGE = Prepared(update(t_cursor).where(t_cursor.c.name == bindparam("of_name")))


def load(conn: Connection, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _VALUE.scalar(conn, {"of_name": name})
    return found


def save(conn: Connection, name: str, value: dict[str, Any]) -> None:
    if _CHANGE.run(conn, {"of_name": name, "value": value}) == 0:
        conn.execute(insert(t_cursor).values(name=name, value=value))


def save_all(conn: Connection, values: Mapping[str, dict[str, Any]]) -> None:
    """Some hundreds in two statements."""
    there = load_all(conn, list(values))
    changed = [{"of": name, "to": value} for name, value in values.items() if name in there and there[name] != value]
    if changed:
        conn.execute(update(t_cursor).where(t_cursor.c.name == bindparam("of")).values(value=bindparam("to")), changed)
    new = [{"name": name, "value": value} for name, value in values.items() if name not in there]
    if new:
        conn.execute(insert(t_cursor), new)


def touch(conn: Connection) -> None:
    """A write that changes nothing that matters: proves that the database, its disk included, takes writes."""
    count = (load(conn, "touched") or {}).get("count", 0)
    save(conn, "touched", {"count": count + 1})


def load_all(conn: Connection, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those of `names`, a few hundred at most, that there are."""
    query = select(t_cursor.c.name, t_cursor.c.value).where(t_cursor.c.name.in_(names))
    return {row.name: row.value for row in conn.execute(query)}


def some_of(conn: Connection, start: str, limit: int, after: str = "") -> dict[str, dict[str, Any]]:
    """What follows `start` in a name -> value, in order of the names; the next ones `after` such a one."""
    name = t_cursor.c.name
    query = (
        select(name, t_cursor.c.value)
        .where(name > start + after, func.substr(name, 1, len(start)) == start)
        .order_by(name)
        .limit(limit)
    )
    return {row.name.removeprefix(start): row.value for row in conn.execute(query)}
