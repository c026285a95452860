"""How passes went, as incidents: what waits for a person, and what does not run."""

from dataclasses import dataclass

from jobs.alerts.incidents import StoredIncidents
from leads.incidents import Observation, incident_key


@dataclass(frozen=True, slots=True)
class SyncReporter:
    """Keeps `jobs.sync.service.Report`."""

    incidents: StoredIncidents

    async def ended(self, sync: str, state: str, error: str, touched: int) -> None:
        """A pass of `sync` ended; `touched`: what it would have done to how many records, had the brake not held."""
        for kind, ended in (("sync_braked", "braked"), ("sync_failed", "failed")):
            if state == ended:
                data = {"title": sync, "path": "/syncs"}
                await self.incidents.observe(Observation(kind, sync, error, touched, None, data))
            elif state in ("done", "braked", "failed"):
                await self.incidents.resolve(incident_key(kind, sync))
