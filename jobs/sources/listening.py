"""Takes in what a source tells over a connection that we keep: stored before the next is asked for."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from connectors.doors import Parsed
from connectors.errors import ConnectorError
from connectors.links import Listens, Watched
from jobs.intake.events import Taken
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.sources.errands import read_as
from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Observation
from store import incidents as rows
from store.db import Database
from store.leases import Held, assert_held

log = logging.getLogger(__name__)

AGAIN_S = 15.0
LOOK_S = 10.0
TOLD_AFTER_S = 60.0
"""A connection that is away for longer is told of: what happens meanwhile is not heard."""
WELL_AFTER_S = 45.0
KIND = "source_disconnected"


@dataclass(slots=True)
class Listening:
    """`run` until cancelled."""

    source: Source
    link: Listens
    db: Database
    clock: Clock
    intake: IntakeService
    about: dict[str, Any]
    told: Callable[[], None] = lambda: None
    """Called when there is something to tell people."""
    _trouble: str = ""
    _since: float | None = None
    """Since when nothing has gone wrong."""
    _open: bool | None = None

    def wake(self) -> None:
        return

    def try_now(self) -> None:
        return

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable: then what was heard and not stored is heard again, where it can be."""
        watching = asyncio.ensure_future(self._watch(held))
        try:
            while True:
                try:
                    self._since = self.clock.monotonic()
                    await self._listen(held)
                    self._trouble = "the source ended the connection"
                except ConnectorError as error:
                    self._trouble, self._since = str(error), None
                    log.warning("not listening", extra={**self._fields("listen.failed"), "error": self._trouble})
                if watching.done():
                    watching.result()
                await self.clock.sleep(AGAIN_S)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _listen(self, held: Held) -> None:
        async with contextlib.aclosing(self.link.listen()) as heard:  # type: ignore[type-var]  # generators
            async for parsed in heard:
                self._trouble = ""
                taken = await self.db.write(self._take_in, held=held, parsed=parsed)
                self.intake.wake(taken.due)

    def _take_in(self, conn: Connection, held: Held, parsed: Parsed) -> Taken:
        assert_held(conn, held)
        return self.intake.take_in(conn, self.source, read_as("heard", parsed), parsed)

    async def _watch(self, held: Held) -> None:
        """A connection that stays away is an incident until it is back."""
        away_since: float | None = None
        while True:
            if self._since is not None and self.clock.monotonic() - self._since > WELL_AFTER_S:
                self._trouble = ""  # it is listened to, although there is nothing to hear
            trouble = self._trouble or (self.link.trouble if isinstance(self.link, Watched) else "")
            now = self.clock.monotonic()
            away_since = (away_since if away_since is not None else now) if trouble else None
            if away_since is not None and now - away_since >= TOLD_AFTER_S:
                await self._tell(held, trouble)
            elif not trouble and self._open is not False:
                await self._tell(held, "")
            await self.clock.sleep(LOOK_S)

    async def _tell(self, held: Held, trouble: str) -> None:
        now, made = self.clock.now(), new_id(self.clock)
        seen = Observation(KIND, self.source.name, trouble, 0, None, self.about)

        def work(conn: Connection) -> bool:
            assert_held(conn, held)
            if trouble:
                rows.observe(conn, seen, now, made)
                return True
            return rows.resolve(conn, seen.key, now)

        changed = await self.db.write(work)
        if changed and self._open != bool(trouble):
            self.told()
        self._open = bool(trouble)

    def _fields(self, event: str) -> dict[str, Any]:
        return {"event": event, "source": self.source.name}
