"""Whether a connection is worth calling: opens after failures in a row, closes when a delivery succeeds."""

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
    """Counts failures of the connection itself (not of a lead). Times are monotonic seconds of the caller.

    A probe only reads. After one that worked the breaker is `trying`: a few deliveries go out,
    and the first of them that succeeds closes it, the first that fails opens it again.
    """

    state: State = "ok"
    cause: str = ""
    since: datetime | None = None
    failures: int = 0
    probe_at: float = 0.0
    trying: bool = False
    reachable: bool = False
    """Whether the CRM has answered since it last did not, or since we began: only then do leads grow too old."""
    _wait_s: float = field(default=FIRST_PROBE_S)

    @property
    def open(self) -> bool:
        """Nothing is sent but probes."""
        return self.down and not self.trying

    @property
    def down(self) -> bool:
        return self.state in ("down", "unauthorized")

    def succeeded(self) -> bool:
        """A delivery worked; True when the connection was down before."""
        was_down = self.down
        self.state, self.cause, self.since, self.failures = "ok", "", None, 0
        self.trying, self.reachable = False, True
        self._wait_s = FIRST_PROBE_S
        return was_down

    def failed(self, cause: str, now: datetime, monotonic: float) -> bool:
        """A call failed for reasons of the connection; True when people should hear of it."""
        self.failures += 1
        self.cause = cause
        self.since = self.since or now
        if self.open:
            return False
        if self.down:
            self.trying = False
            was, self.state = self.state, "down"
            self._schedule(monotonic)
            return was != "down"
        if self.failures < OPENS_AFTER:
            self.state = "degraded"
            return False
        self.state = "down"
        self._schedule(monotonic)
        return True

    def refused(self, cause: str, now: datetime, monotonic: float) -> bool:
        """The token was refused: open at once; True when it was not open for that before."""
        was, was_trying = self.state, self.trying
        self.state, self.cause, self.trying = "unauthorized", cause, False
        self.since = self.since or now
        if was != "unauthorized":
            self._wait_s = FIRST_PROBE_S
        if was != "unauthorized" or was_trying:
            self._schedule(monotonic)
        return was != "unauthorized"

    def inherited(self, cause: str, since: datetime, *, unauthorized: bool) -> None:
        """An owner before us found the connection down: a probe shows whether it still is."""
        if not self.down:
            self.state, self.cause, self.since = "unauthorized" if unauthorized else "down", cause, since
            self.trying, self.probe_at = False, 0.0

    def probe_failed(self, cause: str, monotonic: float, *, unauthorized: bool) -> None:
        self.state = "unauthorized" if unauthorized else "down"
        self.cause = cause
        self.reachable = False
        self._schedule(monotonic)

    def probe_worked(self) -> None:
        self.trying = True

    def _schedule(self, monotonic: float) -> None:
        self.probe_at = monotonic + self._wait_s
        self._wait_s = min(self._wait_s * 2, SLOWEST_PROBE_S)
