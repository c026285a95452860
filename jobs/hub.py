"""Everything that runs, by role, until it is stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from connectors.base import Connector, Target
from connectors.links import Link
from jobs import wakeups, watch
from jobs.alerts.channel import ChannelState
from jobs.alerts.delivering import Alerts
from jobs.alerts.digest import day_digest, yesterday
from jobs.alerts.digest_text import digest_observation
from jobs.alerts.heartbeat import Heartbeat
from jobs.alerts.incidents import StoredIncidents
from jobs.alerts.setup import button_listeners
from jobs.calls.callbacks import CallbackWatch
from jobs.calls.recording_copies import Library
from jobs.config.loading import Settings
from jobs.delivery.owner import ConnectionOwner
from jobs.intake.routing import Router
from jobs.intake.service import IntakeService
from jobs.leasing import LeaseKeeper
from jobs.metadata import MetadataCache
from jobs.pace import NORMAL, Pace
from jobs.sources.links import close_links
from jobs.sources.masking import Masks
from jobs.sources.silence import SilenceWatch
from jobs.sources.worker import SourceWorker
from jobs.sync.making import Shared
from jobs.sync.opening import Opened
from jobs.sync.service import Hints, SyncService, lease_of
from jobs.talks.gathering import Gathering
from jobs.timetable import daily
from leads.clock import Clock
from store.db import CLOSE_S, Database
from store.leases import Held
from store.sealing import Sealer
from store.spool import Spool

RESTART_S = 1.0
HAND_BACK_S = 9.0  # for what is in flight: with GRACE_S of requests before it well below 15 s
log = logging.getLogger(__name__)
ROLES = ("web", "worker", "scheduler")
ALERTS_SILENT_S = 900.0
"""One pause that a messenger asks for may last long; longer than this the alert loop is believed dead."""


@dataclass(slots=True)
class Connection:
    """One open CRM account and who works on it."""

    name: str
    connector: Connector
    target: Target
    metadata: MetadataCache
    owner: ConnectionOwner

    def opened(self, settings: Settings) -> Opened:
        own = settings.connections[self.name].settings
        return Shared(self.name, self.connector, self.target, own, self.metadata)


@dataclass(slots=True)
class Hub:
    """Everything that runs. Build with `build_hub`; `run` until cancelled or stopped."""

    settings: Settings
    clock: Clock
    db: Database
    sealer: Sealer
    spool: Spool
    intake: IntakeService
    router: Router
    masks: Masks
    connections: dict[str, Connection]
    channels: list[ChannelState]
    incidents: StoredIncidents
    alerts: Alerts
    watch: watch.Watch
    callbacks: CallbackWatch
    library: Library
    scheduler: LeaseKeeper
    links: dict[str, Link]
    """Source -> what its vendor can be asked for."""
    gathering: Gathering
    silence: SilenceWatch
    workers: dict[str, SourceWorker]
    """By the name of the lease, under which each is woken as well."""
    syncs: dict[str, SyncService] = field(default_factory=dict)
    """By the name of the lease."""
    hints: Hints = field(init=False)
    pace: Pace = NORMAL
    listens: bool = False
    """Whether other processes' wake-ups are listened to."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hints = Hints(self.settings.syncs, self.db, lambda name: self.wake([lease_of(name)]))

    def start(self, roles: Collection[str] = ROLES) -> None:
        """Starts the work of these roles; the web server itself is started by whoever serves."""
        again = partial(watch.again_and_again, clock=self.clock)
        if "web" in roles:
            self._start("spool", partial(watch.drain_spool, self.intake, self.spool, self.clock))
            self._start("spool alert", partial(again, self.watch.mind_the_spool, self.pace.clock_s, name="spool"))
            self._start("inbox", partial(self.intake.inbox.run, self.pace.idle_s))
        if "worker" in roles:
            for connection in self.connections.values():
                self._start(f"owner {connection.name}", connection.owner.run)
            for worker in self.workers.values():
                self._start(f"source {worker.name}", worker.run)
            for sync in self.syncs.values():
                self._start(f"sync {sync.name}", sync.run)
            if self.listens:
                url = self.settings.database_url
                self._start("wake-ups", partial(wakeups.listen, url, self.wake, self.clock, self.db.wrote))
        if "scheduler" in roles:
            self._start("scheduler", partial(self.scheduler.run, self._schedule))
        self._start("clock", partial(again, self.watch.mind_the_clock, self.pace.clock_s, name="clock"))

    async def _schedule(self, _held: Held) -> None:
        """What exactly one process does: alerts and looks."""
        again = partial(watch.again_and_again, clock=self.clock)
        await self.watch.started()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.alerts.run())
            group.create_task(again(self.watch.look, self.pace.look_s, name="late"))
            group.create_task(again(self.intake.judge_calls, self.pace.look_s, name="calls"))
            group.create_task(again(self.gathering.run, self.pace.look_s, name="conversations"))
            group.create_task(again(self.callbacks.look, self.pace.look_s, name="callbacks"))
            group.create_task(again(self.intake.match_waiting, self.pace.look_s, name="waiting"))
            group.create_task(again(self.silence.look, self.pace.look_s, name="silence"))
            group.create_task(again(self.watch.mend, self.pace.mend_s, name="mend"))
            group.create_task(again(self.watch.tidy, self.pace.tidy_s, name="tidy"))
            group.create_task(again(self.watch.fall_back, self.pace.look_s, name="fallback"))
            for listener in button_listeners(self.alerts, self.clock):
                group.create_task(listener.run())
            if (at := self.settings.alerts.digest_at) is not None:
                group.create_task(daily(at, self.settings.hub.zone, self.tell_the_owner, self.clock))
            if self.settings.alerts.heartbeat_url is not None:
                heartbeat = Heartbeat(self.settings.alerts.heartbeat_url, self._well, self.clock)
                group.create_task(heartbeat.run())

    async def tell_the_owner(self) -> None:
        """Yesterday in a few lines, to the channels that want it; once per day, however often it is asked."""
        zone = self.settings.hub.zone
        today = self.clock.now().astimezone(zone).date()
        digest = await self.db.read(day_digest, yesterday(today), zone, self.watch.sources)
        styles = {state.style.locale: state.style for state in self.channels}
        await self.incidents.observe(digest_observation(digest, today, styles))

    def _well(self) -> bool:
        """Whether the dead man's switch may be told that all is well: the alert loops turn."""
        return not self.channels or self.clock.monotonic() - self.alerts.round_at < ALERTS_SILENT_S

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._keep_going(name, work), name=name))

    async def _keep_going(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A fault of ours that ends a part must not end it for good: nobody would notice before leads are late."""
        while True:
            try:
                await work()
                return
            except Exception:
                log.critical("a part of the hub died", exc_info=True, extra={"event": "hub.part_died", "part": name})
            await self.clock.sleep(RESTART_S)

    def wake(self, names: Collection[str]) -> None:
        """Something of these connections, workers of sources and syncs became due; of any, when none is named."""
        for name in names or (*self.connections, *self.workers):
            if (connection := self.connections.get(name)) is not None:
                connection.owner.wake()
            elif (part := self.workers.get(name) or self.syncs.get(name)) is not None:
                part.wake()

    def try_now(self, names: Collection[str]) -> None:
        """A person wants these connections and sources tried at once, whatever was said of them before."""
        for name in names:
            if (connection := self.connections.get(name)) is not None:
                connection.owner.try_now()
            elif (worker := self.workers.get(name)) is not None:
                worker.try_now()

    async def stop(self) -> None:
        """Finishes or hands back what is in flight, then closes everything."""
        owners = [task for task in self._tasks if task.get_name().startswith(("owner ", "source ", "sync "))]
        self.scheduler.stop()
        for worker in self.workers.values():
            worker.stop()
        for sync in self.syncs.values():
            sync.stop()
        for connection in self.connections.values():
            connection.owner.stop()
        if owners:
            await asyncio.wait(owners, timeout=HAND_BACK_S)
        for task in self._tasks:
            task.cancel()
        ended = asyncio.gather(*self._tasks, return_exceptions=True)  # leases are handed back
        while not (await asyncio.wait([ended], timeout=CLOSE_S))[0]:
            await self.db.give_up()
        for connection in self.connections.values():
            await connection.metadata.close()
            await connection.target.close()
        await close_links(self.links)
        await self.library.close()
        for state in self.channels:
            await state.channel.close()
        self.spool.close()
        await self.db.close()
