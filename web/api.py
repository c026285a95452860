"""`/api/v1`: the same answers as the command line and the console, for programs."""

import asyncio
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query
from pydantic import AfterValidator

from jobs import reports
from jobs.alerts.parts import text_of
from jobs.alerts.texts import render
from jobs.alerts.words import Style
from jobs.hub import Hub
from jobs.intake.spooled import spooled_leads
from leads.incidents import Incident
from store import incidents, reading
from store.operator import Done
from store.reading import LeadFilter
from web import api_models as shapes
from web.access import TokenGate
from web.actions import Actions, OverAlready
from web.api_calls import add_calls
from web.api_conversations import add_conversations
from web.api_errands import add_errands
from web.api_sources import add_sources
from web.api_syncs import add_syncs
from web.plain import plain_text
from web.recordings import add_recordings
from web.search import find_phone

PREFIX = "/api/v1"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": shapes.Problem, "description": "The request cannot be read"},
    401: {"model": shapes.Problem, "description": "No token, or one that is not known"},
    413: {"model": shapes.Problem, "description": "The request is too large"},
    422: {"model": shapes.Problem, "description": "Something in the request is not allowed"},
    503: {"model": shapes.Problem, "description": "The database is not available now"},
}
NO_LEAD: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Problem, "description": "There is no such lead"}}
NO_INCIDENT: dict[int | str, dict[str, Any]] = {
    404: {"model": shapes.Problem, "description": "There is no such incident"}
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": shapes.Problem, "description": "Nothing can be done now; the reason is in `error`"}
}
LAST_DAY = date(9999, 12, 30)


LeadId = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]


