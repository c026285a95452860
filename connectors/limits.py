"""The vendor's rate limit as one queue per connection, fresh leads first.

One worker owns a connection (see `store.leases`), so the limit needs no lock between
processes. Calls that wait for their turn together leave together where the vendor takes
batches: with no backlog a call leaves alone and at once.

A fresh lead's calls leave as soon as the limit allows. All others leave evenly once half a second
of a window is used, and never take the last of a bucket: so a fresh lead that comes in the middle
of a backlog finds a place a moment later, where a burst would have left nothing of the window.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.base import Rate
from connectors.errors import ConnectorError, UnknownOutcomeError
from leads.clock import Clock

FRESH, RETRY, BULK = 0, 1, 2
PRIORITY: ContextVar[int] = ContextVar("priority", default=RETRY)

WINDOW_MARGIN = 1.01
"""A window is wider by this: clocks differ, and the quickest answer seen is seldom the quickest possible."""
TRIPS_KEPT = 50
"""Of so many answers the quickest tells how long the way there and back takes at least."""
COLD_AFTER_S = 4.0
"""After so long without an answer the connections are closed, and the next calls have to open new ones."""
COLD_START_S = 0.3
"""That takes them up to so long, so that they arrive close to calls that leave later; known when they are answered."""
FRESH_RESERVE = 8
"""Calls of a bucket that are kept for fresh leads."""
BURST_S = 0.5
"""So much of a window may leave at once; when it is used up, a fresh lead waits that long for the first to leave it."""
SLOWEST_FACTOR = 0.1
RECOVERY_S = 30.0
"""After a refusal the pace is cut, and is whole again after this long without another."""


@dataclass(slots=True, eq=False)
class Turn:
    """One call that was let through.

    The vendor counts it when it arrives, and only the moments of leaving and of the answer are known here.
    `counts_at`: the latest moment at which it can have arrived, once it is answered; before that, an estimate.
    """

    left_at: float
    counts_at: float
    cold: bool


class Limiter:
    """Grants turns: at most `rate`, at most `max_in_flight` at a time, lowest priority number first."""

    def __init__(self, rate: Rate, clock: Clock, *, max_in_flight: int = 16) -> None:
        self.rate = rate
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._waiting: list[tuple[int, int, asyncio.Future[Turn]]] = []
        self._order = itertools.count()
        self._turns: deque[Turn] = deque()
        """Those of the last window, in the order of leaving."""
        self._trips: deque[float] = deque(maxlen=TRIPS_KEPT)
        self._level = 0.0
        self._level_at = clock.monotonic()
        self._not_before = 0.0
        self._answered_at = float("-inf")
        self._refused_at = float("-inf")
        self._factor_at_refusal = 1.0
        self._timer: asyncio.TimerHandle | None = None
        self.granted = 0

    @asynccontextmanager
    async def turn(self, priority: int | None = None) -> AsyncIterator[None]:
        """Waits for a turn; the call is in flight while the block runs."""
        turn = await self.acquire(PRIORITY.get() if priority is None else priority)
        try:
            yield
        finally:
            self.release(turn)

    async def acquire(self, priority: int) -> Turn:
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), future))
        self._grant()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release(future.result(), used=False)
            raise

    def release(self, turn: Turn, *, used: bool = True) -> None:
        """The call is over; or nothing was called, and the turn is somebody else's."""
        self._in_flight -= 1
        if used:
            now = self._answered_at = self._clock.monotonic()
            if not turn.cold:  # opening a connection is no part of the way back
                self._trips.append(now - turn.left_at)
            turn.counts_at = max(turn.left_at, now - min(self._trips, default=0.0))
        else:
            self.granted -= 1
            if self.rate.leak_per_s:
                self._level -= 1
            elif turn in self._turns:
                self._turns.remove(turn)
        self._grant()

    def pause(self, seconds: float, *, slow_down: bool = True) -> None:
        """The vendor said stop: nothing leaves for `seconds`; afterwards the pace is cut for a while."""
        now = self._clock.monotonic()
        self._not_before = max(self._not_before, now + seconds)
        if slow_down and now - self._refused_at > 1.0:
            self._factor_at_refusal = max(SLOWEST_FACTOR, self.factor() * 0.7)
            self._refused_at = now
        self._grant()

    def factor(self) -> float:
        """Today's pace as a share of the declared one."""
        healed = min(1.0, (self._clock.monotonic() - self._refused_at) / RECOVERY_S)
        return self._factor_at_refusal + (1.0 - self._factor_at_refusal) * healed

    def _wait_s(self, now: float, priority: int) -> float:
        """Seconds until the next call may leave; takes nothing."""
        wait = self._not_before - now
        factor = self.factor()
        if self.rate.leak_per_s:
            leak = self.rate.leak_per_s * factor
            self._level = max(0.0, self._level - (now - self._level_at) * leak)
            self._level_at = now
            room = self.rate.calls - (0 if priority == FRESH else min(FRESH_RESERVE, self.rate.calls // 4))
            return max(wait, (self._level + 1 - room) / leak)
        window = self.rate.per_s * WINDOW_MARGIN / factor
        while self._turns and self._turns[0].counts_at <= now - window:
            self._turns.popleft()
        if len(self._turns) >= self.rate.calls:
            counted = sorted(turn.counts_at for turn in self._turns)
            wait = max(wait, counted[-self.rate.calls] + window - now)
        burst = self.rate.calls * min(0.5, BURST_S / window)
        if priority != FRESH and len(self._turns) >= burst:
            wait = max(wait, self._turns[-1].left_at + window / self.rate.calls - now)
        return wait

    def _take(self, now: float) -> Turn:
        """Counts a call that leaves now. On a cold connection it arrives later than those that follow it."""
        cold = now - self._answered_at > COLD_AFTER_S
        turn = Turn(now, now + COLD_START_S if cold else now, cold)
        if self.rate.leak_per_s:
            self._level += 1
        else:
            self._turns.append(turn)
        self._in_flight += 1
        self.granted += 1
        return turn

    def _grant(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            if self._waiting[0][2].done():  # its caller was cancelled
                heapq.heappop(self._waiting)
                continue
            if self._in_flight >= self._max_in_flight:
                return
            now = self._clock.monotonic()
            wait = self._wait_s(now, self._waiting[0][0])
            if wait > 1e-9:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(wait, self._grant)
                return
            future = heapq.heappop(self._waiting)[2]
            future.set_result(self._take(now))


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers calls of one operation while they wait for the limiter; up to `max_batch` leave in one request.

    `send` gets the items and returns, in the same order, an answer or an error for each;
    it runs while holding one turn. An error that `send` raises goes to all of its items,
    one that we did not foresee as UnknownOutcomeError.
    """

    def __init__(
        self,
        limiter: Limiter,
        send: Callable[[list[Item]], Awaitable[list[Answer | ConnectorError]]],
        *,
        max_batch: int,
        operation: str,
    ) -> None:
        self._limiter = limiter
        self._send = send
        self._max_batch = max_batch
        self._operation = operation
        self._queue: list[tuple[int, int, Item, asyncio.Future[Answer]]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0

    async def call(self, item: Item) -> Answer:
        priority = PRIORITY.get()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._order), item, future))
        self._ask(priority)
        return await future

    def _ask(self, priority: int) -> None:
        """Each queued item asks for a turn of its own; the first turn granted takes as many as fit."""
        task = asyncio.get_running_loop().create_task(self._take_turn(priority))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_turn(self, priority: int) -> None:
        if not self._live():
            return
        turn = await self._limiter.acquire(priority)
        batch = self._take()
        try:
            if batch:
                await self._run(batch)
        finally:
            self._limiter.release(turn, used=bool(batch))  # an earlier turn may have taken all items along

    def _live(self) -> bool:
        while self._queue and self._queue[0][3].done():
            heapq.heappop(self._queue)
        return bool(self._queue)

    def _take(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        while len(batch) < self._max_batch and self._live():
            _, _, item, future = heapq.heappop(self._queue)
            batch.append((item, future))
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._send([item for item, _ in batch])
        except ConnectorError as error:
            answers = [error] * len(batch)
        except Exception as error:  # not foreseen: the write may have happened
            answers = [UnknownOutcomeError(type(error).__name__, self._operation)] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, ConnectorError):
                future.set_exception(answer)
            else:
                future.set_result(answer)
