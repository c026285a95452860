"""`/api/v1/syncs`: how record syncs stand, what waits for a person, and what a person decides."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import AfterValidator, Field
from sqlalchemy import Connection

from jobs.hub import Hub
from jobs.sync.asking import ask_for_pass, decide_issue
from jobs.sync.pages import record_page
from jobs.sync.resolving import CannotResolve
from jobs.sync.service import lease_of
from jobs.sync.status import SHOWN, SyncStatus, pass_json, status
from store import sync_log
from web import api_models as shapes
from web.access import TokenGate

NO_SYNC: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Problem, "description": "There is no such sync"}}
NO_ISSUE: dict[int | str, dict[str, Any]] = {
    404: {"model": shapes.Problem, "description": "There is no such issue"},
    409: {"model": shapes.Problem, "description": "It cannot be decided so; the reason is in `error`"},
}
SyncName = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]
IssueId = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]
Choice = Literal["left", "right", "pair", "apart", "resume", "again", "done"]
Kind = Literal["ambiguous", "conflict", "loop", "refused", "left_out", "unknown", "deleted", "merged"]


class Pass(shapes.Shape):
    pass_id: str
    kind: Literal["quick", "full", "hints", "undo"]
    state: Literal["running", "done", "stopped", "braked", "failed"]
    shadow: bool = Field(description="nothing was written, `counts` is what would have been")
    started_at: datetime
    ended_at: datetime | None
    took_seconds: float
    written: int
    per_second: float | None = Field(description="writes")
    counts: dict[str, int] = Field(description="such as create_left; would_update_right: what the brake held back")
    error: str


class Sync(shapes.Shape):
    sync: str
    left: str = Field(description="a connection")
    right: str
    object: Literal["contact", "company", "deal", "lead"]
    direction: Literal["left_to_right", "right_to_left", "both"]
    state: Literal["never_ran", "running", "ok", "waits", "failed", "stopped", "shadow"] = Field(
        description="waits: for a yes; stopped: goes on with the next pass"
    )
    lag_seconds: float | None = Field(description="since both sides were looked at")
    silent_seconds: float | None = Field(description="since the process of a running pass gave a sign of life")
    last_pass: Pass | None
    shadow: bool
    asked: bool = Field(description="a person wants a pass, and none has begun")
    would: dict[str, int] = Field(description="what the brake held back, or a shadow would have done, as `counts`")
    due: int = Field(description="records to be looked at or written")
    creating: int = Field(description="records being made")
    records: dict[str, dict[str, int]]
    pairs: dict[str, int]
    issues: dict[str, int] = Field(description="open ones by kind")


class Syncs(shapes.Shape):
    syncs: list[Sync]


class SyncWithPasses(Sync):
    passes: list[Pass] = Field(description="the last 20, newest first")


class RecordPage(shapes.Shape):
    id: str
    name: str = Field(description="as people call it; empty where it is not known")
    url: str = Field(description="in the CRM; empty where it is not known")


class Issue(shapes.Shape):
    """Something for a person. `about`: values of both sides, who, when and why, as far as the kind has them."""

    id: str
    kind: Kind
    field: str
    since: datetime
    left: list[RecordPage]
    right: list[RecordPage]
    about: dict[str, Any]


class Issues(shapes.Shape):
    issues: list[Issue]


class SyncsAsked(shapes.Asked):
    name: shapes.Word = Field("", description="only this sync")


class IssuesAsked(shapes.Asked):
    limit: int = Field(100, ge=1, le=SHOWN, description="the oldest so many")


class RunWanted(shapes.Asked):
    full: bool = Field(True, description="compare everything, not only what changed")
    yes: bool = Field(False, description="also if it changes many records at once")


class RunAsked(shapes.Shape):
    request_id: str


class Decision(shapes.Asked):
    """`pair` names one record of each side."""

    choice: Choice
    left_id: shapes.Word = ""
    right_id: shapes.Word = ""


class Decided(shapes.Shape):
    id: str
    sync: str
    choice: Choice


def add_syncs(api: APIRouter, hub: Hub, gate: TokenGate) -> None:
    Caller = Annotated[str, Depends(gate)]  # a type
    configured = hub.settings.syncs

    @api.get("/syncs", tags=["syncs"])
    async def list_syncs(asked: Annotated[SyncsAsked, Query()]) -> Syncs:
        """Each sync: lag, last pass, what is owed, what waits for a person."""
        now = hub.clock.now()
        chosen = {name: one for name, one in configured.items() if asked.name in ("", name)}

        def read(conn: Connection) -> list[SyncStatus]:
            return [status(conn, name, one, now, issues=0) for name, one in chosen.items()]

        return Syncs.model_validate({"syncs": [_sync(one) for one in await hub.db.read(read)]})

    @api.get("/syncs/{name}", tags=["syncs"], responses=NO_SYNC)
    async def sync(name: SyncName) -> SyncWithPasses:
        """One sync with its last passes."""
        chosen, now = _known(configured, name), hub.clock.now()

        def read(conn: Connection) -> tuple[SyncStatus, list[dict[str, Any]]]:
            return status(conn, name, chosen, now, issues=0), [
                pass_json(one, now) for one in sync_log.passes(conn, name)
            ]

        found, passes = await hub.db.read(read)
        return SyncWithPasses.model_validate({**_sync(found), "passes": passes})

    @api.get("/syncs/{name}/issues", tags=["syncs"], responses=NO_SYNC)
    async def list_issues(name: SyncName, asked: Annotated[IssuesAsked, Query()]) -> Issues:
        """Open conflicts, unclear matches, stopped pairs and refusals, with the records of both sides."""
        chosen, now, limit = _known(configured, name), hub.clock.now(), asked.limit
        found = await hub.db.read(status, name, chosen, now, issues=limit)
        return Issues.model_validate({"issues": [_issue(hub, chosen, one) for one in found.issues]})

    @api.post("/syncs/{name}/run", tags=["syncs"], responses=NO_SYNC)
    async def run(name: SyncName, caller: Caller, wanted: RunWanted | None = None) -> RunAsked:
        """A pass as soon as can be; `yes` lets it through the mass-change brake."""
        _known(configured, name)
        asked, actor = wanted or RunWanted(), f"api:{caller}"
        request_id = await hub.db.write(ask_for_pass, hub.clock, name, actor, full=asked.full, yes=asked.yes)
        hub.wake([lease_of(name)])
        return RunAsked(request_id=request_id)

    @api.post("/syncs/issues/{issue_id}", tags=["syncs"], responses=NO_ISSUE)
    async def decide(issue_id: IssueId, caller: Caller, wanted: Decision) -> Decided:
        """A person's decision; the next pass acts on it."""
        ids = (wanted.left_id, wanted.right_id) if wanted.choice == "pair" else ()
        actor, choice = f"api:{caller}", wanted.choice
        try:
            issue = await hub.db.write(decide_issue, hub.clock, issue_id, choice, actor, ids)
        except CannotResolve as error:
            raise HTTPException(409, str(error)) from None
        if issue is None:
            raise HTTPException(404, "no such issue")
        hub.wake([lease_of(issue.sync)])
        return Decided(id=issue.id, sync=issue.sync, choice=choice)


def _known(configured: Any, name: str) -> Any:
    if name not in configured:
        raise HTTPException(404, "no such sync")
    return configured[name]


def _sync(found: SyncStatus) -> dict[str, Any]:
    return {name: value for name, value in found.to_json().items() if name in Sync.model_fields}


def _issue(hub: Hub, settings: Any, told: Any) -> dict[str, Any]:
    about = dict(told)
    head = {name: about.pop(name) for name in ("id", "kind", "field", "since")}
    for side in ("left", "right"):
        connection = hub.connections.get(getattr(settings, side))
        ids, names = about.pop(f"{side}_ids"), about.pop(f"{side}_names")
        urls = [record_page(connection.target, settings.object, id) if connection else "" for id in ids]
        head[side] = [{"id": id, "name": names.get(id, ""), "url": url} for id, url in zip(ids, urls, strict=True)]
    return {**head, "about": about}
