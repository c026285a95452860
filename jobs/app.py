"""Builds the hub from its configuration, once, and runs it by role."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import httpx

from connectors.base import Connector, Opening, Target
from connectors.links import Link
from connectors.paying import payment_rules
from connectors.registry import CONNECTORS, SOURCES
from jobs import alerting, wakeups, watch
from jobs.alert_channel import ChannelState
from jobs.alert_digest import digest_observation
from jobs.alert_setup import button_listeners
from jobs.alerts import Alerts
from jobs.call_setup import callback_watch, copies_by_source, lines_by_source, recordings_of, rules_by_source
from jobs.callbacks import CallbackWatch
from jobs.checkpoints import Checkpoint, passed
from jobs.config import Settings
from jobs.conversations import TalkKeeper, talks_by_source
from jobs.deal_notes import DealNotes
from jobs.describing import about_connection, about_source
from jobs.digest import day_digest, yesterday
from jobs.follow_ups import ConnectionFollowUps
from jobs.gathering import Gathering
from jobs.heartbeat import Heartbeat
from jobs.incidents import IncidentReporter, StoredIncidents
from jobs.intake import IntakeService, Source
from jobs.leasing import LeaseKeeper
from jobs.links import close_links, open_links
from jobs.masking import Masks
from jobs.metadata import MetadataCache
from jobs.note_writer import NoteWriter
from jobs.owner import ConnectionOwner
from jobs.pace import NORMAL, Pace
from jobs.planning import Planning
from jobs.recording_copies import Library, open_library
from jobs.refusing import Refusals
from jobs.route_mappings import mappings_by_route
from jobs.routing import Router
from jobs.secret import secret_keys
from jobs.silence import SilenceWatch, silence_watch
from jobs.source_worker import SourceWorker, make_workers
from jobs.sync.making import make_syncs
from jobs.sync.opening import Opened
from jobs.sync.service import Hints, SyncService, lease_of
from jobs.sync.telling import SyncReporter
from jobs.timetable import daily
from leads.clock import Clock
from leads.ids import new_id
from leads.retry import RetryPolicy
from mappings.views import Named
from store.db import Database
from store.leases import Held
from store.sealing import Sealer
from store.spool import Spool
from store.tokens import StoredTokens

RESTART_S = 1.0
log = logging.getLogger(__name__)
ROLES = ("web", "worker", "scheduler")
ALERTS_SILENT_S = 900.0
"""One pause that a messenger asks for may last long; longer than this the alert loop is believed dead."""
Transport = Callable[[str], httpx.AsyncBaseTransport | None]


def no_transport(vendor: str) -> None:
    """The network itself."""


@dataclass(slots=True)
class Connection:
    """One open CRM account and who works on it."""

    name: str
    connector: Connector
    target: Target
    metadata: MetadataCache
    owner: ConnectionOwner

    def opened(self, settings: Settings) -> Opened:
        return Opened(self.name, self.connector, self.target, settings.connections[self.name].settings)


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
                self._start("wake-ups", partial(wakeups.listen, self.settings.database_url, self.wake, self.clock))
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
            await asyncio.wait(owners, timeout=12.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self.connections.values():
            await connection.metadata.close()
            await connection.target.close()
        await close_links(self.links)
        await self.library.close()
        for state in self.channels:
            await state.channel.close()
        self.spool.close()
        await self.db.close()


def build_hub(
    settings: Settings,
    *,
    clock: Clock,
    db: Database,
    transport: Transport = no_transport,
    checkpoint: Checkpoint = passed,
    inline_spool: bool = False,
    pace: Pace = NORMAL,
    crms: Mapping[str, Connector] = CONNECTORS,
) -> Hub:
    """Opens everything, starts nothing. `transport` gives, by vendor's name, what to use instead of the network."""
    sealer = Sealer(secret_keys(settings))
    masks = Masks(settings)
    hub_view = settings.hub.view
    sources = {
        name: Source(name, SOURCES[one.type], one.settings)  # type: ignore[arg-type]  # a door's settings are DoorSettings
        for name, one in settings.sources.items()
    }
    named = {name: Named(name, source.door.name, source.settings.title or name) for name, source in sources.items()}
    calls = rules_by_source(sources)
    region = settings.hub.default_region or ""
    talks = talks_by_source({name: source.settings for name, source in sources.items()}, named, hub_view)
    router = Router(settings.routes, named, hub_view, clock)
    spool = Spool(settings.hub.spool_dir, clock, inline=inline_spool)
    channels = alerting.open_channels(settings, clock, transport)
    incidents = StoredIncidents(db, clock)
    alerts = Alerts(incidents, channels, clock, idle_s=pace.alerts_s)
    incidents.changed = alerts.wake
    about = {name: about_connection(name, settings) for name in settings.connections}
    reporter = IncidentReporter(incidents, db, clock, about)
    hub_id = new_id(clock)
    connections: dict[str, Connection] = {}

    def wake(names: tuple[str, ...]) -> None:
        if names:
            hub.wake(names)

    for name, configured in settings.connections.items():
        connector = crms[configured.type]
        tokens = StoredTokens(db, sealer, name, clock, checkpoint)
        target = connector.open(Opening(name, configured.settings, clock, tokens, transport(configured.type)))
        metadata = MetadataCache(target, clock, name)
        capabilities = connector.capabilities(configured.settings)
        planning = Planning(
            db=db,
            clock=clock,
            router=router,
            hub=hub_view,
            connection=Named(name, connector.title, name),
            sources=named,
            mappings=mappings_by_route(settings, router, name, configured.type),
            metadata=metadata,
            calls=calls,
            creates=frozenset(capabilities.creates),
        )
        policy = RetryPolicy(max_age=settings.hub.max_age)
        owner = ConnectionOwner(
            name=name,
            target=target,
            capabilities=capabilities,
            db=db,
            clock=clock,
            planner=planning.plan,
            reporter=reporter,
            policy=policy,
            checkpoint=checkpoint,
            hub_id=hub_id,
            pace=pace,
            follow_ups=ConnectionFollowUps(name, target, db, clock, capabilities, planning.plan, metadata),
            notes=NoteWriter(
                name, target, db, clock, capabilities, policy, checkpoint, metadata, lambda: intake.renewal, wake
            ),
            on_owned=metadata.warm,
            on_fields_refused=metadata.expire,
        )
        connections[name] = Connection(name, connector, target, metadata, owner)

    links = open_links(settings, clock, region, transport)
    library = open_library(copies_by_source(sources), links, db, clock, settings.base_dir, transport)
    intake = IntakeService(
        sources=sources,
        router=router,
        db=db,
        spool=spool,
        clock=clock,
        region=region,
        wake=wake,
        orphans=SOURCES["webform"],
        lines=lines_by_source(sources, region),
        recorded=recordings_of(settings.hub, clock, links, library.rules),
        talks=talks,
        notes=DealNotes(
            clock,
            {name: one.title for name, one in named.items()},
            payment_rules({name: source.settings for name, source in sources.items()}),
            settings.hub.locale,
            settings.hub.zone,
        ),
        refusals=Refusals(db, clock, sealer, masks, settings.hub.zone),
        checkpoint=checkpoint,
    )
    about_sources = {name: about_source(source, named[name]) for name, source in sources.items()}
    fallback = settings.hub.fallback
    hub = Hub(
        settings=settings,
        clock=clock,
        db=db,
        sealer=sealer,
        spool=spool,
        intake=intake,
        router=router,
        masks=masks,
        connections=connections,
        channels=channels,
        incidents=incidents,
        alerts=alerts,
        watch=watch.Watch(
            db=db,
            clock=clock,
            incidents=incidents,
            connections=about,
            late_after=settings.hub.late_after,
            wake=wake,
            fallback_after=fallback.after if fallback else None,
            fallback_channels=alerting.by_name(channels, fallback.to) if fallback else {},
            local=alerts.local,
            spool=spool,
            sources=about_sources,
            syncs=settings.syncs,
        ),
        library=library,
        callbacks=callback_watch(sources, db, clock, incidents, router, settings.hub.timezone),
        scheduler=LeaseKeeper("scheduler", db, clock, pace, hub_id),
        links=links,
        silence=silence_watch(sources, about_sources, db, clock, settings.hub.zone, alerts.wake),
        workers=make_workers(
            sources=sources,
            links=links,
            library=library,
            db=db,
            clock=clock,
            intake=intake,
            policy=RetryPolicy(max_age=settings.hub.max_age),
            hub_id=hub_id,
            talks=TalkKeeper(clock, talks),
            about=about_sources,
            told=alerts.wake,
            checkpoint=checkpoint,
            pace=pace,
        ),
        gathering=Gathering(db, clock, settings, wake),
        syncs=make_syncs(
            settings,
            lambda name: connections[name].opened(settings),
            db,
            clock,
            pace=pace,
            hub_id=hub_id,
            report=SyncReporter(incidents).ended,
        ),
        pace=pace,
    )
    return hub
