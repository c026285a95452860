"""What the parts of one pass share."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from connectors.errors import ConnectorError
from jobs.checkpoints import Checkpoint, passed
from jobs.opening import patiently
from jobs.sync.model import Clocks, Sync
from leads.clock import Clock
from leads.ids import new_id
from leads.merge import Side
from store.db import Database
from store.leases import Held

Mode = Literal["write", "plan", "shadow"]
Answer = TypeVar("Answer")


class Stopped(Exception):
    """Somebody wants the pass to end; it goes on later where it was."""


@dataclass(slots=True)
class Run:
    """One pass over one sync. `mode`: plan and shadow write nothing into a CRM, only what would be is noted.

    `counts` are what people see of it; `progress` is called whenever they changed.
    """

    sync: Sync
    db: Database
    clock: Clock
    held: Held
    pass_id: str
    mode: Mode = "write"
    checkpoint: Checkpoint = passed
    counts: Counter[str] = field(default_factory=Counter)
    clocks: Clocks = field(default_factory=Clocks)
    yes: bool = False
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[], Awaitable[None]] | None = None
    capped: int = 0
    """Removals that the cap held back."""
    troubles: list[ConnectorError] = field(default_factory=list)
    """What kept records from being written; they stay due."""

    def id(self) -> str:
        return new_id(self.clock)

    def check(self) -> None:
        """Between two steps: raises Stopped."""
        if self.stopping():
            raise Stopped

    async def told(self) -> None:
        if self.progress is not None:
            await self.progress()

    async def ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """A read, again after failures that may pass."""
        return await patiently(call, self.clock)


async def both(work: Callable[[Side], Awaitable[object]]) -> None:
    """The two sides at the same time; the first failure is raised when both have ended."""
    results = await asyncio.gather(work("left"), work("right"), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
