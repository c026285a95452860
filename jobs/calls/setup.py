"""What the sources of calls say in config.yaml, made ready for who needs it."""

from collections.abc import Mapping
from datetime import timedelta

from connectors.links import Link, Records
from connectors.pbx import CopySettings, PbxSettings, lines_of
from jobs.alerts.incidents import StoredIncidents
from jobs.calls.callbacks import CallbackWatch
from jobs.calls.recordings import Recordings
from jobs.config.models import Hub
from jobs.delivery.planning import CallRules
from jobs.intake.routing import Router
from jobs.intake.source import Source
from leads.clock import Clock
from leads.lines import Lines
from store.db import Database


def settings_by_source(sources: Mapping[str, Source]) -> dict[str, PbxSettings]:
    """Those of sources of calls."""
    return {name: one.settings for name, one in sources.items() if isinstance(one.settings, PbxSettings)}


def rules_by_source(sources: Mapping[str, Source]) -> dict[str, CallRules]:
    return {
        name: CallRules(settings.extensions, timedelta(seconds=settings.callback_within))
        for name, settings in settings_by_source(sources).items()
    }


def lines_by_source(sources: Mapping[str, Source], region: str) -> dict[str, Lines]:
    """`region`: the hub's."""
    return {name: lines_of(settings, region) for name, settings in settings_by_source(sources).items()}


def copies_by_source(sources: Mapping[str, Source]) -> dict[str, CopySettings]:
    """Of the sources whose recordings are copied."""
    found = settings_by_source(sources)
    return {name: settings.recordings for name, settings in found.items() if settings.recordings is not None}


def recordings_of(hub: Hub, clock: Clock, links: Mapping[str, Link], copies: Mapping[str, CopySettings]) -> Recordings:
    fetchable = frozenset(name for name, link in links.items() if isinstance(link, Records))
    perishable = frozenset(name for name in fetchable if getattr(links[name], "addresses_run_out", False))
    after_s = {name: settings.after for name, settings in copies.items()}
    return Recordings(clock, hub.locale, hub.zone, str(hub.public_url or ""), fetchable, after_s, perishable)


def callback_watch(
    sources: Mapping[str, Source], db: Database, clock: Clock, incidents: StoredIncidents, router: Router, timezone: str
) -> CallbackWatch:
    return CallbackWatch(
        db=db,
        clock=clock,
        incidents=incidents,
        router=router,
        timezone=timezone,
        titles={name: source.settings.title or name for name, source in sources.items()},
        alert_after={
            name: timedelta(seconds=settings.callback_alert_after)
            for name, settings in settings_by_source(sources).items()
            if settings.callback_alert_after is not None
        },
    )
