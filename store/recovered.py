"""Leads that never came by themselves: the source's own list told of them."""

from datetime import datetime

from sqlalchemy import Connection, Text, func, select, type_coerce

from store.tables import t_lead

RECOVERED = "recovered"
"""The flag of such a lead."""


def count_recovered(conn: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """Source -> how many of its leads taken in during [since, until) are such."""
    flagged = type_coerce(t_lead.c.flags, Text).like(f"%{RECOVERED}%")
    query = (
        select(t_lead.c.source, func.count())
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, flagged)
        .group_by(t_lead.c.source)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def recovered_by_what(conn: Connection, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
    """(source, "call" or "lead") -> how many, of those of [since, until)."""
    flagged = type_coerce(t_lead.c.flags, Text).like(f"%{RECOVERED}%")
    of_call = t_lead.c.lead_uid.like("call:%")
    query = (
        select(t_lead.c.source, of_call.label("of_call"), func.count())
        .where(t_lead.c.received_at >= since, t_lead.c.received_at < until, flagged)
        .group_by(t_lead.c.source, of_call)
    )
    return {(row[0], "call" if row[1] else "lead"): row[2] for row in conn.execute(query)}
