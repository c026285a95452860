"""Incidents kept in this process only: for what must be told while the database itself is the trouble."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Incident, Observation, Sent, acknowledge, mute, observe, resolve

KEPT = 200


class MemoryIncidents:
    """Keeps `jobs.alerts.delivering.IncidentStore`. After a restart whoever saw the trouble sees it again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.incidents: dict[str, Incident] = {}

    async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
        return [one for one in self.incidents.values() if is_dirty(one, channels)]

    async def mark_sent(self, incident_id: str, channel: str, sent: Sent) -> None:
        if incident_id in self.incidents:
            incident = self.incidents[incident_id]
            self.incidents[incident_id] = replace(incident, sent={**incident.sent, channel: sent})

    async def observe(self, seen: Observation) -> None:
        last = self._newest(seen.key)
        incident = observe(last, seen, self._clock.now(), new_id(self._clock))
        self.incidents[incident.id] = incident
        while len(self.incidents) > KEPT:
            over = (one for one in self.incidents.values() if one.resolved_at is not None)
            oldest = next(over, None)
            if oldest is None:
                return
            del self.incidents[oldest.id]

    async def resolve(self, key: str, data: Mapping[str, Any] | None = None) -> None:
        incident = self._newest(key)
        if incident is not None:
            self.incidents[incident.id] = resolve(incident, self._clock.now(), data)

    async def mute(self, incident_id: str, until: datetime) -> None:
        self.incidents[incident_id] = mute(self.incidents[incident_id], until, self._clock.now())

    async def acknowledge(self, incident_id: str, who: str) -> None:
        self.incidents[incident_id] = acknowledge(self.incidents[incident_id], who, self._clock.now())

    def _newest(self, key: str) -> Incident | None:
        same = [one for one in self.incidents.values() if one.key == key]
        return max(same, key=lambda one: (one.resolved_at is None, one.updated_at), default=None)


def is_dirty(incident: Incident, channels: Collection[str]) -> bool:
    """Open, or over and some channel has not been told so."""
    if incident.resolved_at is None:
        return True
    return any(name not in incident.sent or incident.sent[name].state != "over" for name in channels)
