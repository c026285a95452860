"""Where deals stand: pipelines, stages, and which deal of a contact is the one to go on with."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from connectors.base import DealDraft, DealState, Draft, Pipeline
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.objects import Objects
from connectors.hubspot.records import (
    CLOSED_STAGES,
    linked_ids,
    properties_of,
    record_id,
    to_pipelines,
    when,
)

PIPELINE, STAGE = "default", "appointmentscheduled"
"""What every new account has; for when the pipelines cannot be read."""
FRESH_S = 600.0
PATIENCE_S = 10.0
"""A lead waits no longer than this for the list of pipelines."""
PROPERTIES = ("dealstage", "pipeline", "hubspot_owner_id", "createdate", "hs_lastmodifieddate")


class Deals:
    def __init__(self, api: HubSpotApi, objects: Objects) -> None:
        self._api = api
        self._objects = objects
        self._pipelines: tuple[Pipeline, ...] = ()
        self._until = float("-inf")
        self._lock = asyncio.Lock()

    async def read_pipelines(self) -> tuple[Pipeline, ...]:
        answer = await self._api.call("read pipelines", "GET", self._api.paths.pipelines("deals"), writes=False)
        self._pipelines = to_pipelines(answer)
        self._until = self._api.clock.monotonic() + FRESH_S
        return self._pipelines

    async def _known(self) -> tuple[Pipeline, ...]:
        """The pipelines, at most ten minutes old; what was read before (or nothing) when they cannot be read."""
        async with self._lock:
            if self._api.clock.monotonic() >= self._until:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await self.read_pipelines()
                except (ConnectorError, TimeoutError) as error:
                    if isinstance(error, AuthError) and error.status == 401:
                        raise
                    self._until = self._api.clock.monotonic() + FRESH_S / 10
        return self._pipelines

    async def default_stage(self, draft: Draft) -> tuple[str, str]:
        """(pipeline, stage) for what the draft leaves open; asks nothing when it leaves nothing open."""
        if not isinstance(draft, DealDraft) or (draft.pipeline and draft.stage):
            return "", ""
        return await self.resolve(draft.pipeline, draft.stage)

    async def resolve(self, pipeline: str, stage: str) -> tuple[str, str]:
        """Both filled: the pipeline that has the stage, the first open stage of the pipeline, the account's default."""
        if pipeline and stage:
            return pipeline, stage
        known = await self._known()
        if stage:
            home = next((one for one in known if any(step.id == stage for step in one.stages)), None)
            return (home.id if home else ""), stage
        chosen = next((one for one in known if one.id == pipeline), None) if pipeline else None
        chosen = chosen or next((one for one in known if one.is_default), None)
        first = next((step.id for step in chosen.stages if not step.closed), "") if chosen else ""
        if chosen and first:
            return chosen.id, first
        return pipeline or PIPELINE, STAGE

    async def state(self, deal_id: str) -> DealState | None:
        params = {"properties": ",".join(PROPERTIES), "associations": "contacts"}
        path = self._api.paths.record("deals", deal_id)
        try:
            record = await self._api.call("read deal", "GET", path, writes=False, params=params)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise
        return await self._to_state(record, linked_ids(record, "contacts"))

    async def newest(self, deal_ids: tuple[str, ...], contact_id: str) -> DealState | None:
        """The newest open deal of these, else the newest closed, else None."""
        found = await self._objects.read_many("deal", deal_ids, PROPERTIES)
        records = [record for record in found.values() if not record.get("archived")]
        states = [(_created(record), await self._to_state(record, (contact_id,))) for record in records]
        best = max(states, key=lambda one: (not one[1].closed, one[0], len(one[1].id), one[1].id), default=None)
        return best[1] if best else None

    async def _to_state(self, record: dict[str, Any], contact_ids: tuple[str, ...]) -> DealState:
        properties = properties_of(record)
        stage = properties.get("dealstage", "")
        known = {step.id: step.closed for one in await self._known() for step in one.stages}
        return DealState(
            id=record_id(record),
            closed=known.get(stage, stage in CLOSED_STAGES),
            contact_ids=contact_ids,
            responsible=properties.get("hubspot_owner_id", ""),
            pipeline=properties.get("pipeline", ""),
            stage=stage,
            updated_at=when(properties.get("hs_lastmodifieddate") or record.get("updatedAt")),
        )


def _created(record: dict[str, Any]) -> datetime:
    created = when(properties_of(record).get("createdate")) or when(record.get("createdAt"))
    return created or datetime.fromtimestamp(0, UTC)