def make_api(hub: Hub) -> APIRouter:
    """All routes; each asks for a token."""
    gate = TokenGate(hub)
    actions = Actions(hub)
    api = APIRouter(prefix=PREFIX, responses=PROBLEMS, dependencies=[Depends(gate)])
    Caller = Annotated[str, Depends(gate)]  # a type

    @api.get("/status", tags=["status"])
    async def status(asked: Annotated[shapes.StatusAsked, Query()]) -> shapes.Status:
        """How many leads did not arrive?"""
        now, zone = hub.clock.now(), hub.settings.hub.zone
        wanted = min(asked.day or now.astimezone(zone).date(), LAST_DAY)
        spooled = await asyncio.to_thread(spooled_leads, hub.settings.hub.spool_dir)
        names = list(hub.connections)
        found = await hub.db.read(reports.day_status, wanted, zone, names, now, spooled)
        return shapes.Status.model_validate(found.to_json())

    @api.get("/leads", tags=["leads"])
    async def list_leads(asked: Annotated[shapes.LeadsAsked, Query()]) -> shapes.Leads:
        """Newest first."""
        since, until = (
            reports.day_window(min(asked.day, LAST_DAY), hub.settings.hub.zone) if asked.day else (None, None)
        )
        wanted = LeadFilter(
            since=since,
            until=until,
            source=asked.source,
            connection=asked.connection,
            status=asked.status or "",
            text=asked.q.strip(),
            phone=find_phone(asked.q, hub.settings.hub.default_region),
            flag=asked.flag,
        )
        limit = asked.limit
        ask = partial(reports.list_leads, wanted=wanted, limit=limit + 1, before=asked.before)
        found = await hub.db.read(ask)
        page = found[:limit]
        more = page[-1]["id"] if len(found) > limit else None
        return shapes.Leads.model_validate({"leads": page, "next_before": more})

    @api.get("/leads/{lead_id}", tags=["leads"], responses=NO_LEAD, response_model_exclude_unset=True)
    async def lead(lead_id: LeadId) -> shapes.Story:
        """The whole story of one lead."""
        found = await hub.db.read(reading.story, lead_id)
        if found is None:
            raise HTTPException(404, "no such lead")
        return shapes.Story.model_validate(reports.story_json(found, hub.masks))

    @api.post("/leads/retry", tags=["leads"])
    async def retry_many(
        wanted: Annotated[shapes.RetrySome | shapes.RetryAllFailed, Body()], caller: Caller
    ) -> shapes.Changed:
        """Everything that these leads, or all failed ones, owe becomes due now. Twice does nothing more."""
        actor = f"api:{caller}"
        if isinstance(wanted, shapes.RetryAllFailed):
            return _changed(await actions.retry_all_failed(actor=actor))
        return _changed(await actions.retry(list(dict.fromkeys(wanted.ids)), actor=actor))

    @api.post("/leads/{lead_id}/retry", tags=["leads"], responses={**NO_LEAD, **CONFLICT})
    async def retry(lead_id: LeadId, caller: Caller) -> shapes.Changed:
        """Everything that this lead owes becomes due now; one held as spam is let through."""
        return _one(await actions.retry([lead_id], actor=f"api:{caller}"), lead_id)

    @api.post("/leads/{lead_id}/discard", tags=["leads"], responses={**NO_LEAD, **CONFLICT})
    async def discard(lead_id: LeadId, wanted: shapes.Discard, caller: Caller) -> shapes.Changed:
        """The lead need not arrive any more, for a reason."""
        why = plain_text(wanted.why)
        return _one(await actions.discard([lead_id], why=why, actor=f"api:{caller}"), lead_id)

    add_calls(api, hub, gate)
    add_recordings(api, hub)
    add_errands(api, hub, actions, gate)
    add_sources(api, hub, gate)
    add_syncs(api, hub, gate)

    @api.get("/incidents", tags=["incidents"])
    async def list_incidents(asked: Annotated[shapes.IncidentsAsked, Query()]) -> shapes.Incidents:
        """What is wrong now."""
        found = await hub.db.read(incidents.recent_incidents if asked.over else incidents.open_incidents)
        return shapes.Incidents(incidents=[_incident(hub, one) for one in found])

    @api.post("/incidents/{incident_id}/ack", tags=["incidents"], responses={**NO_INCIDENT, **CONFLICT})
    async def ack(incident_id: LeadId, caller: Caller) -> shapes.Incident:
        """Somebody looks after it: no more reminders."""
        try:
            found = await actions.acknowledge(incident_id, who=caller, actor=f"api:{caller}")
        except OverAlready:
            raise HTTPException(409, "the incident is over already") from None
        return _found(hub, found)

    @api.post("/incidents/{incident_id}/mute", tags=["incidents"], responses={**NO_INCIDENT, **CONFLICT})
    async def mute(incident_id: LeadId, caller: Caller, wanted: shapes.Mute | None = None) -> shapes.Incident:
        """No alerts about it for a while."""
        minutes = (wanted or shapes.Mute()).minutes
        try:
            found = await actions.mute(incident_id, minutes, actor=f"api:{caller}")
        except OverAlready:
            raise HTTPException(409, "the incident is over already") from None
        return _found(hub, found)

    add_conversations(api, hub, gate)
    return api


def _changed(done: Done) -> shapes.Changed:
    refused = {lead_id: REASONS.get(why, why) for lead_id, why in done.refused.items()}
    return shapes.Changed(changed=done.changed, refused=refused)


REASONS = {
    "unrouted": "no route takes it",
    "claimed": "it is being delivered at this moment",
    "discarded": "it was discarded",
    "delivered": "it has arrived already",
}


def _one(done: Done, lead_id: str) -> shapes.Changed:
    """404 or 409 when nothing was done with the one lead that was named."""
    if lead_id in done.refused:
        why = done.refused[lead_id]
        raise HTTPException(404 if why == "no such lead" else 409, REASONS.get(why, why))
    return _changed(done)


def _found(hub: Hub, incident: Incident | None) -> shapes.Incident:
    if incident is None:
        raise HTTPException(404, "no such incident")
    return _incident(hub, incident)


def _incident(hub: Hub, incident: Incident) -> shapes.Incident:
    settings = hub.settings.hub
    style = Style(settings.locale, settings.zone, str(settings.public_url or ""))
    return shapes.Incident(
        id=incident.id,
        kind=incident.kind,
        connection=incident.connection,
        cause=incident.cause,
        level=incident.level,
        opened_at=incident.opened_at,
        updated_at=incident.updated_at,
        resolved_at=incident.resolved_at,
        count=incident.count,
        oldest_at=incident.oldest_at,
        muted_until=incident.muted_until,
        acked_by=incident.acked_by,
        text=text_of(render(incident, style, hub.clock.now()).html),
    )
