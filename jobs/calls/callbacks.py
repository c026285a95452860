"""Missed calls that nobody has called back in time -> one incident for each person who waits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from jobs.alerts.incidents import StoredIncidents
from jobs.intake.routing import Router
from leads.clock import Clock
from leads.hours import Schedule, add_working_minutes, schedule_of
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import incidents as rows
from store import missed_calls
from store.db import Database
from store.missed_calls import OpenMissed

KIND = "not_called_back"
TAIL_DIGITS = 4


@dataclass(slots=True)
class CallbackWatch:
    """`look` is called again and again, by one process. May raise StoreUnavailable.

    `alert_after`: source -> working time after which somebody is told; a source that is not there tells nobody.
    """

    db: Database
    clock: Clock
    incidents: StoredIncidents
    router: Router
    timezone: str
    titles: Mapping[str, str]
    alert_after: Mapping[str, timedelta]
    waiting: int = 0
    """How many people wait longer than they should, at the last look."""
    _due: dict[str, datetime] = field(default_factory=dict)
    """Call -> when to tell of it: working time is reckoned once."""
    _schedules: dict[str, Schedule | None] = field(default_factory=dict)

    async def look(self) -> None:
        if not self.alert_after:
            return
        now = self.clock.now()
        open_now = await self.db.read(missed_calls.open_missed, now)
        watched = [one for one in open_now if one.source in self.alert_after]
        self._due = {one.id: self._due.get(one.id) or self._due_at(one) for one in watched}
        late = [calls for calls in _by_client(watched) if self._due[calls[0].id] <= now]
        self.waiting = len(late)
        if await self.db.write(self._tell, late, now):
            self.incidents.changed()

    def _due_at(self, one: OpenMissed) -> datetime:
        if one.route not in self._schedules:
            route = self.router.named(one.route)
            hours = route.settings.assign.hours if route is not None and route.settings.assign else None
            self._schedules[one.route] = schedule_of(hours, self.timezone) if hours else None
        minutes = self.alert_after[one.source].total_seconds() / 60
        return add_working_minutes(self._schedules[one.route], one.missed_at, minutes)

    def _tell(self, conn: Connection, late: Iterable[list[OpenMissed]], now: datetime) -> bool:
        told = {one.key: one for one in rows.open_incidents(conn) if one.kind == KIND}
        kept = set()
        changed = False
        fresh = [calls for calls in late if incident_key(KIND, calls[0].id) not in told]
        if fresh:  # two events that were stored in the same moment may not have seen each other
            for calls in fresh:
                missed_calls.refresh_client(conn, calls[0].client, now)
            still_open = {one.id for one in missed_calls.open_missed(conn, now)}
            late = [calls for calls in late if calls[0].id in still_open]
        for calls in late:
            seen = self._seen(calls)
            kept.add(seen.key)
            before = told.get(seen.key)
            changed |= rows.observe(conn, seen, now, new_id(self.clock)) != before
        for key in told.keys() - kept:
            changed |= rows.resolve(conn, key, now, _ending(conn, told[key]))
        return changed

    def _seen(self, calls: list[OpenMissed]) -> Observation:
        first = calls[0]
        data: dict[str, Any] = {
            "title": self.titles.get(first.source, first.source),
            "line": first.line_title or first.line,
            "tail": first.client[-TAIL_DIGITS:],
            "missed_at": first.missed_at.isoformat(),
            "lead_id": first.lead_id,
            "path": f"/leads/{first.lead_id}" if first.lead_id else "/",
            "leads": [{"phone": first.client, "received_at": first.missed_at.isoformat()}],
        }
        return Observation(KIND, first.id, "", len(calls), first.missed_at, data)


def _by_client(calls: Iterable[OpenMissed]) -> list[list[OpenMissed]]:
    """Those of one person together, the oldest first."""
    found: dict[str, list[OpenMissed]] = {}
    for one in calls:
        found.setdefault(one.client, []).append(one)
    return list(found.values())


def _ending(conn: Connection, incident: Incident) -> dict[str, Any]:
    closed = missed_calls.closing_of(conn, incident.connection)
    if closed is None:
        return {"gave_up": True}
    return {"closed_at": closed[0].isoformat(), "by": closed[1]}
