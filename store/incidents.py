"""Incidents as rows. The rules of how they change are in leads.incidents."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from leads import incidents as rules
from leads.incidents import Incident, Observation, Sent
from store.prepared import Prepared
from store.tables import t_incident

KEPT = timedelta(days=90)
LOOKED_BACK = timedelta(days=2)
"""An incident that ended longer ago than this is not told any more, whatever a channel missed."""

# Asked every few seconds.
_OPEN = Prepared(select(t_incident).where(t_incident.c.resolved_at.is_(None)).order_by(t_incident.c.opened_at))
_OPEN_OR_OVER = Prepared(
    select(t_incident).where(
        or_(
            t_incident.c.resolved_at.is_(None),
            t_incident.c.resolved_at > bindparam("since", type_=t_incident.c.resolved_at.type),
        )
    )
)


def list_dirty(conn: Connection, channels: Collection[str], now: datetime) -> list[Incident]:
    """Every open one, and every one that ended lately and is not shown as "over" by each of `channels`."""
    found = [_incident(row) for row in _OPEN_OR_OVER.all(conn, {"since": now - LOOKED_BACK})]
    return [one for one in found if one.resolved_at is None or not _told_everywhere(one, channels)]


def _told_everywhere(incident: Incident, channels: Collection[str]) -> bool:
    return all(name in incident.sent and incident.sent[name].state == "over" for name in channels)


def open_incidents(conn: Connection) -> list[Incident]:
    return [_incident(row) for row in _OPEN.all(conn)]


def recent_incidents(conn: Connection, *, limit: int = 200) -> list[Incident]:
    """Open and over, the newest first."""
    query = select(t_incident).order_by(t_incident.c.opened_at.desc(), t_incident.c.id.desc()).limit(limit)
    return [_incident(row) for row in conn.execute(query)]


def find(conn: Connection, incident_id: str) -> Incident | None:
    row = conn.execute(select(t_incident).where(t_incident.c.id == incident_id)).first()
    return _incident(row) if row else None


def observe(conn: Connection, seen: Observation, now: datetime, new_id: str) -> Incident:
    last = newest(conn, seen.key)
    incident = rules.observe(last, seen, now, new_id)
    if last is None or incident.id != last.id:
        conn.execute(insert(t_incident).values(id=incident.id, **_values(incident)))
    elif incident != last:
        conn.execute(update(t_incident).where(t_incident.c.id == incident.id).values(**_values(incident)))
    return incident


def resolve(conn: Connection, key: str, now: datetime, data: Mapping[str, Any] | None = None) -> bool:
    """Whether one was open."""
    incident = newest(conn, key)
    if incident is None or incident.resolved_at is not None:
        return False
    over = rules.resolve(incident, now, data)
    conn.execute(update(t_incident).where(t_incident.c.id == incident.id).values(**_values(over)))
    return True


def mark_recovered(conn: Connection, key: str, now: datetime) -> bool:
    """The trouble itself is over since now; what waited meanwhile is still on its way. Whether one was open."""
    incident = newest(conn, key)
    if incident is None or incident.resolved_at is not None or incident.recovered_at is not None:
        return False
    data = {**incident.data, rules.RECOVERED: now.isoformat()}
    conn.execute(update(t_incident).where(t_incident.c.id == incident.id).values(data=data))
    return True


_SENT = Prepared(select(t_incident.c.sent).where(t_incident.c.id == bindparam("of_id")))
_NOW_SENT = Prepared(update(t_incident).where(t_incident.c.id == bindparam("of_id")))


def mark_sent(conn: Connection, incident_id: str, channel: str, sent: Sent) -> None:
    kept = _SENT.scalar(conn, {"of_id": incident_id})
    if kept is not None:
        _NOW_SENT.run(conn, {"of_id": incident_id, "sent": {**kept, channel: sent.to_json()}})


def mute(conn: Connection, incident_id: str, until: datetime, now: datetime) -> None:
    _change(conn, incident_id, lambda incident: rules.mute(incident, until, now))


def acknowledge(conn: Connection, incident_id: str, who: str, now: datetime) -> None:
    _change(conn, incident_id, lambda incident: rules.acknowledge(incident, who, now))


def forget_old(conn: Connection, now: datetime) -> int:
    return int(conn.execute(delete(t_incident).where(t_incident.c.resolved_at < now - KEPT)).rowcount)


def _change(conn: Connection, incident_id: str, change: Any) -> None:
    row = conn.execute(select(t_incident).where(t_incident.c.id == incident_id)).first()
    if row is not None:
        changed = change(_incident(row))
        conn.execute(update(t_incident).where(t_incident.c.id == incident_id).values(**_values(changed)))


def newest(conn: Connection, key: str) -> Incident | None:
    """The open one with this key, else the one that ended last."""
    row = _NEWEST.first(conn, {"of_key": key})
    return _incident(row) if row else None


_NEWEST = Prepared(
    select(t_incident)
    .where(t_incident.c.key == bindparam("of_key"))
    .order_by(t_incident.c.resolved_at.is_(None).desc(), t_incident.c.updated_at.desc())
    .limit(1)
)


def _incident(row: Any) -> Incident:
    return Incident(
        id=row.id,
        key=row.key,
        kind=row.kind,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        connection=row.connection,
        cause=row.cause,
        resolved_at=row.resolved_at,
        count=row.count,
        oldest_at=row.oldest_at,
        muted_until=row.muted_until,
        acked_by=row.acked_by,
        sent={channel: Sent.from_json(kept) for channel, kept in row.sent.items()},
        data=row.data,
    )


def _values(incident: Incident) -> dict[str, Any]:
    return {
        "key": incident.key,
        "kind": incident.kind,
        "opened_at": incident.opened_at,
        "updated_at": incident.updated_at,
        "connection": incident.connection,
        "cause": incident.cause,
        "resolved_at": incident.resolved_at,
        "count": incident.count,
        "oldest_at": incident.oldest_at,
        "muted_until": incident.muted_until,
        "acked_by": incident.acked_by,
        "sent": {channel: sent.to_json() for channel, sent in incident.sent.items()},
        "data": dict(incident.data),
    }
