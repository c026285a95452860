"""Reads the vendor's own list now and then: what never arrived is taken in, counted, and told of.

Vendors lose webhooks; nobody notices a call that never came. The list is read through the same intake as a request,
so what had arrived is a repeat.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from connectors.doors import Parsed
from connectors.errors import ConnectorError, NoAccessError
from connectors.links import Lists
from jobs.intake.events import Taken
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.sources.errands import read_as
from jobs.sources.watch import RECONCILED
from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Observation
from store import cursors
from store import incidents as rows
from store.db import Database
from store.leases import Held, assert_held
from store.recovered import RECOVERED

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=24)
"""So far the first reading goes back, and one after a long stop."""
OVERLAP = timedelta(hours=1)
"""Lists lag, and calls are listed when they end: each reading begins so much before the end of the last."""
SETTLED = timedelta(minutes=3)
"""What is younger may still be on its way as a webhook, and would count as recovered."""
FIRST_AFTER_S = 20.0
READ_S = 600.0
"""A list that takes longer is given up until the next time."""


def cursor_of(source: str) -> str:
    return RECONCILED + source


@dataclass(slots=True)
class Reconciling:
    """`run` until cancelled: reads every `every_s` seconds."""

    source: Source
    link: Lists
    db: Database
    clock: Clock
    intake: IntakeService
    about: dict[str, Any]
    every_s: float
    told: Callable[[], None] = lambda: None
    """Called when there is something to tell people."""

    def wake(self) -> None:
        return

    def try_now(self) -> None:
        return

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable."""
        await self.clock.sleep(FIRST_AFTER_S * (0.5 + self.clock.random()))
        while True:
            try:
                async with asyncio.timeout(READ_S):
                    await self.read(held)
            except NoAccessError as error:
                await self._note(held, str(error), failing=False)  # nobody gave us the means: that is no failure
            except (ConnectorError, TimeoutError) as error:
                text = str(error) if isinstance(error, ConnectorError) else "the list takes too long"
                log.warning("list not read", extra={**self._fields("reconcile.failed"), "error": text})
                await self._note(held, text)
            await self.clock.sleep(self.every_s * (0.9 + self.clock.random() / 5))

    async def read(self, held: Held) -> int:
        """One reading; returns how many leads and payments it recovered. Raises the outcomes of `connectors.errors`.

        Each page is a commit of its own; the cursor moves when all are stored, so that a reading that was cut short
        is done again, as repeats.
        """
        now = self.clock.now()
        kept = await self.db.read(cursors.load, name=cursor_of(self.source.name))
        since = self._since(kept, now)
        until = now - SETTLED
        if since >= until:
            return 0
        found, fresh = 0, Counter[str]()
        async with contextlib.aclosing(self.link.history(since, until)) as pages:  # type: ignore[type-var]  # generators
            async for parsed in pages:
                taken = await self.db.write(self._take_in, held=held, parsed=parsed)
                found += len(taken.leads) + taken.fresh.get("payment", 0)
                fresh.update(taken.fresh)
                self.intake.wake(taken.due)
        what = next((kind for kind in ("call", "payment") if fresh[kind] >= found), "lead")
        value = {"until": until.isoformat(), "read_at": now.isoformat(), "recovered": found, "error": ""}
        await self.db.write(self._done, held=held, value=value, since=since, until=until, what=what)
        if found:
            self.told()
        log.info("list read", extra={**self._fields("reconcile.read"), "recovered": found, "fresh": dict(fresh)})
        return found

    @staticmethod
    def _since(kept: dict[str, Any] | None, now: datetime) -> datetime:
        earliest = now - LOOK_BACK
        if not kept or not kept.get("until"):
            return earliest
        until = datetime.fromisoformat(kept["until"])
        return earliest if until > now else max(earliest, until - OVERLAP)  # later than now: the clock was set back

    def _take_in(self, conn: Connection, held: Held, parsed: Parsed) -> Taken:
        assert_held(conn, held)
        return self.intake.take_in(conn, self.source, read_as("list", parsed), parsed, (RECOVERED,))

    def _done(
        self,
        conn: Connection,
        held: Held,
        value: dict[str, Any],
        since: datetime,
        until: datetime,
        what: str,
    ) -> None:
        assert_held(conn, held)
        cursors.save(conn, cursor_of(self.source.name), value)
        if not value["recovered"]:
            return
        data = {**self.about, "what": what, "since": since.isoformat(), "until": until.isoformat()}
        now = self.clock.now()
        once = f"{now:%y.%m.%d %H:%M:%S}"  # each reading is told apart; long numbers would make no difference
        seen = Observation("source_recovered", self.source.name, once, value["recovered"], None, data)
        rows.observe(conn, seen, now, new_id(self.clock))

    async def _note(self, held: Held, error: str, *, failing: bool = True) -> None:
        """Keeps why the list could not be read; the cursor stays."""

        def work(conn: Connection) -> None:
            assert_held(conn, held)
            kept = cursors.load(conn, cursor_of(self.source.name)) or {}
            failing_since = (kept.get("failing_since") or self.clock.now().isoformat()) if failing else ""
            value = {**kept, "error": error, "failing_since": failing_since}
            cursors.save(conn, cursor_of(self.source.name), value)

        await self.db.write(work)

    def _fields(self, event: str) -> dict[str, Any]:
        return {"event": event, "source": self.source.name}
