"""Companies that several deliveries of one connection need at the same time."""

import asyncio
from dataclasses import dataclass, field

MAX_COMPANIES = 1000


@dataclass(slots=True)
class Companies:
    """Each company is made once: who comes second waits for the first and takes what it made."""

    made: dict[str, str] = field(default_factory=dict)
    """Our key -> record, until the links of the deliveries know it."""
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    def turn(self, key: str) -> asyncio.Lock:
        if len(self._turns) > MAX_COMPANIES:
            idle = [name for name, lock in self._turns.items() if not lock.locked()]
            for name in idle:
                del self._turns[name]
                self.made.pop(name, None)
        return self._turns.setdefault(key, asyncio.Lock())
