"""Leads that a person wants tried again: those that no route took are routed anew."""

from collections.abc import Sequence

from jobs.config.loading import Settings
from jobs.intake.routing import Router
from jobs.intake.service import SPAM_FLAGS
from leads.clock import Clock
from mappings.views import Named
from store import operator, rerouting
from store.db import Database
from store.intake import PlannedDelivery, lead_from_row
from store.operator import Done


def make_router(settings: Settings, clock: Clock) -> Router:
    """The routes of the configuration, without a hub around them."""
    from connectors.registry import SOURCES

    hub = settings.hub.view
    named = {
        name: Named(name, SOURCES[one.type].name, getattr(one.settings, "title", "") or name)
        for name, one in settings.sources.items()
    }
    return Router(settings.routes, named, hub, clock)


async def retry_leads(db: Database, router: Router, clock: Clock, lead_ids: Sequence[str], actor: str) -> Done:
    """Everything of these leads that is owed becomes due. Doing it twice does nothing more.

    `refused` says "unrouted" of a lead that no route takes now either.
    """
    done = await db.write(operator.retry, lead_ids, actor=actor, clock=clock)
    unrouted = [lead_id for lead_id, why in done.refused.items() if why == "unrouted"]
    if not unrouted:
        return done
    rows = await db.read(rerouting.unrouted_among, unrouted)
    for row in rows:
        lead = lead_from_row(row)
        routed = router.route(lead)
        if not routed.connections:
            continue
        state = "held" if SPAM_FLAGS.intersection(lead.flags) else "ready"
        planned = [PlannedDelivery(name, routed.route, state) for name in routed.connections]
        connections = await db.write(rerouting.route_anew, lead.id, planned, actor=actor, clock=clock)
        if connections:
            del done.refused[lead.id]
            done.changed.append(lead.id)
            done.connections.update(connections)
    return done
