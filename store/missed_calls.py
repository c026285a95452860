"""Missed calls, and which of them nobody has called back: kept in step with the calls that are stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from leads.callbacks import PastCall, is_missed, missed_of, reaches
from leads.calls import Call
from store.call_tables import t_missed_call
from store.events import KnownCall
from store.tables import t_call, t_lead

LOOKED_BACK = timedelta(days=14)
"""Longer than any row of holidays: until then working time may have to pass before somebody is told."""


@dataclass(frozen=True, slots=True)
class OpenMissed:
    """`route` and `lead_id` are "" when the call made no lead."""

    id: str
    source: str
    client: str
    missed_at: datetime
    line: str
    line_title: str
    lead_id: str
    route: str


# Built once: building a statement costs more than running it.
_PAST = select(t_call.c.id, t_call.c.received_at, t_call.c.data).where(
    t_call.c.client == bindparam("of_client"), t_call.c.received_at > bindparam("since")
)
_MISSED = select(t_missed_call).where(t_missed_call.c.client == bindparam("of_client"))
_NEW = insert(t_missed_call)


def refresh(conn: Connection, calls: Iterable[KnownCall], now: datetime) -> None:
    """After these calls changed: their clients' missed calls are open or closed as all their calls tell."""
    for client in dict.fromkeys(one.call.client for one in calls if _matters(one.call)):
        refresh_client(conn, client, now)


def _matters(call: Call) -> bool:
    return call.client.startswith("+") and (is_missed(call) or reaches(call))


def refresh_client(conn: Connection, client: str, now: datetime) -> None:
    past = []
    for row in conn.execute(_PAST, {"of_client": client, "since": now - LOOKED_BACK}):
        call = Call.from_json(row.data)
        past.append(PastCall(row.id, call.started_at or row.received_at, call))
    wanted = {
        one.id: (one.at, one.closed.at if one.closed else None, one.closed.id if one.closed else "")
        for one in missed_of(past)
    }
    stored = conn.execute(_MISSED, {"of_client": client})
    known = {row.id: (row.missed_at, row.closed_at, row.closed_by) for row in stored}
    for call_id, values in wanted.items():
        changed = dict(zip(("missed_at", "closed_at", "closed_by"), values, strict=True))
        if call_id not in known:
            conn.execute(_NEW, {"id": call_id, "client": client, **changed})
        elif known[call_id] != values:
            conn.execute(update(t_missed_call).where(t_missed_call.c.id == call_id).values(changed))
    looked_at = {one.id for one in past}
    for call_id in known.keys() & looked_at - wanted.keys():  # it was answered after all
        conn.execute(delete(t_missed_call).where(t_missed_call.c.id == call_id))


def open_missed(conn: Connection, now: datetime) -> list[OpenMissed]:
    """Those of the last LOOKED_BACK that nobody has called back, the oldest first."""
    query = (
        select(t_missed_call.c.id, t_missed_call.c.missed_at, t_missed_call.c.client)
        .add_columns(t_call.c.source, t_call.c.data, t_call.c.lead_id, t_lead.c.route)
        .add_columns(t_lead.c.data.label("lead_data"))
        .join(t_call, t_call.c.id == t_missed_call.c.id)
        .outerjoin(t_lead, t_lead.c.id == t_call.c.lead_id)
        .where(t_missed_call.c.closed_at.is_(None), t_missed_call.c.missed_at > now - LOOKED_BACK)
    )
    return [_open(row) for row in conn.execute(query.order_by(t_missed_call.c.missed_at, t_missed_call.c.id))]


def _open(row: Any) -> OpenMissed:
    of_lead = (row.lead_data or {}).get("call") or {}
    return OpenMissed(
        id=row.id,
        source=row.source,
        client=row.client,
        missed_at=row.missed_at,
        line=row.data.get("line", ""),
        line_title=of_lead.get("line_title", ""),
        lead_id=row.lead_id,
        route=row.route or "",
    )


def closing_of(conn: Connection, call_id: str) -> tuple[datetime, str] | None:
    """When and in which direction ("in", "out") somebody talked to the client of this missed call, or tried to."""
    query = (
        select(t_missed_call.c.closed_at, t_call.c.data)
        .join(t_call, t_call.c.id == t_missed_call.c.closed_by)
        .where(t_missed_call.c.id == call_id, t_missed_call.c.closed_at.is_not(None))
    )
    row = conn.execute(query).first()
    return None if row is None else (row.closed_at, row.data.get("direction", ""))
