"""Time and chance: the only module that asks the machine for either.

Everything that waits, dates or draws takes a `Clock`, so that the simulator can run
three days of outage in a second and replay a failing seed exactly.
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Protocol

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's monotonic clock stands still while the machine is suspended; a lease does not."""


class Clock(Protocol):
    last_id: int
    """The number of the id that was made last (`leads.ids`), 0 before the first."""

    def now(self) -> datetime:
        """Wall time, aware, UTC. May jump: never measure a delay with it."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, also while the machine is suspended."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def random(self) -> float:
        """A draw from [0, 1)."""
        ...

    def random_bits(self, bits: int) -> int: ...


class SystemClock:
    """The machine's own clock and chance."""

    last_id: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_STEADY)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return random.random()

    def random_bits(self, bits: int) -> int:
        return random.getrandbits(bits)
