"""One worker per source whose vendor can be asked: at any time one process does it, under a lease."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.http import MAY_WRITE
from connectors.links import Dials, Fetches, Link, Listens, Lists, Replies
from jobs.calls.dialling import DialRuns
from jobs.calls.recording_copies import CopyRuns, Library
from jobs.checkpoints import Checkpoint, passed
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.leasing import LeaseKeeper
from jobs.pace import NORMAL, Pace
from jobs.sources.errands import ErrandRuns
from jobs.sources.listening import Listening
from jobs.sources.reconciling import Reconciling
from jobs.talks.conversations import TalkKeeper
from jobs.talks.sending import Sending
from leads import retry
from leads.clock import Clock
from store.db import Database
from store.errands import lease_of
from store.leases import Held


class Part(Protocol):
    """Something that is done while the lease is ours."""

    async def run(self, held: Held) -> None:
        """Until cancelled. Raises LostLease, StoreUnavailable."""
        ...

    def wake(self) -> None: ...

    def try_now(self) -> None: ...


@dataclass(slots=True)
class SourceWorker:
    """Call `run` once; `wake` when something became due; `stop` to hand everything back and return."""

    name: str
    keeper: LeaseKeeper
    parts: list[Part] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        for part in self.parts:
            part.wake()

    def try_now(self) -> None:
        for part in self.parts:
            part.try_now()

    def stop(self) -> None:
        self._stopping.set()
        self.keeper.stop()

    async def run(self) -> None:
        await self.keeper.run(self._own)

    async def _own(self, held: Held) -> None:
        """Ends when told to stop, or with the first error of a part."""
        MAY_WRITE.set(self.keeper.surely_ours)
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(part.run(held)) for part in self.parts]
        tasks.append(asyncio.ensure_future(self._stopping.wait()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def make_workers(
    *,
    sources: dict[str, Source],
    links: dict[str, Link],
    library: Library,
    db: Database,
    clock: Clock,
    intake: IntakeService,
    policy: retry.RetryPolicy,
    hub_id: str,
    talks: TalkKeeper,
    about: Mapping[str, dict[str, Any]],
    told: Callable[[], None],
    checkpoint: Checkpoint = passed,
    pace: Pace = NORMAL,
) -> dict[str, SourceWorker]:
    """Name of the lease -> worker, for each source of whose vendor something is to be asked.

    `about`: source -> what a text may show of it; `told` is called when there is something to tell people.
    """
    workers: dict[str, SourceWorker] = {}
    for name in (one for one in sources if one in links or one in library.rules):
        source, parts = sources[name], list[Part]()
        link: Any = links.get(name)
        if isinstance(link, Fetches):
            parts.append(ErrandRuns(source, link, db, clock, intake, policy, checkpoint, pace))
        if name in library.rules:
            parts.append(CopyRuns(name, library, db, clock, pace))
        if isinstance(link, Dials):
            parts.append(DialRuns(name, link, db, clock, checkpoint, pace))
        if isinstance(link, Replies):
            parts.append(Sending(name, link, db, clock, talks, checkpoint, pace))
        every_s = source.settings.reconcile
        if isinstance(link, Lists) and every_s is not None:
            parts.append(Reconciling(source, link, db, clock, intake, about.get(name, {}), every_s, told))
        if isinstance(link, Listens):
            parts.append(Listening(source, link, db, clock, intake, about.get(name, {}), told))
        if parts:
            lease = lease_of(name)
            workers[lease] = SourceWorker(name, LeaseKeeper(lease, db, clock, pace, hub_id), parts)
    return workers
