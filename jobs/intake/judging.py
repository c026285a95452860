"""Calls whose last event never came are ended."""

import logging
from collections.abc import Callable
from datetime import timedelta

from jobs.intake.events import EventIntake
from leads.clock import Clock
from store.db import Database, StoreUnavailable
from store.events import judge_later

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=1)
"""So long a call waits that could not be ended."""


async def judge_calls(db: Database, calls: EventIntake, clock: Clock, wake: Callable[[tuple[str, ...]], None]) -> None:
    """`wake` is told where something became due. Raises StoreUnavailable."""
    try:
        wake(await db.write(calls.judge))
        return
    except StoreUnavailable:
        raise
    except Exception as fault:  # one of them is at fault: each alone, so that the others pass
        log.warning("calls are ended one by one", extra={"event": "intake.bug", "error": type(fault).__name__})
    for call in await db.read(calls.to_judge):
        try:
            wake(await db.write(calls.judge, [call]))
        except StoreUnavailable:
            raise
        except Exception:  # of ours: it is looked at again, after the others
            log.exception("a call cannot be ended", extra={"event": "intake.bug", "source": call[0]})
            await db.write(judge_later, call, clock.now() + AGAIN)
