"""Payments and insights whose deal was not known are looked at again, round by round."""

import logging
from collections.abc import Callable

from jobs.talks.deal_notes import DealNotes
from store.db import Database, StoreUnavailable

log = logging.getLogger(__name__)


async def match_waiting(db: Database, notes: DealNotes, wake: Callable[[tuple[str, ...]], None]) -> None:
    """`wake` is told where something became due. Raises StoreUnavailable."""
    more = True
    while more:
        try:
            more, due = await db.write_behind(notes.match_waiting, db.is_awaited)
        except StoreUnavailable:
            raise
        except Exception as fault:  # one of them is at fault: each alone, so that the others pass
            log.warning("notes are matched one by one", extra={"event": "notes.bug", "error": type(fault).__name__})
            await _one_by_one(db, notes, wake)
            continue
        wake(due)


async def _one_by_one(db: Database, notes: DealNotes, wake: Callable[[tuple[str, ...]], None]) -> None:
    for row in await db.read(notes.waiting):
        try:
            wake(await db.write_behind(notes.match, row))
        except StoreUnavailable:
            raise
        except Exception as fault:  # of ours: this one waits, whatever it was
            told = {"event": "notes.bug", "source": row.source, "errand_id": row.id}
            log.exception("what waits for its deal cannot be told", extra=told)
            await db.write(notes.put_off, row, fault)
