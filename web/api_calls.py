"""`/api/v1/calls`: click-to-call."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import AfterValidator, Field

from connectors.doors import RateLimit
from jobs.calls.dialling import CannotDial, Dialling
from jobs.hub import Hub
from jobs.intake.rates import RateWatch
from store import dialled
from store.errands import lease_of
from web import api_models as shapes
from web.access import TokenGate
from web.plain import plain_text

PER_CALLER = RateLimit(30, 60.0)
"""A click of a person each: more is a loop that rings people."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    409: {"model": shapes.Problem, "description": "It cannot be dialled as asked; the reason is in `error`"},
    429: {"model": shapes.Problem, "description": "Too many calls in a minute; `Retry-After` says when again"},
}
NO_CALL: dict[int | str, dict[str, Any]] = {404: {"model": shapes.Problem, "description": "There is no such call"}}
CallId = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]
Filled = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")]


class Dial(shapes.Asked):
    """Whom to connect with whom."""

    connection: shapes.Word = Field(description="name of the CRM whose user is meant")
    user: Filled = Field(description="the CRM's user: id, e-mail or name; `extensions` of a source names his extension")
    phone: Filled = Field(description="the client's number, in any spelling")
    source: shapes.Word = Field("", description="source to dial with; default: the first in which the user has one")
    key: shapes.Word = Field("", description="yours; the same key again is the same call and rings nobody twice")


class DialledCall(shapes.Shape):
    """A call that was asked for."""

    id: str
    state: Literal["queued", "sending", "accepted", "failed", "unknown"] = Field(
        description="accepted: the vendor rings; unknown: it gave no answer, and is not asked again"
    )
    connection: str
    source: str
    extension: str
    created_at: datetime
    settled_at: datetime | None
    error: str
    call_id: str = Field(description="our id of the call that came of it, as the vendor's events tell")
    call_state: str
    disposition: str
    talk_s: int | None


def add_calls(api: APIRouter, hub: Hub, gate: TokenGate) -> None:
    Caller = Annotated[str, Depends(gate)]  # a type
    rates = RateWatch()
    sources = {name: found for name in hub.settings.sources if (found := hub.intake.source(name)) is not None}
    dialling = Dialling(
        db=hub.db,
        clock=hub.clock,
        sources=sources,
        links=hub.links,
        metadata={name: one.metadata for name, one in hub.connections.items()},
        region=hub.settings.hub.default_region or "",
    )

    @api.post("/calls", tags=["calls"], status_code=202, responses=ANSWERS)
    async def dial(wanted: Dial, caller: Caller) -> DialledCall:
        """Rings the colleague and connects the client; asked of the vendor at once, and once only."""
        if rates.over("calls", caller, PER_CALLER, hub.clock.monotonic()):
            raise HTTPException(429, "too many calls in a minute", headers={"Retry-After": "60"})
        try:
            made = await dialling.ask(
                wanted.connection,
                plain_text(wanted.user),
                wanted.phone,
                actor=f"api:{caller}",
                source=wanted.source,
                key=wanted.key,
            )
        except CannotDial as error:
            said = f"{error.what}: {error.why}" if error.what else error.why
            raise HTTPException(409, said) from None
        found = await _shown(made)
        hub.wake([lease_of(found.source)])
        return found

    @api.get("/calls/{call_id}", tags=["calls"], responses=NO_CALL)
    async def dialled_call(call_id: CallId) -> DialledCall:
        """How far a call that was asked for has come."""
        return await _shown(call_id)

    async def _shown(call_id: str) -> DialledCall:
        row = await hub.db.read(dialled.find, call_id)
        if row is None:
            raise HTTPException(404, "no such call")
        return DialledCall.model_validate(dialled.dialled_json(row))
