"""How often the hub looks by itself, in seconds. Work is woken at once; these are what a missed wake-up costs."""

from dataclasses import dataclass
from datetime import datetime

from store import leases


@dataclass(frozen=True, slots=True)
class Pace:
    """`lease_ttl_s`: a killed owner's work is taken over after at most this and `contend_s`."""

    lease_ttl_s: float = leases.TTL_S
    renew_s: float = leases.RENEW_S
    contend_s: float = 1.0
    idle_s: float = 5.0
    look_s: float = 5.0
    mend_s: float = 30.0
    tidy_s: float = 600.0
    clock_s: float = 1.0
    alerts_s: float = 5.0

    def until(self, due: datetime | None, now: datetime) -> float:
        """How long to wait for what is due then, or for nothing that is known."""
        return self.idle_s if due is None else min(self.idle_s, (due - now).total_seconds())


NORMAL = Pace()
