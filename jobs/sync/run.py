"""What the parts of one pass share."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from connectors.errors import ConnectorError
from connectors.limits import BULK, PRIORITY
from connectors.records import RecordObject
from jobs.checkpoints import Checkpoint, passed
from jobs.opening import patiently
from jobs.sync.model import Clocks, Sync, blame
from leads.clock import Clock
from leads.ids import new_id
from leads.merge import Side
from store.db import Database
from store.leases import Held

Mode = Literal["write", "plan", "shadow"]
BATCH: Final = 200
"""Records that are worked off together."""
BEHIND: Final[Mapping[RecordObject, int]] = {"company": 1, "contact": 2, "deal": 3, "lead": 3}
"""What others link to goes first: then links are made together with the records, and no side waits for the other."""
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
    capped: set[str] = field(default_factory=set)
    """Pairs whose removals the cap held back."""
    removed: set[str] = field(default_factory=set)
    """Pairs of which one end was removed, or would be."""
    batch: int = BATCH
    whole: set[Side] = field(default_factory=set)
    """Sides whose records were all read in this pass: nothing was known of them before."""
    hub: Database | None = None
    """Where deliveries are, if that is not `db`."""
    hinted: set[tuple[str, str]] = field(default_factory=set)
    """(side, record id) that a delivery knows as somebody's partner and that were asked for in this pass."""
    troubles: list[ConnectorError] = field(default_factory=list)
    """What kept records from being written; they stay due."""

    @property
    def saw_all(self) -> bool:
        return self.whole == {"left", "right"}

    def behind_leads(self, *, soon: bool = False) -> None:
        """For all calls from here: fresh leads go first, then what somebody waits for (`soon`), then all else."""
        PRIORITY.set(BULK if soon else BULK + BEHIND[self.sync.object])

    def id(self) -> str:
        return new_id(self.clock)

    def check(self) -> None:
        """Between two steps: raises Stopped."""
        if self.stopping():
            raise Stopped

    async def told(self) -> None:
        if self.progress is not None:
            await self.progress()

    async def ask(self, side: Side, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """A read, again after failures that may pass. What is raised in the end names the side's CRM."""
        try:
            return await patiently(call, self.clock)
        except ConnectorError as error:
            blame(self.sync.end(side).title, error)
            raise


async def both(work: Callable[[Side], Awaitable[object]]) -> None:
    """The two sides at the same time; the first failure is raised when both have ended."""
    results = await asyncio.gather(work("left"), work("right"), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
