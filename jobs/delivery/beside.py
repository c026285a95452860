"""What an owner does beside its deliveries: so often, one round at a time, and a fault in it holds up no lead."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from connectors.errors import AuthError
from leads.clock import Clock
from store.db import StoreUnavailable
from store.leases import LostLease

log = logging.getLogger(__name__)

APART_S = 0.25
"""Between the beginnings of two rounds: with hundreds of leads a second the owner turns as often."""


@dataclass(slots=True)
class Beside:
    """One kind of work. `refused` is told of a token that is not taken."""

    name: str
    connection: str
    clock: Clock
    refused: Callable[[AuthError], Awaitable[None]]
    task: asyncio.Task[None] | None = None
    _began_at: float = float("-inf")

    def begin(self, work: Callable[[], Awaitable[None]]) -> float:
        """Starts a round, unless one is on; returns the seconds until it is worth asking again, inf for any time."""
        if self.task is not None:
            return float("inf")
        wait_s = self._began_at + APART_S - self.clock.monotonic()
        if wait_s > 0:
            return wait_s
        self._began_at = self.clock.monotonic()
        self.task = asyncio.create_task(self._round(work))
        return float("inf")

    async def _round(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except AuthError as error:
            await self.refused(error)
        except (LostLease, StoreUnavailable):
            return  # whoever holds the lease goes on
        except Exception:
            fields = {"event": f"{self.name}.bug", "connection": self.connection}
            log.exception("work beside the leads failed inside the hub", extra=fields)
        finally:
            self.task = None


@dataclass(slots=True)
class Lanes:
    """One at a time for each person: two that add to the same contact would each write what they read before.

    The order of a person's deliveries is the store's business; here they and what is written beside them take turns.
    """

    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def of(self, person_id: str) -> asyncio.Lock:
        lock = self._locks.get(person_id)
        if lock is None:
            lock = self._locks[person_id] = asyncio.Lock()
        return lock
