"""How much of conversations is done, waits, or waits for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select

from store.conversation_tables import t_note_duty, t_outgoing


@dataclass(frozen=True, slots=True)
class Work:
    """`done` within a day, the others of any day. A message of which nobody knows whether it was sent is `failed`."""

    done: int = 0
    pending: int = 0
    failed: int = 0

    def to_json(self) -> dict[str, int]:
        return {"done": self.done, "pending": self.pending, "failed": self.failed}


def note_work(conn: Connection, since: datetime, until: datetime) -> Work:
    return _work(conn, t_note_duty, "written", ("ready",), ("dead",), since, until)


def reply_work(conn: Connection, since: datetime, until: datetime) -> Work:
    return _work(conn, t_outgoing, "sent", ("ready", "sending"), ("failed", "unknown"), since, until)


def _work(
    conn: Connection,
    table: Table,
    done: str,
    pending: tuple[str, ...],
    failed: tuple[str, ...],
    since: datetime,
    until: datetime,
) -> Work:
    def count(*conditions: Any) -> int:
        return int(conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())

    return Work(
        count(table.c.state == done, table.c.settled_at >= since, table.c.settled_at < until),
        count(table.c.state.in_(pending)),
        count(table.c.state.in_(failed)),
    )
