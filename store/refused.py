"""Requests that were not let in: counted always, kept for a week as far as there is room."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from leads.records import Lead
from store.refused_tables import t_refused_request, t_refused_tally
from store.tables import t_lead

KEPT = timedelta(days=7)
_POSITION = re.compile(r" at character \d+$")


@dataclass(frozen=True, slots=True)
class Room:
    """How much is kept: a flood of forged requests must not fill the disk."""

    rows_of_source: int = 1_000
    bytes_of_source: int = 16_000_000
    rows: int = 5_000
    bytes: int = 64_000_000
    freed_at_once: int = 20
    """So many are dropped when there is no room, that not every request of a flood has to look for room again."""


ROOM = Room()


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """`day` in the hub's zone; `sealed` None: too large to be kept."""

    id: str
    source: str
    at: datetime
    day: str
    status: int
    reason: str
    method: str
    remote_ip: str
    size_bytes: int
    look: str = ""
    key_id: str = ""
    sealed: bytes | None = None


def keep_refused(conn: Connection, rows: Sequence[RefusedRow], room: Room = ROOM) -> list[None]:
    """Counts and keeps all; what there is no room for makes the loudest sender lose his oldest. For a batch."""
    for row in rows:
        values = asdict(row)
        del values["day"]
        conn.execute(insert(t_refused_request).values(values | {"url": "", "headers": {}, "body": b""}))
    count_refused(conn, rows)
    for source in dict.fromkeys(row.source for row in rows):
        _make_room(conn, source, room.rows_of_source, room.bytes_of_source, room.freed_at_once)
    _make_room(conn, None, room.rows, room.bytes, room.freed_at_once)
    return [None] * len(rows)


def count_refused(conn: Connection, rows: Sequence[RefusedRow]) -> list[None]:
    """Only counts them, in one order for all processes: two that count the same reasons do not block each other."""
    alike: dict[tuple[str, str, int, str], list[datetime]] = {}
    for row in rows:
        alike.setdefault((row.source, row.day, row.status, cause_of(row.reason)), []).append(row.at)
    make: Any = import_module(f"sqlalchemy.dialects.{conn.dialect.name}").insert  # nobody needs both
    later = func.greatest if conn.dialect.name == "postgresql" else func.max
    tally = t_refused_tally.c
    for (source, day, status, reason), times in sorted(alike.items()):
        key = {"source": source, "day": day, "status": status, "reason": reason}
        query = make(t_refused_tally).values(**key, count=len(times), first_at=min(times), last_at=max(times))
        more = {"count": tally["count"] + len(times), "last_at": later(tally.last_at, query.excluded.last_at)}
        conn.execute(query.on_conflict_do_update(index_elements=list(key), set_=more))
    return [None] * len(rows)


def cause_of(reason: str) -> str:
    """A reason without what differs from one request to the next."""
    return _POSITION.sub("", reason)


def _make_room(conn: Connection, source: str | None, rows: int, size_bytes: int, at_once: int) -> None:
    """`source` None: of all sources together."""
    kept = t_refused_request.c
    among = [kept.source == source] if source is not None else []
    while True:
        found = conn.execute(select(func.count(), func.coalesce(func.sum(kept.size_bytes), 0)).where(*among)).one()
        if found[0] <= rows and found[1] <= size_bytes:
            return
        by_bytes = found[1] > size_bytes
        size = func.sum(kept.size_bytes) if by_bytes else func.count()
        loudest = conn.execute(
            select(kept.source, kept.remote_ip)
            .where(*among)
            .group_by(kept.source, kept.remote_ip)
            .order_by(size.desc())
        ).first()
        if loudest is None:
            return
        theirs = select(kept.id, kept.source, kept.at, kept.status, kept.reason).where(
            kept.source == loudest.source, kept.remote_ip == loudest.remote_ip
        )
        _drop(conn, list(conn.execute(theirs.order_by(kept.at, kept.id).limit(at_once))))


