"""How often a password may be wrong: per address, and per address and login."""

from collections import deque
from dataclasses import dataclass, field

MAX_WATCHED = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `failures` within `per_s` seconds."""

    failures: int
    per_s: float


PER_ADDRESS = Limit(20, 900.0)
PER_LOGIN_HERE = Limit(5, 300.0)
"""One login from one address. By login alone would let anybody lock its owner out."""


@dataclass(slots=True)
class LoginThrottle:
    """Failures in memory; times are monotonic seconds of the caller."""

    _failures: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def wait_s(self, ip: str, login: str, monotonic: float) -> float:
        """Seconds until the next try is allowed; 0 now."""
        return max(
            self._wait((ip, ""), PER_ADDRESS, monotonic),
            self._wait((ip, login), PER_LOGIN_HERE, monotonic),
        )

    def failed(self, ip: str, login: str, monotonic: float) -> None:
        for key, limit in (((ip, ""), PER_ADDRESS), ((ip, login), PER_LOGIN_HERE)):
            times = self._failures.pop(key, None) or deque(maxlen=limit.failures)
            times.append(monotonic)
            self._failures[key] = times  # the longest silent stand first
            if len(self._failures) > MAX_WATCHED:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, ip: str, login: str) -> None:
        self._failures.pop((ip, login), None)

    def _wait(self, key: tuple[str, str], limit: Limit, monotonic: float) -> float:
        times = self._failures.get(key)
        if not times or len(times) < limit.failures:
            return 0.0
        return max(0.0, times[0] + limit.per_s - monotonic)
