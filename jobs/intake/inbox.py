"""Requests with events: durable before they are answered, made into calls, leads and messages right afterwards."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from connectors.doors import Inbound, Parsed, Refused, Unreadable
from jobs.intake.events import Taken
from jobs.intake.spool_records import from_record, to_record
from jobs.waking import woken
from leads.clock import Clock
from leads.ids import new_id
from store import inbox
from store.columns import to_us
from store.db import Database, StoreUnavailable
from store.events import WaitingCall, judged_elsewhere
from store.inbox import Pending

log = logging.getLogger(__name__)

AT_ONCE, SLICE_S = 4, 0.004
"""Requests in one transaction, and how long it may begin with another: on SQLite everybody who writes waits for it."""
AT_LEAST = 2
"""Of them are worked on even while senders wait: or those would never let this keep up with them."""
REMEMBERED = 2_000
"""Requests that are not read a second time when their turn comes."""
OTHER_S = 0.05
"""Another process is at it: looked at again after so long."""
BROKEN_S = 1.0
FIRST_AGAIN, LONGEST_AGAIN = timedelta(seconds=5), timedelta(minutes=10)

Read = Callable[[str, Inbound], Parsed]
"""(source, request) -> what its door reads in it. Raises Refused, Unreadable."""
TakeIn = Callable[[Connection, str, Inbound, Parsed, Sequence[str], bool], Taken]
"""The last two: the ids of its leads, if those are not stored yet; whether its sender was over the rate limit."""


@dataclass(slots=True)
class EventInbox:
    """`read` and `take_in` are the intake's; `wake` is told where something became due.

    Any number of processes may `run` it beside each other.
    """

    db: Database
    clock: Clock
    read: Read
    take_in: TakeIn
    unreadable: Parsed
    """What is taken in instead when the door cannot read any more what it could read when it came."""
    wake: Callable[[tuple[str, ...]], None]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _known: dict[str, tuple[Inbound, Parsed]] = field(default_factory=dict)
    """By id, until they are worked on: what this process read itself."""
    _place: int = 0

    async def add(self, source: str, inbound: Inbound, parsed: Parsed) -> None:
        """Durable when this returns; its turn comes at once. Raises StoreUnavailable."""
        self._place = max(to_us(self.clock.now()), self._place + 1)
        record = to_record(source, inbound)
        one = Pending(self._place, new_id(self.clock), source, inbound.received_at, record)
        if len(self._known) < REMEMBERED:
            self._known[one.id] = (inbound, parsed)
        try:
            await self.db.write_in_batch(inbox.add, one, first=True)
        except StoreUnavailable:
            self._known.pop(one.id, None)
            raise
        self.arrived.set()

    async def set_aside(
        self, source: str, inbound: Inbound, ids: Sequence[str], fault: Exception, *, over_rate: bool = False
    ) -> None:
        """A request that could not be taken in: as if its turn had come and failed. Durable when this returns.

        `ids` are those that its leads were promised. Raises StoreUnavailable.
        """
        self._place = max(to_us(self.clock.now()), self._place + 1)
        record = to_record(source, inbound, ids, over_rate=over_rate)
        one = Pending(self._place, new_id(self.clock), source, inbound.received_at, record)
        await self._put_off(one, fault, new=True)

    async def set_call_aside(self, call: WaitingCall, request: Inbound, fault: Exception) -> None:
        """The same for a call that cannot be ended; `request` stands for its end. Once, however often it is told.

        Whoever ends calls does not see it again, unless another event of it comes. Raises StoreUnavailable.
        """
        one = Pending(to_us(call.received_at), call.id, call.source, call.received_at, to_record(call.source, request))
        await self._put_off(one, fault, new=True, call=call)

    async def run(self, idle_s: float) -> None:
        """For ever. Looks every `idle_s` for what a process that died left."""
        told = False
        while True:
            self.arrived.clear()
            try:
                await self.drain()
                told = False
            except (StoreUnavailable, TimeoutError) as error:
                if not told:  # once, however long the database is away
                    log.info("inbox waits", extra={"event": "inbox.waits", "error": type(error).__name__})
                told = True
                await self.clock.sleep(BROKEN_S)
                continue
            if not await woken(self.arrived, idle_s):
                self._known.clear()  # of requests whose commit was not answered: what is still stored is read again

    async def drain(self) -> None:
        """Works on all that is due, oldest first. Raises StoreUnavailable."""
        while True:
            try:
                found = await self.db.write_behind(self._batch)
            except StoreUnavailable:
                raise
            except Exception:  # one of them is at fault: each alone, so that the others pass
                found = await self._one_by_one()
            if found is None:
                await self.clock.sleep(OTHER_S)
                continue
            pending, taken = found
            self._done(pending, taken)
            if not pending:
                return

    def settle(self, conn: Connection, source: str) -> tuple[str, ...]:
        """What came from this source before, inside the caller's transaction, so that what he adds comes after it.

        Returns the connections where something became due.
        """
        due: dict[str, None] = {}
        locked = False
        while pending := inbox.due(conn, self.clock.now(), limit=AT_ONCE, source=source):
            if not locked:
                locked = inbox.lock(conn, wait=True)
                continue  # somebody may have worked on them while we waited
            for one in pending:
                due |= dict.fromkeys(self._take(conn, one).due)
            inbox.done(conn, pending)
        return tuple(due)

    def _batch(self, conn: Connection) -> tuple[list[Pending], list[Taken]] | None:
        """None: another process works on it."""
        if not inbox.lock(conn, wait=False):
            return None
        pending = inbox.due(conn, self.clock.now(), limit=AT_ONCE)
        taken: list[Taken] = []
        until = self.clock.monotonic() + SLICE_S
        for one in pending:
            taken.append(self._take(conn, one))
            if self.clock.monotonic() > until or (len(taken) >= AT_LEAST and self.db.is_awaited()):
                break
        inbox.done(conn, pending := pending[: len(taken)])
        return pending, taken

    async def _one_by_one(self) -> tuple[list[Pending], list[Taken]] | None:
        """After one of them failed: each in a transaction of its own, so that it holds up nobody else."""
        pending = await self.db.read(inbox.due, self.clock.now(), limit=AT_ONCE)
        taken: list[Taken] = []
        for one in pending:
            try:
                found = await self.db.write_behind(self._alone, one)
            except StoreUnavailable:
                raise
            except Exception as error:  # this one waits, whatever it was
                await self._put_off(one, error)
                continue
            if found is None:
                return None
            taken.append(found)
        return pending, taken

    def _alone(self, conn: Connection, one: Pending) -> Taken | None:
        if not inbox.lock(conn, wait=False):
            return None
        if not inbox.waits(conn, one):
            return Taken()
        taken = self._take(conn, one)
        inbox.done(conn, [one])
        return taken

    async def _put_off(
        self, one: Pending, error: Exception, *, new: bool = False, call: WaitingCall | None = None
    ) -> None:
        """Kept and tried again, later each time; people are told (jobs.watch)."""
        again = self.clock.now() + min(FIRST_AGAIN * 2 ** min(one.tries, 10), LONGEST_AGAIN)

        def work(conn: Connection) -> None:
            if call is not None:
                judged_elsewhere(conn, call)
                if inbox.waits(conn, one):
                    return  # its own next time comes
            if new:
                inbox.add(conn, [one])
            inbox.failed(conn, one, type(error).__name__, again)

        log.error(
            "an accepted request cannot be worked on",
            exc_info=error,
            extra={"event": "inbox.failed", "source": one.source, "tries": one.tries + 1},
        )
        await self.db.write(work)

    def _take(self, conn: Connection, one: Pending) -> Taken:
        known = self._known.get(one.id)
        ids: Sequence[str] = ()
        over_rate = False
        if known is None:
            source, inbound, ids, over_rate = from_record(one.record)
            try:
                parsed = self.read(source, inbound)
            except (Refused, Unreadable):
                parsed = self.unreadable
        else:
            inbound, parsed = known
        return self.take_in(conn, one.source, inbound, parsed, ids, over_rate)

    def _done(self, pending: Sequence[Pending], taken: Sequence[Taken]) -> None:
        for one in pending:
            self._known.pop(one.id, None)
        due = tuple(dict.fromkeys(name for one in taken for name in one.due))
        if due:
            self.wake(due)
        if pending:
            log.info("events taken in", extra={"event": "intake.events", "count": len(pending)})
