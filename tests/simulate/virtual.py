"""An event loop whose time jumps to the next thing to do, and the clock that goes with it."""

import asyncio
import random
import selectors
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Stalled(Exception):
    """Everybody waits and nothing will ever happen."""


class _Selector(selectors.SelectSelector):
    """Instead of waiting, moves the loop's time."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stalled
        if timeout > 0:
            self.loop.virtual_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self.virtual_s = 0.0

    def time(self) -> float:
        return self.virtual_s


class SimClock:
    """Virtual time plus a wall clock that may be set wrong by `skew`; all chance from one seed."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self.skew = timedelta(0)
        self.last_id = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.virtual_s) + self.skew

    def monotonic(self) -> float:
        return self._loop.virtual_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return self._rng.random()

    def random_bits(self, bits: int) -> int:
        return self._rng.getrandbits(bits)
