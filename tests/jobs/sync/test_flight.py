"""Batches on their way at once: no pair in two of them, and one that fails does not lose the others."""

import asyncio
from functools import partial

import pytest

from connectors.errors import ConnectorError, RetryableError
from jobs.sync.flight import Flight
from jobs.sync.run import Stopped


class Batches:
    """Each waits until it is let land; what came to its end stands in `landed`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.landed: list[str] = []
        self.cancelled: list[str] = []
        self._free: dict[str, asyncio.Event] = {}

    def let(self, *names: str) -> None:
        for name in names:
            self._free.setdefault(name, asyncio.Event()).set()

    async def fly(self, name: str, error: Exception | None = None) -> None:
        self.begun.append(name)
        try:
            await self._free.setdefault(name, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        if error is not None:
            raise error
        self.landed.append(name)


async def turns(many: int = 5) -> None:
    """Lets every task that can go on do so; nothing here waits for time."""
    for _ in range(many):
        await asyncio.sleep(0)


def refused() -> ConnectorError:
    return RetryableError("not now", "update contacts")


def test_a_pair_is_in_one_batch_only_until_that_lets_it_go() -> None:
    flight = Flight(2)
    assert flight.claim(["a", "b"]) == {"a", "b"}
    assert flight.claim(["b", "c"]) == {"c"}
    flight.release(["a", "b"])
    assert flight.claim(["a", "b", "c"]) == {"a", "b"}


async def test_no_more_are_on_their_way_than_there_are_places() -> None:
    batches = Batches()
    async with Flight(2) as flight:
        for name in ("one", "two"):
            await flight.start(partial(batches.fly, name))
        third = asyncio.ensure_future(flight.start(lambda: batches.fly("three")))
        await turns()
        assert (batches.begun, third.done()) == (["one", "two"], False)
        batches.let("two")
        await third
        await turns()
        assert batches.begun == ["one", "two", "three"]
        assert (flight.full(""), flight.full("other")) == (True, False)
        await flight.start(partial(batches.fly, "four"), "other")  # kinds do not wait for each other
        batches.let("one", "three", "four")
    assert sorted(batches.landed) == ["four", "one", "three", "two"]


async def test_whoever_must_be_alone_begins_when_all_have_landed() -> None:
    batches = Batches()
    async with Flight(3) as flight:
        for name in ("one", "two"):
            await flight.start(partial(batches.fly, name))
        alone = asyncio.ensure_future(flight.landed())
        batches.let("one")
        await turns()
        assert not alone.done()
        batches.let("two")
        await alone
        assert sorted(batches.landed) == ["one", "two"]


async def test_a_batch_that_fails_is_told_after_the_others_have_landed() -> None:
    batches, error = Batches(), refused()
    with pytest.raises(ConnectorError) as told:
        async with Flight(3) as flight:
            await flight.start(lambda: batches.fly("bad", error))
            for name in ("one", "two"):
                await flight.start(partial(batches.fly, name))
            batches.let("bad")
            asyncio.get_running_loop().call_later(0.01, batches.let, "one", "two")
            await flight.landed()
    assert told.value is error
    assert (sorted(batches.landed), batches.cancelled) == (["one", "two"], [])


async def test_the_failure_of_an_earlier_batch_ends_the_starting_of_later_ones() -> None:
    batches = Batches()
    with pytest.raises(ConnectorError):
        async with Flight(2) as flight:
            await flight.start(lambda: batches.fly("bad", refused()))
            await flight.start(lambda: batches.fly("good"))
            batches.let("bad", "good")
            await flight.start(lambda: batches.fly("never"))
    assert (batches.landed, batches.begun) == (["good"], ["bad", "good"])


async def test_who_wants_to_stop_waits_for_what_is_on_its_way() -> None:
    batches = Batches()
    with pytest.raises(Stopped):
        async with Flight(2) as flight:
            await flight.start(lambda: batches.fly("one"))
            asyncio.get_running_loop().call_later(0.01, batches.let, "one")
            raise Stopped
    assert (batches.landed, batches.cancelled) == (["one"], [])


async def test_what_no_crm_said_cancels_the_others() -> None:
    batches = Batches()
    with pytest.raises(OSError, match="store"):
        async with Flight(2) as flight:
            await flight.start(lambda: batches.fly("one"))
            await turns()
            await flight.start(lambda: batches.fly("lost", OSError("the store is away")))
            batches.let("lost")
            await flight.landed()
    assert (batches.landed, batches.cancelled) == ([], ["one"])
