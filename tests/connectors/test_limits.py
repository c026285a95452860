"""Turns and batches, on virtual time: never above the limit, near it under a backlog, and fresh leads first."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

import pytest

from connectors.base import Rate
from connectors.limits import BULK, COLD_START_S, FRESH, FRESH_RESERVE, PRIORITY, RETRY, WINDOW_MARGIN, Batcher, Limiter
from tests.simulate.virtual import SimClock, VirtualLoop

WINDOW = Rate(calls=7, per_s=1.0)
BUCKET = Rate(calls=45, leak_per_s=2.0)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


class Vendor:
    """Notes when each call left and arrived; `way_s` tells how long it takes each way."""

    def __init__(self, loop: VirtualLoop, rate: Rate, way_s: Callable[[], float] = lambda: 0.02) -> None:
        self.loop = loop
        self.limiter = Limiter(rate, SimClock(loop, random.Random(1)))
        self.way_s = way_s
        self.left: list[tuple[float, int]] = []
        self.arrived: list[float] = []

    async def call(self, priority: int) -> float:
        """Seconds until the call left."""
        asked = self.loop.time()
        async with self.limiter.turn(priority):
            self.left.append((self.loop.time(), priority))
            await asyncio.sleep(self.way_s())
            self.arrived.append(self.loop.time())
            await asyncio.sleep(self.way_s())
        return self.left[-1][0] - asked

    async def backlog(self, calls: int) -> None:
        await asyncio.gather(*(self.call(RETRY) for _ in range(calls)))

    def most_in(self, seconds: float) -> int:
        return max(sum(start <= at < start + seconds for at in self.arrived) for start in self.arrived)


def play(loop: VirtualLoop, work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    loop.run_until_complete(run())


def test_a_single_fresh_lead_waits_for_nothing(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, WINDOW)

    async def work() -> None:
        for _ in range(6):
            asked = loop.time()
            await vendor.call(FRESH)
            assert vendor.left[-1][0] == asked

    play(loop, work)


def test_a_backlog_uses_nearly_all_of_a_window_and_never_more(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, WINDOW)
    play(loop, lambda: vendor.backlog(200))
    assert vendor.most_in(WINDOW.per_s) <= WINDOW.calls
    assert 200 / loop.time() > 0.95 * WINDOW.calls


def test_a_fresh_lead_in_the_middle_of_a_backlog_gets_the_next_place(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, WINDOW)

    async def work() -> None:
        behind = asyncio.ensure_future(vendor.backlog(100))
        await asyncio.sleep(3.0)
        for _ in range(20):
            await asyncio.sleep(0.37)
            asked = loop.time()
            await vendor.call(FRESH)
            left = next(at for at, priority in reversed(vendor.left) if priority == FRESH)
            assert left - asked <= 1.1 * WINDOW.per_s * WINDOW_MARGIN / WINDOW.calls
        await behind

    play(loop, work)
    assert vendor.most_in(WINDOW.per_s) <= WINDOW.calls


def test_a_bucket_keeps_a_few_calls_for_fresh_leads(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, BUCKET, lambda: 0.0005)

    async def work() -> None:
        behind = asyncio.ensure_future(vendor.backlog(60))
        await asyncio.sleep(0.5)
        assert len(vendor.left) in (BUCKET.calls - FRESH_RESERVE, BUCKET.calls - FRESH_RESERVE + 1)
        for _ in range(FRESH_RESERVE):
            asked = loop.time()
            await vendor.call(FRESH)
            assert loop.time() - asked < 0.01
        await behind

    play(loop, work)


@pytest.mark.parametrize("opening_s", [0.0, 0.25, 0.9])
def test_calls_that_open_their_connections_first_count_when_they_arrive(loop: VirtualLoop, opening_s: float) -> None:
    vendor = Vendor(loop, WINDOW)
    ways = iter([opening_s] * WINDOW.calls)
    vendor.way_s = lambda: next(ways, 0.02)

    async def work() -> None:
        await asyncio.gather(*(vendor.call(FRESH) for _ in range(50)))

    play(loop, work)
    assert [at for at, _ in vendor.left[: WINDOW.calls]] == [0.0] * WINDOW.calls
    assert vendor.most_in(WINDOW.per_s) <= WINDOW.calls


def test_a_backlog_on_a_restless_network_is_never_refused_and_uses_nearly_all_of_the_window(loop: VirtualLoop) -> None:
    rng = random.Random(3)
    vendor = Vendor(loop, WINDOW, lambda: 0.015 + rng.expovariate(1 / 0.005))
    play(loop, lambda: vendor.backlog(2000))
    assert vendor.most_in(WINDOW.per_s) <= WINDOW.calls
    assert 2000 / loop.time() > 0.96 * WINDOW.calls


def test_whoever_gives_up_waiting_leaves_the_turn_to_others(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, Rate(calls=1, per_s=10.0))

    async def work() -> None:
        await vendor.call(FRESH)
        gone = asyncio.ensure_future(vendor.call(FRESH))
        await asyncio.sleep(0)
        gone.cancel()
        await vendor.call(FRESH)

    play(loop, work)
    assert len(vendor.left) == 2
    assert vendor.left[1][0] <= 10.0 * WINDOW_MARGIN + COLD_START_S


def test_items_that_wait_together_leave_in_one_call_and_the_turns_saved_are_free(loop: VirtualLoop) -> None:
    limiter = Limiter(Rate(calls=2, per_s=10.0), SimClock(loop, random.Random(1)))
    batches: list[tuple[float, list[int]]] = []

    async def send(items: list[int]) -> list[int]:
        batches.append((loop.time(), items))
        return items

    batcher: Batcher[int, int] = Batcher(limiter, send, max_batch=50, operation="create")  # type: ignore[arg-type]  # any item

    async def work() -> None:
        async with limiter.turn(FRESH):
            pass
        PRIORITY.set(BULK)
        assert await asyncio.gather(*(batcher.call(number) for number in range(40))) == list(range(40))
        PRIORITY.set(FRESH)
        assert await batcher.call(99) == 99

    play(loop, work)
    assert [len(items) for _, items in batches] == [40, 1]
    assert limiter.granted == 3
    assert batches[1][0] - batches[0][0] < 10.0 * WINDOW_MARGIN + COLD_START_S


def test_after_a_refusal_nothing_leaves_for_as_long_as_told_and_then_more_slowly(loop: VirtualLoop) -> None:
    vendor = Vendor(loop, WINDOW)

    async def work() -> None:
        await vendor.call(FRESH)
        vendor.limiter.pause(3.0)
        await vendor.backlog(30)

    play(loop, work)
    assert vendor.left[1][0] >= 3.0
    assert 0.6 < vendor.limiter.factor() < 1.0


@pytest.mark.parametrize("seed", range(20))
def test_no_mixture_of_callers_goes_over_the_limit(loop: VirtualLoop, seed: int) -> None:
    rng = random.Random(seed)
    vendor = Vendor(loop, WINDOW)

    async def work() -> None:
        calls = []
        for _ in range(150):
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.05, 0.4, 3.0]) * rng.random())
            calls.append(asyncio.ensure_future(vendor.call(rng.choice([FRESH, RETRY, BULK]))))
        await asyncio.gather(*calls)

    play(loop, work)
    assert len(vendor.left) == 150
    assert vendor.most_in(WINDOW.per_s) <= WINDOW.calls
