"""When sources were last heard of, and what came from each since a moment."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from store.real import is_real
from store.refused_tables import t_refused_request
from store.tables import t_call, t_event, t_lead

LATELY = timedelta(days=35)
"""Looked through first: only sources that were silent for longer cost a look at everything."""

KINDS = ("leads", "calls", "messages", "payments", "notices")


def counts_since(conn: Connection, since: datetime) -> dict[str, dict[str, int]]:
    """Source -> kind -> how many came since; calls and payments are counted once, whatever events they had.

    A notice only names something: a lead to be read at the vendor, a call that somebody analysed.
    """
    event = t_event.c
    fresh = (event.id >= first_id(since), event.received_at >= since)
    lead = select(t_lead.c.source, func.count()).where(t_lead.c.received_at >= since, is_real())
    call = select(t_call.c.source, func.count()).where(t_call.c.received_at >= since)
    message = select(event.source, func.count()).where(*fresh, event.kind == "message")
    payment = select(event.source, func.count(event.key.distinct())).where(*fresh, event.kind == "payment")
    notice = select(event.source, func.count()).where(*fresh, event.kind == "errand")
    found: dict[str, dict[str, int]] = {}
    for kind, query in zip(KINDS, (lead, call, message, payment, notice), strict=True):
        for source, number in conn.execute(query.group_by(query.selected_columns[0])):
            found.setdefault(source, dict.fromkeys(KINDS, 0))[kind] = number
    return found


def last_heard(conn: Connection, sources: Collection[str], now: datetime) -> dict[str, datetime]:
    """Source -> when its last lead or event came; those that nothing ever came from are not in it."""
    found = _last(conn, now - LATELY, None)
    silent = [name for name in sources if name not in found]
    return {**found, **_last(conn, None, silent)} if silent else found


def _last(conn: Connection, since: datetime | None, sources: list[str] | None) -> dict[str, datetime]:
    lead: Any = select(t_lead.c.source, func.max(t_lead.c.received_at, type_=t_lead.c.received_at.type))
    event: Any = select(t_event.c.source, func.max(t_event.c.received_at, type_=t_event.c.received_at.type))
    lead = lead.where(is_real())
    if since is not None:
        lead = lead.where(t_lead.c.received_at >= since)
        event = event.where(t_event.c.id >= first_id(since))
    if sources is not None:
        lead, event = lead.where(t_lead.c.source.in_(sources)), event.where(t_event.c.source.in_(sources))
    found: dict[str, datetime] = {}
    for query in (lead, event):
        for source, at in conn.execute(query.group_by(query.selected_columns[0])):
            found[source] = max(at, found.get(source, at))
    return found


def kept_refused(conn: Connection) -> dict[str, int]:
    """Source -> how many refused requests can be run again."""
    kept = t_refused_request.c
    query = select(kept.source, func.count()).where(kept.rerun_at.is_(None), kept.sealed.is_not(None))
    return {row[0]: row[1] for row in conn.execute(query.group_by(kept.source))}


def let_in_since(conn: Connection, since: datetime) -> dict[str, int]:
    """Source -> how many requests that were refused since then were let in later."""
    kept = t_refused_request.c
    query = select(kept.source, func.count()).where(kept.at >= since, kept.rerun_at.is_not(None))
    return {row[0]: row[1] for row in conn.execute(query.group_by(kept.source))}


def first_id(at: datetime) -> str:
    """What sorts before every id that was made since (leads.ids)."""
    digits = f"{max(0, int(at.timestamp() * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}"
