"""`/api/v1/sources`: each door, what was refused there, and running that again."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import AfterValidator, AwareDatetime, Field

from jobs.hub import Hub
from jobs.sources.refusing import refused_json
from jobs.sources.report import source_lines
from jobs.sources.rerun import Reruns
from store.refused import refused_requests
from web import api_models as shapes
from web.access import TokenGate
from web.words import ConsoleStyle

NO_SOURCE: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Problem, "description": "There is no such source"}}
SourceName = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]


class Proof(shapes.Shape):
    kind: Literal["signature", "key", "token", "address"]
    setting: str


class Today(shapes.Shape):
    leads: int
    calls: int
    messages: int
    payments: int
    notices: int = Field(description="what merely names a lead to be read, or tells of a call that was analysed")


class Reason(shapes.Shape):
    status: int
    reason: str
    trouble: str = Field(description="secret, token, address, clock, path, unreadable, size or handshake")
    count: int
    first_at: datetime
    last_at: datetime


class Refused(shapes.Shape):
    """Of today. `dropped`: not kept, because there were too many; `kept`: of any day, can be run again."""

    count: int
    dropped: int
    kept: int
    reasons: list[Reason]


class Source(shapes.Shape):
    name: str
    title: str
    type: str
    vendor: str
    group: str
    address: str = Field(
        description="to be pasted at the vendor, the token masked; empty: the hub asks the vendor itself"
    )
    proofs: list[Proof] = Field(description="what is checked of a sender")
    open: bool = Field(description="anybody who knows the address may send, and should not")
    last_at: datetime | None
    today: Today
    refused: Refused
    only_refuses: bool = Field(description="nothing was let in since the first refusal of today")
    hints: list[str] = Field(description="what is wrong, in the hub's language")


class Sources(shapes.Shape):
    sources: list[Source]


class SourcesAsked(shapes.Asked):
    name: shapes.Word = Field("", description="only this source")


class RefusedAsked(shapes.Asked):
    limit: int = Field(50, ge=1, le=1000)


class RefusedRequest(shapes.Shape):
    """A request that was not let in. `look` is its beginning without secrets, phones and e-mails."""

    id: str
    source: str
    at: datetime
    status: int
    reason: str
    method: str
    remote_ip: str
    size_bytes: int
    kept: bool = Field(description="whether it can be run again")
    look: str
    rerun_at: datetime | None
    outcome: str


class RefusedRequests(shapes.Shape):
    requests: list[RefusedRequest]


class RunAgain(shapes.Asked):
    """All that is kept, or what came `since`, or those with these ids."""

    since: AwareDatetime | None = None
    ids: list[shapes.LeadId] = Field([], max_length=shapes.MAX_IDS)


class Rerun(shapes.Shape):
    id: str
    at: datetime
    outcome: Literal["accepted", "repeat", "nothing", "refused", "lost"]
    status: int
    reason: str
    lead_ids: list[str]
    events: int


class Reran(shapes.Shape):
    requests: list[Rerun]


def add_sources(api: APIRouter, hub: Hub, gate: TokenGate) -> None:
    Caller = Annotated[str, Depends(gate)]  # a type
    settings = hub.settings

    @api.get("/sources", tags=["sources"])
    async def list_sources(asked: Annotated[SourcesAsked, Query()]) -> Sources:
        """Each door: address, proofs, last event, today's counts, what is wrong."""
        now = hub.clock.now()
        found = await hub.db.read(source_lines, settings, now)
        lines = [line for line in found if asked.name in ("", line.name)]
        style = ConsoleStyle(locale=settings.hub.locale, zone=settings.hub.zone)
        return Sources.model_validate({"sources": [line.to_json(style, now) for line in lines]})

    @api.get("/sources/{name}/refused", tags=["sources"], responses=NO_SOURCE)
    async def list_refused(name: SourceName, asked: Annotated[RefusedAsked, Query()]) -> RefusedRequests:
        """Requests of the last week that were not let in, newest first."""
        if name not in settings.sources:
            raise HTTPException(404, "no such source")
        limit = asked.limit
        rows = await hub.db.read(refused_requests, source=name, limit=limit, rerun_too=True)
        return RefusedRequests.model_validate({"requests": [refused_json(row) for row in rows]})

    @api.post("/sources/{name}/rerun", tags=["sources"], responses=NO_SOURCE)
    async def rerun(name: SourceName, caller: Caller, wanted: RunAgain | None = None) -> Reran:
        """Runs refused requests again; those that pass now become leads of the time they came. Twice does no harm."""
        source = hub.intake.source(name)
        if source is None:
            raise HTTPException(404, "no such source")
        asked = wanted or RunAgain()
        reruns = Reruns(hub.intake, hub.db, hub.sealer, hub.clock)
        found = await reruns.run(source, since=asked.since, ids=asked.ids, actor=f"api:{caller}")
        return Reran(
            requests=[
                Rerun(
                    id=one.id,
                    at=one.at,
                    outcome=one.outcome,
                    status=one.status,
                    reason=one.reason,
                    lead_ids=list(one.lead_ids),
                    events=one.events,
                )
                for one in found
            ]
        )
