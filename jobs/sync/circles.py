"""A value that goes round through several syncs never changes sides in any of them: what the others wrote tells it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from jobs.sync.kept import Kept
from jobs.sync.model import SIDES
from jobs.sync.run import Run
from jobs.sync.settling import FLIP_WINDOW_S
from leads.merge import OTHER, Side
from store import sync_log


async def stop_circles(run: Run, judged: Sequence[Kept]) -> None:
    """Stops pairs of which a field was carried more than `flips` times within the window, as often put there by others.

    Only such fields cost a look into the log: few are written so often.
    """
    if not any(run.sync.others.values()):
        return
    since = run.clock.now() - timedelta(seconds=FLIP_WINDOW_S)
    for one in judged:
        for to in SIDES:
            for name in one.decision.fields[to]:
                past = (one.pair.flips or {}).get(name, ())
                often = sum(side == to and at > since.timestamp() for side, at in past) > run.sync.settings.flips
                if often:
                    one.stopped_by = one.stopped_by or await _writer(run, one, OTHER[to], name, since)
                    one.stopped = name if one.stopped_by else one.stopped


async def _writer(run: Run, one: Kept, source: Side, name: str, since: datetime) -> str:
    """The other sync that keeps writing this field of the source's record; "" when none does."""
    record_id, keys = one.end(source).row.record_id, run.sync.mapping.pair(name).keys(source)
    wrote: dict[str, int] = {}
    for other, side in run.sync.others.get(source, ()):
        rows = await (run.hub or run.db).read(sync_log.updates_of, other, side, record_id, since)
        wrote[other] = sum(any(key in row.after for key in keys) for row in rows)
    return next((other for other, count in wrote.items() if count > run.sync.settings.flips), "")
