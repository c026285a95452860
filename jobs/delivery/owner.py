"""One owner per connection: claims what is due, delivers it, settles it, for as long as the lease is ours.

The limiter, the breaker, the token refresh and the order of leads are plain local code,
because nobody else works on this connection at the same time.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection

from connectors.base import Capabilities, Target
from connectors.errors import (
    AuthError,
    PermanentError,
)
from connectors.http import CALL_LOG, MAY_WRITE, CallRecord
from connectors.limits import BULK, FRESH, PRIORITY, RETRY
from jobs.checkpoints import Checkpoint, passed
from jobs.delivery.account import keep_apart
from jobs.delivery.beside import Beside, Lanes
from jobs.delivery.breaker import Breaker
from jobs.delivery.companies import Companies
from jobs.delivery.deliver import Run
from jobs.delivery.drafts import Planner
from jobs.delivery.health import TRIALS, ConnectionHealth
from jobs.delivery.outcomes import Outcomes
from jobs.delivery.progress import Progress, SentTimes
from jobs.leasing import LeaseKeeper
from jobs.pace import NORMAL, Pace
from jobs.reporting import Reporter
from jobs.waking import STORE_RETRY_S, stored, woken
from leads import retry
from leads.clock import Clock
from leads.ids import new_id
from store import mending, outbox
from store.db import Database, StoreUnavailable
from store.delivery_records import AttemptRecord, Claimed, ClaimResult, Intent, Settlement
from store.leases import Held, LostLease

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 64
FRESH_RESERVE = 16
"""Fresh leads may be claimed although the backlog fills all other places."""
AGING_S = 1.0
"""Between two looks for fresh leads that have become backlog."""
STOP_WAIT_S = 8.0


class FollowUps(Protocol):
    """Does what is owed after settling; `jobs.delivery.follow_ups` is the real one."""

    async def run_due(self, held: Held, lanes: Lanes, stopping: Callable[[], bool]) -> None: ...


class Notes(Protocol):
    """Writes what was said after a lead; `jobs.talks.note_writer` is the real one."""

    async def run_due(self, held: Held, stopping: Callable[[], bool]) -> None: ...

    async def mend(self, held: Held) -> None: ...


@dataclass(slots=True)
class ConnectionOwner:
    """Call `run` once; `wake` when something became due; `stop` to hand everything back and return."""

    name: str
    target: Target
    capabilities: Capabilities
    db: Database
    clock: Clock
    planner: Callable[[Held, Claimed], Planner]
    reporter: Reporter
    policy: retry.RetryPolicy = retry.DEFAULT
    checkpoint: Checkpoint = passed
    hub_id: str = ""
    pace: Pace = NORMAL
    address: str = ""
    """Of the account: records of another one are not taken for its own."""
    follow_ups: FollowUps | None = None
    notes: Notes | None = None
    on_owned: Callable[[], None] = lambda: None
    """Called when the lease was taken: what deliveries need may be read ahead."""
    on_fields_refused: Callable[[], None] = lambda: None
    """Called when the CRM refused fields: what is remembered of it is out of date."""
    breaker: Breaker = field(default_factory=Breaker)
    outcomes: Outcomes = field(init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    _look_at: float = float("-inf")
    """When to look for due deliveries again, on the monotonic clock: at once after each wake-up."""
    _wakes: int = 0
    _wakes_seen: int = 0
    """How many wake-ups the last look answered."""
    _all_taken: bool = False
    """Whether the last look took all that was due; else the next one follows when a delivery ends."""
    _aged_at: float = float("-inf")
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lanes: Lanes = field(default_factory=Lanes)
    _noting: Beside = field(init=False)
    _following: Beside = field(init=False)
    _sent_times: SentTimes = field(init=False)
    _companies: Companies = field(default_factory=Companies)
    _keeper: LeaseKeeper = field(init=False)
    _health: ConnectionHealth = field(init=False)

    def __post_init__(self) -> None:
        self._sent_times = SentTimes(self.clock)
        self._noting = Beside("note", self.name, self.clock, self._refused)
        self._following = Beside("follow_up", self.name, self.clock, self._refused)
        self._keeper = LeaseKeeper(self.name, self.db, self.clock, self.pace, self.hub_id)
        self._health = ConnectionHealth(
            name=self.name,
            ping=self.target.ping,
            db=self.db,
            clock=self.clock,
            reporter=self.reporter,
            policy=self.policy,
            breaker=self.breaker,
            wake=self.wake,
        )
        self.outcomes = Outcomes(
            name=self.name,
            clock=self.clock,
            capabilities=self.capabilities,
            breaker=self.breaker,
            reporter=self.reporter,
            policy=self.policy,
            report_down=self._health.report_down,
            on_fields_refused=self.on_fields_refused,
        )

    @property
    def owning(self) -> bool:
        return self._keeper.holding

    def try_now(self) -> None:
        """A person pressed retry: a connection that is down is asked at once, not at its next probe."""
        self.breaker.probe_at = 0.0
        self.wake()

    def wake(self) -> None:
        """Something became due."""
        self._wakes += 1
        self._look_at = float("-inf")
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._keeper.stop()
        self._wake.set()

    async def run(self) -> None:
        """Works whenever the lease is ours, until stopped."""
        await self._keeper.run(self._own)

    async def _own(self, held: Held) -> None:
        MAY_WRITE.set(self._keeper.surely_ours)  # for all that is started from here
        try:
            await self._work(held)
            now = self.clock.now()
            await self._cancel_running()
            await self.db.write(mending.hand_back, held, now)
        finally:
            await self._cancel_running()

    async def _cancel_running(self) -> None:
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def _tasks(self) -> list[asyncio.Task[None]]:
        beside = (self._noting.task, self._following.task)
        return [*self._running.values(), *(task for task in beside if task is not None)]

    async def _work(self, held: Held) -> None:
        now = self.clock.now()
        left = await self.db.write(mending.take_over, held, now)
        # A new owner tries everything at once: times of an earlier one may come from a clock that was wrong.
        await self.db.write(mending.make_due, self.name, now)
        await self.db.write(keep_apart, held, self.address)
        await self._health.inherit()
        if left:
            log.warning("unsettled deliveries taken over", extra={**self._fields("owner.took_over"), "count": left})
        if self.notes is not None:
            await self.notes.mend(held)
        self.on_owned()
        mend_at = self.clock.monotonic() + self.pace.mend_s
        while not self._stopping:
            self._wake.clear()
            try:
                if self.clock.monotonic() >= mend_at:
                    mend_at = self.clock.monotonic() + self.pace.mend_s
                    await self._mend(held)
                    self._look_at = float("-inf")
                wait_s = await (self._health.probe() if self.breaker.open else self._look(held))
                wait_s = min(wait_s, self._work_beside(held))
            except StoreUnavailable:
                self._look_at = float("-inf")
                wait_s = STORE_RETRY_S
            await self._pause(wait_s)
        await self._finish_running()

    def _work_beside(self, held: Held) -> float:
        """Notes of conversations, and what records lack: neither they nor the leads wait for the other.

        Returns when to ask again, in seconds.
        """
        wait_s = self.pace.idle_s
        if self._not_now():
            return wait_s
        if (notes := self.notes) is not None:
            wait_s = min(wait_s, self._noting.begin(lambda: notes.run_due(held, self._not_now)))
        if (follow_ups := self.follow_ups) is not None:
            wait_s = min(wait_s, self._following.begin(lambda: follow_ups.run_due(held, self._lanes, self._not_now)))
        return wait_s

    def _not_now(self) -> bool:
        return self._stopping or self.breaker.open

    async def _refused(self, error: AuthError) -> None:
        if self.breaker.refused(str(error), self.clock.now(), self.clock.monotonic()):
            await self._health.report_down()

    async def _mend(self, held: Held) -> None:
        """What a fault of ours or a wrong clock left behind is tried again instead of waiting for ever."""
        if self.notes is not None:
            await self.notes.mend(held)
        now, running = self.clock.now(), set(self._running)
        count = await self.db.write(mending.release_forgotten, held, running, now)
        clamped = await self.db.write(mending.clamp_due, self.name, now)
        if clamped:
            log.warning("tries were dated too far ahead", extra={**self._fields("owner.clamped"), "count": clamped})
        if count:
            log.error("deliveries had been forgotten", extra={**self._fields("owner.forgot"), "count": count})

    async def _look(self, held: Held) -> float:
        """Claims when something may be due; returns how long nothing else can happen by itself.

        Most deliveries end without making anything due: who knows that all was taken need not ask again.
        """
        if self.clock.monotonic() >= self._look_at:
            wait_s = await self._claim(held)
            if self._wakes == self._wakes_seen:
                self._look_at = self.clock.monotonic() + wait_s
        return self._look_at - self.clock.monotonic()

    async def _claim(self, held: Held) -> float:
        """Starts what is due; returns when to look again, in seconds."""
        self._all_taken, self._wakes_seen = False, self._wakes
        free = MAX_IN_FLIGHT - len(self._running)
        if self.breaker.trying:
            free = TRIALS - len(self._running)
            if free <= 0:
                return self.pace.idle_s
        limit = free if free > 0 else free + FRESH_RESERVE
        if limit <= 0:
            return self.pace.idle_s
        now, aging = self.clock.now(), self.clock.monotonic() >= self._aged_at + AGING_S
        if aging:
            self._aged_at = self.clock.monotonic()

        def claim(conn: Connection) -> ClaimResult:
            self._wakes_seen = self._wakes  # who woke us until now had written it before
            return outbox.claim(conn, held, now, limit=limit, fresh_only=free <= 0, aging=aging)

        result = await self.db.write(claim)
        self._all_taken = len(result.claimed) < limit and free > 0 and not self.breaker.trying
        if result.claimed:
            await self.checkpoint("claimed")
        for claimed in result.claimed:
            task = asyncio.create_task(self._deliver(held, claimed))
            self._running[claimed.id] = task
            task.add_done_callback(partial(self._ended, claimed.id))
        if len(result.claimed) == limit:
            return 0.0
        if result.next_due is not None:
            return min(self.pace.idle_s, max(0.0, (result.next_due - now).total_seconds()))
        return self.pace.idle_s

    def _ended(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        self._running.pop(delivery_id, None)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, LostLease):
            log.error("delivery failed inside the hub", exc_info=error, extra=self._fields("delivery.bug"))
        if self._all_taken:
            self._wake.set()  # it may have opened the breaker
        else:
            self.wake()

    async def _finish_running(self) -> None:
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=STOP_WAIT_S)

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await woken(self._wake, seconds)

    # --- one delivery -----------------------------------------------------------------------

    async def _deliver(self, held: Held, claimed: Claimed) -> None:
        async with self._lanes.of(claimed.person.id):
            await self._deliver_in_turn(held, claimed)

    async def _deliver_in_turn(self, held: Held, claimed: Claimed) -> None:
        calls: list[CallRecord] = []
        CALL_LOG.set(calls)
        PRIORITY.set({outbox.FRESH: FRESH, outbox.BULK: BULK}.get(claimed.priority, RETRY))
        started_at, started = self.clock.now(), self.clock.monotonic()
        run = Run(
            claimed=claimed,
            target=self.target,
            capabilities=self.capabilities,
            planner=self.planner(held, claimed),
            clock=self.clock,
            intend=partial(self._intend, held, claimed.id),
            checkpoint=self.checkpoint,
            sent_times=self._sent_times,
            companies=self._companies,
        )
        try:
            result = await run.deliver()
        except LostLease:
            raise
        except Exception as error:  # one delivery ends, whatever it was; the others go on
            if isinstance(error, PermanentError):  # it judges what we send
                await self._health.works()
            settlement = await self.outcomes.after_failure(held, run, error)
        else:
            settlement = self.outcomes.after_success(held, run, result)
            await self._health.works()
            await self.checkpoint("settling")
        attempt = AttemptRecord(
            id=new_id(self.clock),
            number=claimed.attempt,
            started_at=started_at,
            took_ms=round((self.clock.monotonic() - started) * 1000),
            outcome=settlement.outcome,
            error=settlement.last_error,
            calls=[call.to_json() for call in calls],
        )
        await self._settle(settlement, attempt)

    async def _intend(self, held: Held, delivery_id: str, progress: Progress) -> None:
        await self.db.write_in_batch(outbox.intend, Intent(held, delivery_id, progress.to_json()))

    async def _settle(self, settlement: Settlement, attempt: AttemptRecord) -> None:
        """Stores the outcome; while the database is away it is kept and tried again: we know it, so we say it."""
        settlement = replace(settlement, attempt=attempt)
        more_due = await stored(partial(self.db.write_in_batch, outbox.settle, settlement), self.clock)
        if more_due:
            self.wake()
        if settlement.state in ("delivered", "dead"):
            self._sent_times.forget(settlement.delivery_id)
        log.log(
            logging.INFO if settlement.state == "delivered" else logging.WARNING,
            "delivery settled",
            extra={
                **self._fields("delivery.settled"),
                "delivery_id": settlement.delivery_id,
                "lead_id": settlement.lead_id,
                "attempt": attempt.number,
                "state": settlement.state,
                "outcome": settlement.outcome,
                "took_ms": attempt.took_ms,
                "error": settlement.last_error,
            },
        )

    def _fields(self, event: str) -> dict[str, Any]:
        return {"event": event, "connection": self.name}
