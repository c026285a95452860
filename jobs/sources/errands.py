"""Runs the errands of one source: asks the vendor, takes in what it tells, and gives up only aloud."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from connectors.doors import Parsed
from connectors.errors import (
    AuthError,
    ConnectorError,
    NoAccessError,
    PermanentError,
    RateLimitedError,
    TooEarlyError,
)
from connectors.events import Errand
from connectors.links import Fetches
from jobs.checkpoints import Checkpoint, passed
from jobs.intake.events import Taken
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.pace import NORMAL, Pace
from jobs.waking import in_rounds, together
from leads import retry
from leads.clock import Clock
from leads.retry import DeadLetter, Outcome, RetryAt
from store import errands
from store.db import Database, StoreUnavailable
from store.errands import Claimed, Settlement
from store.intake import RawRequest
from store.leases import Held, LostLease

log = logging.getLogger(__name__)

AT_ONCE = 4
FETCH_S = 90.0
"""A vendor that has not told it by then is asked again."""
DOWN_AFTER = 3
"""So many failures in a row are the vendor's: then one errand at a time is tried, and none grows too old."""
LONGEST_PAUSE_S = 60.0
TOKEN_PAUSE_S = 60.0
"""Between two tries with a token that was refused: somebody may have mended its rights."""
NO_ACCESS_S = 900.0
"""Settings that lack the token change only with a new start."""


@dataclass(slots=True)
class ErrandRuns:
    """`run` until cancelled; `wake` when something became due."""

    source: Source
    link: Fetches
    db: Database
    clock: Clock
    intake: IntakeService
    policy: retry.RetryPolicy = retry.DEFAULT
    checkpoint: Checkpoint = passed
    pace: Pace = NORMAL
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0
    _paused_until: float = float("-inf")

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        """A person wants it tried, whatever the vendor said last."""
        self._paused_until = float("-inf")
        self._wake.set()

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable."""
        await self.db.write(errands.take_over, held=held, source=self.source.name, now=self.clock.now())
        await in_rounds(self._wake, partial(self._round, held))

    async def _round(self, held: Held) -> float:
        """Runs what is due; returns how long nothing else can happen by itself."""
        paused_s = self._paused_until - self.clock.monotonic()
        if paused_s > 0:
            return paused_s
        name, now = self.source.name, self.clock.now()
        due = await self.db.read(errands.next_due, source=name)
        if due is None or due > now:
            return self.pace.until(due, now)
        limit = AT_ONCE if self._failures == 0 else 1
        claimed = await self.db.write(errands.claim, held=held, source=name, now=now, limit=limit)
        await together(self._try(held, one) for one in claimed)
        return 0.0

    async def _try(self, held: Held, one: Claimed) -> None:
        """Raises LostLease, StoreUnavailable: then whoever owns the source next asks the vendor again."""
        try:
            async with asyncio.timeout(FETCH_S):
                parsed = await self.link.fetch(Errand(one.kind, one.key, one.data))
            await self.checkpoint("fetched")
            taken = await self.db.write(self._take_in, held=held, one=one, parsed=parsed)
        except (LostLease, StoreUnavailable):
            raise
        except Exception as error:  # one errand ends, whatever it was; the others go on
            await self._failed(held, one, error)
            return
        log.info("errand done", extra={**self._fields("errand.done", one), "leads": len(taken.leads)})
        self.intake.wake(taken.due)
        await self._works(held)

    def _take_in(self, conn: Connection, held: Held, one: Claimed, parsed: Parsed) -> Taken:
        """What was read and that it was read: one commit."""
        taken = self.intake.take_in(conn, self.source, read_as(f"errand {one.kind}", parsed), parsed)
        errands.settle(conn, held, one.id, Settlement("done", self.clock.now(), lead_ids=taken.leads))
        return taken

    async def _works(self, held: Held) -> None:
        was_down, self._failures = self._failures >= DOWN_AFTER, 0
        if was_down:
            now = self.clock.now()
            youngest = now - self.policy.max_age * 2 / 3
            await self.db.write(errands.make_due, held=held, source=self.source.name, now=now, youngest=youngest)
            log.info("source answers again", extra={"event": "source.up", "source": self.source.name})

    async def _failed(self, held: Held, one: Claimed, error: Exception) -> None:
        settlement = self._after(one, error)
        known = isinstance(error, ConnectorError | TimeoutError)
        log.log(
            logging.WARNING if known else logging.ERROR,
            "errand not done",
            exc_info=None if known else error,
            extra={**self._fields("errand.failed", one), "state": settlement.state, "error": settlement.last_error},
        )
        await self.db.write(errands.settle, held=held, errand_id=one.id, done=settlement)

    def _after(self, one: Claimed, error: Exception) -> Settlement:
        now, text = self.clock.now(), str(error) if isinstance(error, ConnectorError) else type(error).__name__
        match error:
            case NoAccessError():
                return self._paused(Settlement("ready", now, None, "auth", text, count_attempt=False), NO_ACCESS_S)
            case AuthError():
                return self._paused(Settlement("ready", now, None, "auth", text, count_attempt=False), TOKEN_PAUSE_S)
            case TooEarlyError():
                due_at = now + timedelta(seconds=error.wait_s)
                return Settlement("ready", now, due_at, "retryable", text, count_attempt=False)
            case PermanentError():
                self._failures = 0  # it judges this one, so it answers
                return Settlement("dead", now, error_kind="refused", last_error=text)
        told_s = error.retry_after_s if isinstance(error, RateLimitedError) else None
        outcome = Outcome.RETRYABLE if told_s is None else Outcome.RATE_LIMITED
        if told_s is None:
            self._failures += 1
        down = self._failures >= DOWN_AFTER
        decision = retry.decide(
            outcome, one.attempt, one.age_from, now, self.clock.random(), retry_after_s=told_s, policy=self.policy
        )
        match decision:
            case RetryAt(at=at, spends_attempt=counts, hold_connection_until=hold):
                settlement = Settlement("ready", now, at, outcome.value, text, count_attempt=counts)
                wait_s = (hold - now).total_seconds() if hold else 0.0
                return self._paused(settlement, max(wait_s, self._pause_s() if down else 0.0))
            case DeadLetter() if not down:
                return Settlement("dead", now, error_kind="too_old", last_error=text)
        later = Settlement("ready", now, now + timedelta(seconds=LONGEST_PAUSE_S), "retryable", text)
        return self._paused(later, self._pause_s())

    def _paused(self, settlement: Settlement, seconds: float) -> Settlement:
        self._paused_until = max(self._paused_until, self.clock.monotonic() + seconds)
        return settlement

    def _pause_s(self) -> float:
        longest = retry.wait_s(self._failures - DOWN_AFTER + 1, self.clock.random(), self.policy)
        return min(LONGEST_PAUSE_S, longest)

    def _fields(self, event: str, one: Claimed) -> dict[str, Any]:
        return {"event": event, "source": self.source.name, "errand_id": one.id, "attempt": one.attempt}


def read_as(how: str, parsed: Parsed) -> RawRequest:
    """What stands in the place of the raw request of a lead that we asked for: what was understood of the answer."""
    body = {"read": how, "leads": parsed.leads, "calls": parsed.calls, "payments": parsed.payments}
    return RawRequest("", "", {}, to_json({name: value for name, value in body.items() if value}))
