"""What to do after a failed try: outcome, attempt and age -> decision."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Outcome(StrEnum):
    """How a try failed. The connectors' errors are told to this enum by `jobs`: rules know no vendors."""

    RETRYABLE = "retryable"
    """Nothing was written."""
    RATE_LIMITED = "rate_limited"
    """Told to slow down; nothing was written."""
    AUTH = "auth"
    """Token refused or rights lost."""
    PERMANENT = "permanent"
    """Refused for what was in it; nothing was written."""
    UNKNOWN = "unknown"
    """Sent, and no answer that can be trusted."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits grow from `base_s` by `factor` up to `cap_s`, each drawn from its upper part (see `wait_s`).

    With the defaults at least 12 tries fall into the first 10 minutes even if every draw is
    the longest: 1 + 1.6 + ... (12 waits) = 467 s.
    """

    base_s: float = 1.0
    factor: float = 1.6
    cap_s: float = 600.0
    max_age: timedelta = timedelta(days=3)
    rate_limit_cap_s: float = 3_600.0
    """However long a vendor says to wait, we ask again after this: clocks and headers are wrong at times."""


DEFAULT = RetryPolicy()
FLOOR = 0.1  # share of a wait that is never drawn away: a crowd of zero waits would be a busy loop


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at`. `look_up_first`: ask by our key whether the earlier try did its work.

    `spends_attempt` False: the try does not count towards the growth of waits.
    `hold_connection_until`: no other delivery of the connection may go out before.
    """

    at: datetime
    look_up_first: bool = False
    spends_attempt: bool = True
    hold_connection_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Waits for a person. `reason`: "refused" (retrying cannot help) or "too_old" (tried for `age`)."""

    reason: str
    age: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class PauseConnection:
    """The whole connection waits for a person; no attempt is spent, no delivery grows old by it."""


Decision = RetryAt | DeadLetter | PauseConnection


def wait_s(attempt: int, jitter: float, policy: RetryPolicy = DEFAULT) -> float:
    """Seconds to wait after try number `attempt` (from 1): jitter over all but a tenth of the ceiling."""
    # The exponent is bounded: 1.6 ** 2000 is not a float.
    ceiling = min(policy.cap_s, policy.base_s * policy.factor ** min(attempt - 1, 64))
    return ceiling * (FLOOR + (1 - FLOOR) * jitter)


def decide(
    outcome: Outcome,
    attempt: int,
    first_due: datetime,
    now: datetime,
    jitter: float,
    *,
    retry_after_s: float | None = None,
    policy: RetryPolicy = DEFAULT,
) -> Decision:
    """`attempt` counts from 1; `jitter` is in [0, 1), drawn by the caller; the first try was due at `first_due`.

    The last try falls on the end of `max_age` itself. Being told to slow down and a refused token are no
    faults of the lead: they never make a dead letter, however long they last.
    """
    match outcome:
        case Outcome.AUTH:
            return PauseConnection()
        case Outcome.PERMANENT:
            return DeadLetter("refused", max(now - first_due, timedelta(0)))
        case Outcome.RATE_LIMITED:
            told_s = 1.0 if retry_after_s is None else min(max(retry_after_s, 0.1), policy.rate_limit_cap_s)
            # Up to a tenth later, so that not everybody who was told the same moment comes in it.
            at = now + timedelta(seconds=told_s + jitter * max(0.25, told_s * 0.1))
            return RetryAt(at, spends_attempt=False, hold_connection_until=at)
        case Outcome.RETRYABLE | Outcome.UNKNOWN:
            return _retry(outcome, attempt, first_due, now, jitter, retry_after_s, policy)


def _retry(
    outcome: Outcome,
    attempt: int,
    first_due: datetime,
    now: datetime,
    jitter: float,
    retry_after_s: float | None,
    policy: RetryPolicy,
) -> Decision:
    deadline = first_due + policy.max_age
    if now >= deadline:
        return DeadLetter("too_old", now - first_due)
    seconds = wait_s(attempt, jitter, policy)
    if retry_after_s is not None:  # a 503 with Retry-After
        seconds = max(seconds, min(retry_after_s, policy.cap_s))
    at = min(now + timedelta(seconds=seconds), deadline)
    return RetryAt(at, look_up_first=outcome is Outcome.UNKNOWN)
