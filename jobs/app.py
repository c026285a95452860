"""Builds the hub from its configuration, once."""

from collections.abc import Mapping

from connectors.base import Connector, Opening
from connectors.paying import payment_rules
from connectors.registry import CONNECTORS, SOURCES
from jobs import watch
from jobs.alerts import opening as alerting
from jobs.alerts.delivering import Alerts
from jobs.alerts.incidents import IncidentReporter, StoredIncidents
from jobs.calls.recording_copies import open_library
from jobs.calls.setup import callback_watch, copies_by_source, lines_by_source, recordings_of, rules_by_source
from jobs.checkpoints import Checkpoint, passed
from jobs.config.loading import Settings
from jobs.delivery.account import address_of
from jobs.delivery.follow_ups import ConnectionFollowUps
from jobs.delivery.owner import ConnectionOwner
from jobs.delivery.planning import Planning
from jobs.describing import about_connection, about_source
from jobs.hub import Connection, Hub
from jobs.intake.routing import Router
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.leasing import LeaseKeeper
from jobs.metadata import MetadataCache
from jobs.opening import Transport, no_transport
from jobs.pace import NORMAL, Pace
from jobs.route_mappings import mappings_by_route
from jobs.secret import secret_keys
from jobs.sources.links import open_links
from jobs.sources.masking import Masks
from jobs.sources.refusing import Refusals
from jobs.sources.silence import silence_watch
from jobs.sources.worker import make_workers
from jobs.sync.making import make_syncs
from jobs.sync.telling import SyncReporter
from jobs.talks.conversations import TalkKeeper, talks_by_source
from jobs.talks.deal_notes import DealNotes
from jobs.talks.gathering import Gathering
from jobs.talks.note_writer import NoteWriter
from jobs.talks.tie_notes import TieNotes
from leads.clock import Clock
from leads.ids import new_id
from leads.retry import RetryPolicy
from mappings.views import Named
from store.db import Database
from store.sealing import Sealer
from store.spool import Spool
from store.tokens import StoredTokens


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
    """Opens everything, starts nothing."""
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
            address=address_of(configured.settings),
            follow_ups=ConnectionFollowUps(
                name,
                target,
                db,
                clock,
                capabilities,
                planning.plan,
                metadata,
                connector.records(target) if connector.records else None,
                settings.hub.locale,
                settings.hub.zone,
            ),
            notes=NoteWriter(
                name, target, db, clock, capabilities, policy, checkpoint, metadata, lambda: intake.renewal, wake
            ),
            on_owned=metadata.warm,
            on_fields_refused=metadata.expire,
        )
        connections[name] = Connection(name, connector, target, metadata, owner)

    urls = {name: one.target.record_url for name, one in connections.items()}
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
        tell_tie=TieNotes(clock, urls, settings.hub.locale).tell,
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
