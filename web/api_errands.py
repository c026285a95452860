"""`/api/v1/errands`: what requests merely named, how far it is read, and what a person may do about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query
from pydantic import AfterValidator

from jobs.hub import Hub
from store import errands
from store.operator import Done
from web import api_models as shapes
from web.access import TokenGate
from web.actions import Actions
from web.plain import plain_text

STATES = {
    "owed": errands.OWED,
    "pending": errands.WAITING,
    "failed": ("dead",),
    "done": ("done",),
    "discarded": ("discarded",),
}
REASONS = {
    "claimed": "it is being read at this moment",
    "done": "it is read already",
    "discarded": "it was discarded",
}
NO_ERRAND: dict[int | str, dict[str, Any]] = {
    404: {"model": shapes.Problem, "description": "There is no such errand"},
    409: {"model": shapes.Problem, "description": "Nothing can be done now; the reason is in `error`"},
}
ErrandId = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]


def add_errands(api: APIRouter, hub: Hub, actions: Actions, gate: TokenGate) -> None:
    Caller = Annotated[str, Depends(gate)]  # a type

    @api.get("/errands", tags=["errands"])
    async def list_errands(asked: Annotated[shapes.ErrandsAsked, Query()]) -> shapes.Errands:
        """What was named and is to be read, newest first."""
        states, source, limit = STATES[asked.state], asked.source, asked.limit
        rows = await hub.db.read(errands.list_errands, states=states, source=source, limit=limit)
        return shapes.Errands.model_validate({"errands": [errands.errand_json(row) for row in rows]})

    @api.post("/errands/retry", tags=["errands"])
    async def retry(
        wanted: Annotated[shapes.RetrySome | shapes.RetryAllFailed, Body()], caller: Caller
    ) -> shapes.Changed:
        """These, or all that were given up, are read again now."""
        ids = None if isinstance(wanted, shapes.RetryAllFailed) else list(dict.fromkeys(wanted.ids))
        return _changed(await actions.retry_errands(ids, actor=f"api:{caller}"))

    @api.post("/errands/{errand_id}/discard", tags=["errands"], responses=NO_ERRAND)
    async def discard(errand_id: ErrandId, wanted: shapes.Discard, caller: Caller) -> shapes.Changed:
        """It need not be read any more, for a reason."""
        done = await actions.discard_errand(errand_id, why=plain_text(wanted.why), actor=f"api:{caller}")
        if errand_id in done.refused:
            why = done.refused[errand_id]
            raise HTTPException(404 if why == "no such errand" else 409, REASONS.get(why, why))
        return _changed(done)


def _changed(done: Done) -> shapes.Changed:
    refused = {errand_id: REASONS.get(why, why) for errand_id, why in done.refused.items()}
    return shapes.Changed(changed=done.changed, refused=refused)
