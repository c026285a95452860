"""When a source sent something: its last event, and how many in each hour."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Connection, func, select, true, type_coerce

from store.tables import t_event, t_lead

HOUR_US = 3_600_000_000


def last_event_at(conn: Connection, source: str) -> datetime | None:
    """Of any kind: a lead, a call, a message, a payment."""
    found = [
        conn.execute(
            select(func.max(table.c.received_at, type_=table.c.received_at.type)).where(table.c.source == source)
        ).scalar()
        for table in (t_lead, t_event)
    ]
    return max((at for at in found if at is not None), default=None)


def by_hour(conn: Connection, source: str, since: datetime) -> dict[datetime, int]:
    """Beginning of an hour (UTC) -> how many enquiries, calls, conversations and payments had something in it.

    The ten events of one call are one, and the lead that it became is not counted again.
    """
    of_event = t_lead.c.lead_uid.startswith("call:") | t_lead.c.lead_uid.startswith("chat:")
    counts: dict[datetime, int] = {}
    for table, what, only in ((t_lead, t_lead.c.id, ~of_event), (t_event, t_event.c.key, true())):
        hour = type_coerce(table.c.received_at, BigInteger).op("/")(HOUR_US)  # of whole numbers, in both databases
        query = (
            select(hour.label("hour"), func.count(what.distinct()).label("number"))
            .where(table.c.source == source, table.c.received_at >= since, only)
            .group_by(hour)
        )
        for row in conn.execute(query):
            at = datetime.fromtimestamp(int(row.hour) * 3600, UTC)
            counts[at] = counts.get(at, 0) + row.number
    return counts
