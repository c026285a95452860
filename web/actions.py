"""What a person or a program may do through the web: each change and its audit entry in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from jobs.hub import Hub
from jobs.retrying import retry_leads
from leads.incidents import Incident
from store import errands, incidents, operator
from store.operator import Done

AT_ONCE = 100
"""Leads in one transaction: thousands in one would keep new leads waiting at the door."""


class OverAlready(Exception):
    """The incident has ended meanwhile."""


@dataclass(frozen=True, slots=True)
class Actions:
    """`actor` is `user:LOGIN`, `api:NAME` or `local`. All raise StoreUnavailable."""

    hub: Hub

    async def retry(self, lead_ids: Sequence[str], *, actor: str) -> Done:
        """All that these leads owe becomes due now: held ones are let through, those without a route routed anew."""
        hub, total = self.hub, Done()
        for start in range(0, len(lead_ids), AT_ONCE):
            some = lead_ids[start : start + AT_ONCE]
            done = await retry_leads(hub.db, hub.router, hub.clock, some, actor)
            total.changed += done.changed
            total.refused |= done.refused
            total.connections |= done.connections
        if total.connections:
            hub.try_now(sorted(total.connections))
        return total

    async def retry_all_failed(self, *, actor: str) -> Done:
        return await self.retry(await self.hub.db.read(operator.failed_leads), actor=actor)

    async def discard(self, lead_ids: Sequence[str], *, why: str, actor: str) -> Done:
        hub, total = self.hub, Done()
        for lead_id in lead_ids:

            def work(conn: Connection, lead_id: str = lead_id) -> Done:
                return operator.discard(conn, lead_id, why=why, actor=actor, clock=hub.clock)

            done = await hub.db.write(work)
            total.changed += done.changed
            total.refused |= done.refused
            total.connections |= done.connections
        if total.connections:  # the next lead of the same person may be due
            hub.try_now(sorted(total.connections))
        return total

    async def retry_errands(self, ids: Sequence[str] | None, *, actor: str) -> Done:
        """These are read again now; None: all that were given up."""
        hub = self.hub
        wanted = await hub.db.read(errands.failed_errands) if ids is None else ids
        done = await hub.db.write(errands.retry, wanted, actor=actor, clock=hub.clock)
        hub.try_now(sorted(done.connections))
        return done

    async def discard_errand(self, errand_id: str, *, why: str, actor: str) -> Done:
        hub = self.hub
        return await hub.db.write(errands.discard, [errand_id], why=why, actor=actor, clock=hub.clock)

    async def acknowledge(self, incident_id: str, *, who: str, actor: str) -> Incident | None:
        """None when there is no such incident. Raises OverAlready."""
        now = self.hub.clock.now()

        def change(conn: Connection) -> None:
            incidents.acknowledge(conn, incident_id, who, now)

        return await self._incident(incident_id, change, actor=actor, action="incident.ack")

    async def mute(self, incident_id: str, minutes: int, *, actor: str) -> Incident | None:
        """Nothing rings for so long; 0 ends it. None when there is no such incident. Raises OverAlready."""
        now = self.hub.clock.now()
        until = now + timedelta(minutes=minutes)

        def change(conn: Connection) -> None:
            incidents.mute(conn, incident_id, until, now)

        why = f"{minutes} min"
        return await self._incident(incident_id, change, actor=actor, action="incident.mute", why=why)

    async def _incident(
        self, incident_id: str, change: Callable[[Connection], None], *, actor: str, action: str, why: str = ""
    ) -> Incident | None:
        clock = self.hub.clock

        def work(conn: Connection) -> Incident | None:
            found = incidents.find(conn, incident_id)
            if found is None:
                return None
            if found.resolved_at is not None:
                raise OverAlready
            change(conn)
            operator.record_action(conn, clock, actor=actor, action=action, subject=incident_id, why=why)
            return incidents.find(conn, incident_id)

        changed = await self.hub.db.write(work)
        if changed is not None:
            self.hub.incidents.changed()
        return changed
