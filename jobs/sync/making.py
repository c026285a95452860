"""The syncs of a hub, on the connections that are open already."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from connectors.base import Metadata
from jobs.config.loading import Settings
from jobs.metadata import MetadataCache
from jobs.opening import patiently
from jobs.pace import Pace
from jobs.sync.model import Sync
from jobs.sync.opening import Opened, open_sync
from jobs.sync.service import Report, SyncService, lease_of
from leads.clock import Clock
from store.db import Database


@dataclass(frozen=True, slots=True)
class Shared(Opened):
    """A connection of the hub: syncs that begin together read its account once."""

    cache: MetadataCache

    async def metadata(self) -> Metadata:
        return await self.cache.read_anew()


def make_syncs(
    settings: Settings,
    opened: Callable[[str], Opened],
    db: Database,
    clock: Clock,
    *,
    pace: Pace,
    hub_id: str,
    report: Report,
) -> dict[str, SyncService]:
    """By the name of the lease. `opened`: an open connection by name; its limiter lets fresh leads go first."""
    return {
        lease_of(name): SyncService(
            name,
            sync,
            db,
            clock,
            partial(_open, settings, opened, name, clock),
            pace=pace,
            hub_id=hub_id,
            report=report,
        )
        for name, sync in settings.syncs.items()
    }


async def _open(settings: Settings, opened: Callable[[str], Opened], name: str, clock: Clock) -> Sync:
    wanted = settings.syncs[name]
    ends = {one: opened(one) for one in (wanted.left, wanted.right)}
    return await patiently(lambda: open_sync(settings, name, ends), clock)
