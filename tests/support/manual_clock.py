"""A clock that a test moves by hand; sleeping moves it too."""

import asyncio
import random
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Starts at a fixed moment; `forward` moves wall and monotonic time, `jump` the wall only."""

    def __init__(self, start: datetime = datetime(2026, 11, 24, 11, 2, tzinfo=UTC), seed: int = 1) -> None:
        self._now = start
        self._monotonic = 1000.0
        self._random = random.Random(seed)
        self.slept: list[float] = []
        self.last_id = 0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.forward(seconds)
        await asyncio.sleep(0)

    def random(self) -> float:
        return self._random.random()

    def random_bits(self, bits: int) -> int:
        return self._random.getrandbits(bits)

    def forward(self, seconds: float) -> None:
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
