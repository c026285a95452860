"""Does something for as long as a lease is ours, and takes the lease whenever it is free."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from jobs.pace import NORMAL, Pace
from jobs.waking import STORE_RETRY_S, woken
from leads.clock import Clock
from leads.ids import new_id
from store import leases
from store.db import Database, StoreUnavailable
from store.leases import Held, LostLease

log = logging.getLogger(__name__)

BUG_PAUSE_S = 5.0


@dataclass(slots=True)
class LeaseKeeper:
    """`run` until `stop`; `holding` while the lease is ours."""

    name: str
    db: Database
    clock: Clock
    pace: Pace = NORMAL
    hub_id: str = ""
    holding: bool = False
    _confirmed_at: float = float("-inf")
    _told: bool = False
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        self._stopped.set()

    def surely_ours(self) -> bool:
        """False once nobody has confirmed the lease for as long as it lasts: then another may hold it."""
        return self.clock.monotonic() - self._confirmed_at < self.pace.lease_ttl_s

    async def run(self, work: Callable[[Held], Awaitable[None]]) -> None:
        """`work` returns when it was told to stop, and is cancelled when the lease is lost."""
        owner = new_id(self.clock)
        while not self._stopped.is_set():
            try:
                held = await self._take(owner)
                if held is None:
                    await self._pause(self.pace.contend_s)
                    continue
                await self._hold(held, work)
            except (LostLease, StoreUnavailable) as exc:
                if not self._told:  # once, however long the database is away
                    fields = {"event": "lease.lost", "lease": self.name, "error": type(exc).__name__}
                    log.warning("lease given up", extra=fields)
                self._told = True
                await self._pause(STORE_RETRY_S)
            except Exception:  # a fault of ours must not end the work for good
                log.exception("work under a lease failed", extra={"event": "lease.bug", "lease": self.name})
                await self._pause(BUG_PAUSE_S)

    async def _take(self, owner: str) -> Held | None:
        asked_at = self.clock.monotonic()
        held = await self.db.write(
            leases.take,
            name=self.name,
            owner=owner,
            now=self.clock.now(),
            ttl_s=self.pace.lease_ttl_s,
            hub=self.hub_id,
        )
        self._confirmed_at = asked_at
        return held

    async def _hold(self, held: Held, work: Callable[[Held], Awaitable[None]]) -> None:
        log.info("lease taken", extra={"event": "lease.taken", "lease": self.name, "fence": held.fence})
        self.holding, self._told = True, False
        renewing = asyncio.ensure_future(self._renew(held))
        working = asyncio.ensure_future(work(held))
        try:
            await asyncio.wait({renewing, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.holding = False
            for task in (renewing, working):
                task.cancel()
            results = await asyncio.gather(renewing, working, return_exceptions=True)
            if self._stopped.is_set():  # also when cancelled: work that never returns is ended so
                now = self.clock.now()
                with contextlib.suppress(StoreUnavailable):
                    await self.db.write(leases.release, held, now)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _renew(self, held: Held) -> None:
        while True:
            await self.clock.sleep(self.pace.renew_s)
            asked_at = self.clock.monotonic()
            renew = partial(leases.renew, held=held, now=self.clock.now(), ttl_s=self.pace.lease_ttl_s)
            # While the database is away nobody can take the lease either; and nothing is sent without an intent.
            with contextlib.suppress(StoreUnavailable):
                await self.db.write(renew)
                self._confirmed_at = asked_at

    async def _pause(self, seconds: float) -> None:
        await woken(self._stopped, seconds)
