"""Whether a connection is worth calling: opens after failures in a row, closes when a probe succeeds."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

OPENS_AFTER = 5
FIRST_PROBE_S = 1.0
SLOWEST_PROBE_S = 15.0
"""A CRM that is back is noticed within this long."""

State = Literal["ok", "degraded", "down", "unauthorized"]


@dataclass(slots=True)
class Breaker:
    """Counts failures of the connection itself (not of a lead). Times are monotonic seconds of the caller."""

    state: State = "ok"
    cause: str = ""
    since: datetime | None = None
    failures: int = 0
    probe_at: float = 0.0
    _wait_s: float = field(default=FIRST_PROBE_S)

    @property
    def open(self) -> bool:
        return self.state in ("down", "unauthorized")

    def succeeded(self) -> bool:
        """A call worked; True when the connection was open before."""
        was_open = self.open
        self.state, self.cause, self.since, self.failures = "ok", "", None, 0
        self._wait_s = FIRST_PROBE_S
        return was_open

    def failed(self, cause: str, now: datetime, monotonic: float) -> bool:
        """A call failed for reasons of the connection; True when that opened it."""
        self.failures += 1
        self.cause = cause
        self.since = self.since or now
        if self.open:
            return False
        if self.failures < OPENS_AFTER:
            self.state = "degraded"
            return False
        self.state = "down"
        self._schedule(monotonic)
        return True

    def refused(self, cause: str, now: datetime, monotonic: float) -> bool:
        """The token was refused: open at once; True when it was not open for that before."""
        was = self.state
        self.state, self.cause = "unauthorized", cause
        self.since = self.since or now
        if was != "unauthorized":
            self._wait_s = FIRST_PROBE_S
            self._schedule(monotonic)
        return was != "unauthorized"

    def probe_failed(self, cause: str, monotonic: float, *, unauthorized: bool) -> None:
        self.state = "unauthorized" if unauthorized else "down"
        self.cause = cause
        self._schedule(monotonic)

    def _schedule(self, monotonic: float) -> None:
        self.probe_at = monotonic + self._wait_s
        self._wait_s = min(self._wait_s * 2, SLOWEST_PROBE_S)
