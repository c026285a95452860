"""How many leads came from one address lately."""

from collections import deque
from dataclasses import dataclass, field

from connectors.doors import RateLimit

MAX_WATCHED_ADDRESSES = 50_000


@dataclass(slots=True)
class RateWatch:
    """Counts leads per source and address in a sliding window; forgets the longest silent first."""

    _seen: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def over(self, source: str, address: str, limit: RateLimit | None, monotonic: float) -> bool:
        if limit is None:
            return False
        times = self._seen.pop((source, address), None) or deque(maxlen=limit.calls)
        over = len(times) == limit.calls and monotonic - times[0] < limit.per_s
        times.append(monotonic)
        self._seen[source, address] = times
        if len(self._seen) > MAX_WATCHED_ADDRESSES:
            del self._seen[next(iter(self._seen))]
        return over
