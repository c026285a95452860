"""Who owns what, until when: at most one holder of a name, each with a higher fence than the one before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from store.prepared import Prepared
from store.tables import t_lease

TTL_S = 12.0
"""A killed owner's work is taken over after this long, so well within 30 s."""
RENEW_S = 3.0


class LostLease(Exception):
    """Somebody else owns it now: nothing more may be written in its name."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that we hold. Goes along with every write made in its name."""

    name: str
    owner: str
    fence: int


_OF_NAME = select(t_lease.c.owner, t_lease.c.fence, t_lease.c.expires_at).where(t_lease.c.name == bindparam("of_name"))
_ROW = Prepared(_OF_NAME)
_ROW_LOCKED = Prepared(_OF_NAME.with_for_update(read=True))
_TAKE = Prepared(
    update(t_lease).where(t_lease.c.name == bindparam("of_name"), t_lease.c.fence == bindparam("of_fence"))
)
_OURS = Prepared(
    update(t_lease).where(
        t_lease.c.name == bindparam("of_name"),
        t_lease.c.owner == bindparam("of_owner"),
        t_lease.c.fence == bindparam("of_fence"),
    )
)


def take(conn: Connection, name: str, owner: str, now: datetime, *, ttl_s: float = TTL_S, hub: str = "") -> Held | None:
    """The lease, if it is free, has run out, or is ours already; None while another holds it."""
    row = _ROW.first(conn, {"of_name": name})
    expires = now + timedelta(seconds=ttl_s)
    if row is None:
        try:
            with conn.begin_nested():
                conn.execute(insert(t_lease).values(name=name, owner=owner, fence=1, expires_at=expires, hub=hub))
        except IntegrityError:  # another took it in this very moment
            return None
        return Held(name, owner, 1)
    # A lease that ends far in the future was written before the clock jumped back: it has run out as well.
    current = now < row.expires_at <= now + timedelta(seconds=2 * ttl_s)
    if current and row.owner != owner:
        return None
    fence = row.fence + 1
    was = {"of_name": name, "of_fence": row.fence}
    taken = _TAKE.run(conn, {**was, "owner": owner, "fence": fence, "expires_at": expires, "hub": hub})
    return Held(name, owner, fence) if taken == 1 else None


def renew(conn: Connection, held: Held, now: datetime, *, ttl_s: float = TTL_S) -> None:
    """Raises LostLease when another has taken it."""
    until = now + timedelta(seconds=ttl_s)
    ours = {"of_name": held.name, "of_owner": held.owner, "of_fence": held.fence}
    if _OURS.run(conn, {**ours, "expires_at": until}) != 1:
        raise LostLease(held.name)


def assert_held(conn: Connection, held: Held) -> None:
    """Raises LostLease unless `held` is the newest fence. On PostgreSQL no one can take it until we commit."""
    query = _ROW_LOCKED if conn.dialect.name == "postgresql" else _ROW
    row = query.first(conn, {"of_name": held.name})
    if row is None or row.fence != held.fence or row.owner != held.owner:
        raise LostLease(held.name)


def lock_held(conn: Connection, all_held: Iterable[Held]) -> None:
    """Before writes of which each asks `is_held`: on PostgreSQL no one can take these leases until we commit.

    Raises LostLease there; SQLite has one writer, for which the writes' own question is enough.
    """
    if conn.dialect.name == "postgresql":
        for held in all_held:
            assert_held(conn, held)


def is_held(name: BindParameter[Any], owner: BindParameter[Any], fence: BindParameter[Any]) -> ColumnElement[bool]:
    """The condition of a write that only the newest holder may make."""
    return exists().where(t_lease.c.name == name, t_lease.c.owner == owner, t_lease.c.fence == fence)


def release(conn: Connection, held: Held, now: datetime) -> None:
    """Lets the next one take it at once; the fence stays."""
    ours = {"of_name": held.name, "of_owner": held.owner, "of_fence": held.fence}
    _OURS.run(conn, {**ours, "expires_at": now - timedelta(seconds=1), "owner": ""})


def forget(conn: Connection, name: str) -> None:
    """Removes a lease whose subject is gone from the configuration."""
    conn.execute(delete(t_lease).where(t_lease.c.name == name))


def silent_s(conn: Connection, name: str, now: datetime, *, ttl_s: float = TTL_S) -> float | None:
    """Seconds since its holder gave a sign of life; None while nobody holds it."""
    row = _ROW.first(conn, {"of_name": name})
    if row is None or row.owner == "":
        return None
    return max(0.0, ttl_s - float((row.expires_at - now).total_seconds()))


def held_by_another(conn: Connection, name: str, now: datetime, *, ttl_s: float = TTL_S) -> bool:
    """Whether somebody holds it now."""
    row = _ROW.first(conn, {"of_name": name})
    return row is not None and row.owner != "" and bool(now < row.expires_at <= now + timedelta(seconds=2 * ttl_s))
