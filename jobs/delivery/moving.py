"""Moves a deal to a stage that the settings name as people do."""

from connectors.base import Target
from connectors.errors import PermanentError, RetryableError
from jobs.metadata import MetadataCache


async def move(target: Target, metadata: MetadataCache, deal_id: str, pipeline: str, stage: str) -> None:
    """Into `stage` of `pipeline`, or where "" is given of the deal's own, else of any that has it. Safe to repeat.

    Raises PermanentError for a name that the account does not know, RetryableError while it cannot be read.
    """
    _, directory = await metadata.get()
    if directory.pipelines is None:
        raise RetryableError("the stages of the account cannot be read yet", "move deal")
    state = await target.deal_state(deal_id)
    if state is None:
        raise PermanentError("the deal is gone from the CRM", "move deal", gone=True)
    own = [one for one in directory.pipelines if one.id == state.pipeline]
    named = directory.pipeline(pipeline) if pipeline else None
    if pipeline and named is None:
        metadata.expire()
        raise PermanentError(f'there is no pipeline "{pipeline}"', "move deal", fields=("pipeline",))
    found = directory.stage([named] if named else [*own, *directory.pipelines], stage)
    if found is None:
        metadata.expire()
        raise PermanentError(f'there is no stage "{stage}"', "move deal", fields=("stage",))
    place, there = found
    if (state.pipeline, state.stage) != (place.id, there.id):
        await target.reopen_deal(deal_id, place.id, there.id)
