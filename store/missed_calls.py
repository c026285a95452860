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
from store.follow_ups import owe_closing
from store.prepared import Prepared
from store.tables import t_call, t_delivery, t_lead

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


_PAST = Prepared(
    select(t_call.c.id, t_call.c.received_at, t_call.c.data).where(
        t_call.c.client == bindparam("of_client"), t_call.c.received_at > bindparam("since")
    )
)
_MISSED = Prepared(select(t_missed_call).where(t_missed_call.c.client == bindparam("of_client")))
_NEW = Prepared(insert(t_missed_call))


def refresh(conn: Connection, calls: Iterable[KnownCall], now: datetime) -> list[str]:
    """After these calls changed: their clients' missed calls are open or closed as all their calls tell.

    Returns the connections where something became due.
    """
    clients = dict.fromkeys(one.call.client for one in calls if _matters(one.call))
    return [name for client in clients for name in refresh_client(conn, client, now)]


def _matters(call: Call) -> bool:
    return call.client.startswith("+") and (is_missed(call) or reaches(call))


def refresh_client(conn: Connection, client: str, now: datetime) -> list[str]:
    """As `refresh`."""
    past: dict[str, PastCall] = {}
    for row in _PAST.all(conn, {"of_client": client, "since": now - LOOKED_BACK}):
        call = Call.from_json(row.data)
        past[row.id] = PastCall(row.id, call.started_at or row.received_at, call)
    wanted = {
        one.id: (one.at, one.closed.at if one.closed else None, _id(one.closed), _id(one.talked))
        for one in missed_of(past.values())
    }
    stored = _MISSED.all(conn, {"of_client": client})
    known = {row.id: (row.missed_at, row.closed_at, row.closed_by, row.talked_by) for row in stored}
    due: list[str] = []
    for call_id, values in wanted.items():
        changed = dict(zip(("missed_at", "closed_at", "closed_by", "talked_by"), values, strict=True))
        if call_id not in known:
            _NEW.run(conn, {"id": call_id, "client": client, **changed})
        elif known[call_id] != values:
            conn.execute(update(t_missed_call).where(t_missed_call.c.id == call_id).values(changed))
        if (talked_by := values[-1]) and not (call_id in known and known[call_id][-1]):
            due += owe_closing(conn, call_id, past[talked_by].call, now)
    for call_id in known.keys() & past.keys() - wanted.keys():  # it was answered after all
        conn.execute(delete(t_missed_call).where(t_missed_call.c.id == call_id))
    return due


def _id(call: PastCall | None) -> str:
    return call.id if call else ""


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


_TASKS = Prepared(
    select(t_delivery.c.record_id, t_delivery.c.progress, t_missed_call.c.missed_at)
    .join(t_call, t_call.c.lead_id == t_delivery.c.lead_id)
    .join(t_missed_call, t_missed_call.c.id == t_call.c.id)
    .where(
        t_missed_call.c.client == bindparam("of_client"),
        t_missed_call.c.talked_by == "",
        t_delivery.c.connection == bindparam("at_connection"),
        t_delivery.c.state == "delivered",
    )
    .order_by(t_missed_call.c.missed_at.desc(), t_missed_call.c.id)
)


@dataclass(frozen=True, slots=True)
class CallbackTask:
    """`since`: the first missed call that it is of."""

    id: str
    deal_id: str
    since: datetime


def tasks_of(conn: Connection, connection: str, client: str) -> list[CallbackTask]:
    """Those of this client's missed calls after which nobody talked to him, of the latest call first."""
    found: dict[str, CallbackTask] = {}
    for row in _TASKS.all(conn, {"of_client": client, "at_connection": connection}):
        if task_id := row.progress.get("task", {}).get("id", ""):
            found[task_id] = CallbackTask(task_id, row.record_id, row.missed_at)
    return list(found.values())


def is_waited_for(conn: Connection, connection: str, lead_id: str, task_id: str) -> bool:
    """Whether this task is still to be done for another missed call of the client who made this lead by calling."""
    data = conn.execute(select(t_lead.c.data).where(t_lead.c.id == lead_id)).scalar() or {}
    client = (data.get("call") or {}).get("client", "")
    return any(one.id == task_id for one in tasks_of(conn, connection, client))


def closing_of(conn: Connection, call_id: str) -> tuple[datetime, str] | None:
    """When and in which direction ("in", "out") somebody talked to the client of this missed call, or tried to."""
    query = (
        select(t_missed_call.c.closed_at, t_call.c.data)
        .join(t_call, t_call.c.id == t_missed_call.c.closed_by)
        .where(t_missed_call.c.id == call_id, t_missed_call.c.closed_at.is_not(None))
    )
    row = conn.execute(query).first()
    return None if row is None else (row.closed_at, row.data.get("direction", ""))
