"""When a source sent something: its last event, and how many in each hour."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    true,
    type_coerce,
)

from store.prepared import Prepared
from store.tables import t_event, t_lead

HOUR_US = 3_600_000_000


def last_event_at(conn: Connection, source: str) -> datetime | None:
    """Of any kind: a lead, a call, a message, a payment."""
    found = [last.scalar(conn, {"of_source": source}) for last in _LAST]
    return max((at for at in found if at is not None), default=None)


def by_hour(conn: Connection, source: str, since: datetime) -> dict[datetime, int]:
    """Beginning of an hour (UTC) -> how many enquiries, calls, conversations and payments had something in it.

    The ten events of one call are one, and the lead that it became is not counted again.
    """
    counts: dict[datetime, int] = {}
    for of_table in _BY_HOUR:
        for row in of_table.all(conn, {"of_source": source, "since": since}):
            at = datetime.fromtimestamp(int(row.hour) * 3600, UTC)
            counts[at] = counts.get(at, 0) + row.number
    return counts


def _by_hour(table: Table, number: ColumnElement[int], only: ColumnElement[bool]) -> Prepared:
    hour = type_coerce(table.c.received_at, BigInteger).op("/")(literal_column(str(HOUR_US)))  # whole numbers
    return Prepared(
        select(hour.label("hour"), number.label("number"))
        .where(table.c.source == bindparam("of_source"), table.c.received_at >= bindparam("since"), only)
        .group_by(hour)
    )


_OF_EVENT = t_lead.c.lead_uid.startswith("call:") | t_lead.c.lead_uid.startswith("chat:")
_BY_HOUR = (_by_hour(t_lead, func.count(), ~_OF_EVENT), _by_hour(t_event, func.count(t_event.c.key.distinct()), true()))
_LAST = [
    Prepared(
        select(func.max(table.c.received_at, type_=table.c.received_at.type)).where(
            table.c.source == bindparam("of_source")
        )
    )
    for table in (t_lead, t_event)
]