def _drop(conn: Connection, gone: Sequence[Row[Any]]) -> None:
    """Removes rows and remembers on the newest day of their reason that they are gone."""
    conn.execute(delete(t_refused_request).where(t_refused_request.c.id.in_([row.id for row in gone])))
    tally = t_refused_tally.c
    for (source, status, reason), number in Counter(
        (row.source, row.status, cause_of(row.reason)) for row in gone
    ).items():
        same = (tally.source == source, tally.status == status, tally.reason == reason)
        newest = select(func.max(tally.day)).where(*same).scalar_subquery()
        conn.execute(update(t_refused_tally).where(*same, tally.day == newest).values(dropped=tally.dropped + number))


def forget_old_refused(conn: Connection, now: datetime) -> int:
    """Removes what is older than a week; returns how many requests."""
    conn.execute(delete(t_refused_tally).where(t_refused_tally.c.last_at < now - KEPT))
    return int(conn.execute(delete(t_refused_request).where(t_refused_request.c.at < now - KEPT)).rowcount)


# --- questions ---------------------------------------------------------------------------------------------------


def tallies(conn: Connection, day: str) -> list[Row[Any]]:
    """Rows of refused_tally of one day, most frequent first."""
    tally = t_refused_tally.c
    query = select(t_refused_tally).where(tally.day == day)
    return list(conn.execute(query.order_by(tally.source, tally["count"].desc(), tally.reason)))


def refused_requests(
    conn: Connection,
    *,
    source: str = "",
    since: datetime | None = None,
    ids: Sequence[str] = (),
    rerun_too: bool = False,
    oldest_first: bool = False,
    limit: int,
) -> list[Row[Any]]:
    """Without what was sealed: rows are small."""
    kept = t_refused_request.c
    columns = [column for column in kept if column.name not in ("sealed", "body", "headers", "url")]
    query = select(*columns, kept.sealed.is_not(None).label("is_kept"))
    if source:
        query = query.where(kept.source == source)
    if since is not None:
        query = query.where(kept.at >= since)
    if ids:
        query = query.where(kept.id.in_(ids))
    if not rerun_too:
        query = query.where(kept.rerun_at.is_(None))
    order = (kept.at, kept.id) if oldest_first else (kept.at.desc(), kept.id.desc())
    return list(conn.execute(query.order_by(*order).limit(limit)))


def sealed_request(conn: Connection, request_id: str, *, lock: bool = False) -> Row[Any] | None:
    """The whole row, if it was not run again already; with `lock` nobody else takes it until the commit."""
    kept = t_refused_request.c
    query = select(t_refused_request).where(kept.id == request_id, kept.rerun_at.is_(None))
    return conn.execute(query.with_for_update() if lock else query).first()


def let_in(conn: Connection, request_id: str, now: datetime, outcome: str) -> None:
    """It was run again and is stored elsewhere now: what was sealed is not needed any more."""
    values = {"rerun_at": now, "outcome": outcome, "sealed": None, "key_id": ""}
    conn.execute(update(t_refused_request).where(t_refused_request.c.id == request_id).values(**values))


def still_refused(conn: Connection, request_id: str, status: int, reason: str) -> None:
    """It was run again and refused again, maybe for another reason."""
    values = {"status": status, "reason": reason}
    conn.execute(update(t_refused_request).where(t_refused_request.c.id == request_id).values(**values))


def alike(conn: Connection, lead: Lead, since: datetime) -> list[Row[Any]]:
    """Leads of the same source and of the same name and contacts since then, whatever else they say."""
    kept = t_lead.c
    query = select(t_lead).where(kept.received_at >= since, kept.source == lead.source, kept.name == lead.name)
    query = query.where(kept.phones == lead.phones, kept.emails == lead.emails)
    return list(conn.execute(query.order_by(kept.received_at).limit(50)))


def turned_away(conn: Connection, since: datetime, until: datetime) -> list[Any]:
    """Requests in [since, until) that were not let in, oldest first; kept for a week as far as there is room."""
    kept = t_refused_request.c
    query = select(kept.source, kept.at, kept.status, kept.reason).where(kept.at >= since, kept.at < until)
    query = query.where(kept.rerun_at.is_(None))
    return list(conn.execute(query.order_by(kept.at)))
