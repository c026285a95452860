"""Whether a connection works: probes while it is down, what becomes due when it is back, and who is told."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.errors import AuthError, ConnectorError
from connectors.limits import FRESH, PRIORITY
from jobs.delivery.breaker import Breaker
from jobs.reporting import Reporter
from leads.clock import Clock
from leads.incidents import incident_key
from leads.retry import RetryPolicy
from store import incidents, mending
from store.db import Database, StoreUnavailable

log = logging.getLogger(__name__)

DOWN: Final = "connection_down"
REFUSED: Final = "token_refused"
TRIALS = 3
"""So many deliveries at a time show, after a probe that worked, whether the connection is well again."""


@dataclass(slots=True)
class ConnectionHealth:
    """Of one connection, for its owner. `ping` is a cheap call; `wake` is called when deliveries became due."""

    name: str
    ping: Callable[[], Awaitable[Any]]
    db: Database
    clock: Clock
    reporter: Reporter
    policy: RetryPolicy
    breaker: Breaker
    wake: Callable[[], None]
    _told: str | None = None
    """The kind of incident that is open; None as long as a process before us may have left one."""
    _granting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def inherit(self) -> None:
        """Of what an owner before us told nobody else would say that it is over, as long as no lead comes."""
        for kind in (DOWN, REFUSED):
            # Asked of the writer, behind what the owner before us may have committed last.
            told = await self.db.write(incidents.newest, incident_key(kind, self.name))
            if told is not None and told.resolved_at is None and told.recovered_at is None:
                self.breaker.inherited(told.cause, told.opened_at, unauthorized=kind == REFUSED)
                self._told = kind

    async def probe(self) -> float:
        """While the connection is down: one cheap call now and then; when it works, all that waits is due."""
        wait_s = self.breaker.probe_at - self.clock.monotonic()
        if wait_s > 0:
            return wait_s
        PRIORITY.set(FRESH)
        try:
            await self.ping()
        except ConnectorError as error:
            unauthorized = isinstance(error, AuthError)
            self.breaker.probe_failed(str(error), self.clock.monotonic(), unauthorized=unauthorized)
            await self.report_down()
            return self.breaker.probe_at - self.clock.monotonic()
        await self._answers()
        self.breaker.probe_worked()
        now = self.clock.now()
        if await self.db.write(mending.make_some_due, self.name, now, limit=TRIALS) == 0:
            await self._recovered()  # nothing waits that could show more
        self.wake()
        return 0.0

    async def _answers(self) -> None:
        """The CRM is there, after we knew nothing of it: no lead is given up for the time when it was not."""
        async with self._granting:  # the deliveries that succeed at the same moment need do it but once
            if not self.breaker.reachable:
                youngest = self.clock.now() - self.policy.max_age * 2 / 3
                await self.db.write(mending.grant_time, self.name, youngest)
                self.breaker.reachable = True

    async def works(self) -> None:
        """A delivery showed that the connection is well. While the database is away the next one shows it again."""
        with contextlib.suppress(StoreUnavailable):
            await self._answers()
            await self._recovered()

    async def _recovered(self) -> None:
        now = self.clock.now()
        if self.breaker.down:
            count = await self.db.write(mending.make_due, self.name, now)
            self.wake()
        if self.breaker.succeeded():
            log.info("connection recovered", extra={"event": "connection.up", "connection": self.name, "due": count})
        elif self._told == "":
            return
        self._told = ""
        for kind in (DOWN, REFUSED):
            await self.reporter.resolve(kind, self.name)

    async def report_down(self) -> None:
        kind, other = DOWN, REFUSED
        if self.breaker.state == "unauthorized":
            kind, other = other, kind
        await self.reporter.observe(kind, self.name, cause=self.breaker.cause)
        if self._told != kind:
            self._told = kind
            await self.reporter.resolve(other, self.name)
