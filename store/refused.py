"""Requests that were not let in, kept for a week."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert

from store.tables import t_refused_request

KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    id: str
    source: str
    at: datetime
    status: int
    reason: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    remote_ip: str


def keep_refused(conn: Connection, row: RefusedRow) -> None:
    conn.execute(insert(t_refused_request).values(**asdict(row)))


def forget_old_refused(conn: Connection, now: datetime) -> int:
    """Removes what is older than a week; returns how many."""
    return int(conn.execute(delete(t_refused_request).where(t_refused_request.c.at < now - KEPT)).rowcount)
