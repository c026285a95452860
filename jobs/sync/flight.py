"""Several batches of a pass on their way at once, no pair in two of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from types import TracebackType

from connectors.errors import ConnectorError
from jobs.sync.run import Stopped
from leads.merge import Side

Work = Callable[[], Awaitable[None]]


class Flight:
    """At most `places` batches of each kind. As a context manager it ends when all have landed.

    What a CRM says, and somebody's wish to stop, lets the others come to their end, so that outcomes are stored;
    everything else (the lease is lost, the store is away) cancels them.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._tasks: dict[asyncio.Task[None], str] = {}
        self.claimed: set[str] = set()
        """Ids of the pairs that are on their way."""
        self.bound: Counter[Side] = Counter()
        """How many records are on their way to be made there."""

    async def __aenter__(self) -> "Flight":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, ConnectorError | Stopped):
            await self._cancel()
            return
        try:
            await self.landed()
        except ConnectorError:
            if error is None:
                raise

    async def start(self, work: Work, kind: str = "") -> None:
        """Begins it as soon as there is room. Raises what an earlier one has ended with."""
        while self.full(kind):
            await self._one_landed()
        self._tasks[asyncio.ensure_future(work())] = kind
        await self._look()

    def full(self, kind: str) -> bool:
        return sum(one == kind for one in self._tasks.values()) >= self._places

    async def landed(self) -> None:
        """Waits for all that was started. Raises the first failure, after the others have ended."""
        failure: ConnectorError | None = None
        while self._tasks:
            try:
                await self._one_landed()
            except ConnectorError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def claim(self, pair_ids: Collection[str]) -> set[str]:
        """Those of them that no other batch is working on: the others are seen to there, or in the next sweep."""
        mine = set(pair_ids) - self.claimed
        self.claimed |= mine
        return mine

    def release(self, pair_ids: Collection[str]) -> None:
        self.claimed -= set(pair_ids)

    async def _one_landed(self) -> None:
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        await self._look()

    async def _look(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            del self._tasks[task]
            error = task.exception()
            if error is not None:
                if not isinstance(error, ConnectorError):
                    await self._cancel()
                raise error

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
