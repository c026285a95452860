"""A request at a door -> one commit -> an answer. Nothing before the commit may answer 2xx."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from connectors.doors import (
    Door,
    Inbound,
    Parsed,
    ParsedLead,
    Receipt,
    Refused,
    Reply,
    Unreadable,
)
from jobs.calls.recordings import Recordings
from jobs.checkpoints import Checkpoint, passed
from jobs.delivery.renewing import Renewal
from jobs.intake.events import EventIntake, Taken, flagged
from jobs.intake.inbox import EventInbox
from jobs.intake.judging import call_to_end, judge_calls
from jobs.intake.kept import dedup_keys, raw_of, to_lead
from jobs.intake.rates import RateWatch
from jobs.intake.routing import Router
from jobs.intake.source import Source
from jobs.intake.spool_records import from_record, to_record
from jobs.intake.spooling import Spooled
from jobs.sources.refusing import Refusals
from jobs.talks.conversations import TalkRules
from jobs.talks.deal_notes import DealNotes
from jobs.talks.matching import match_waiting
from leads.clock import Clock
from leads.ids import new_id
from leads.lines import Lines
from leads.records import Lead
from store.db import Database, StoreUnavailable
from store.intake import Acceptance, Accepted, Intake, PlannedDelivery, RawRequest, TellTie
from store.spool import Spool, SpoolUnavailable

log = logging.getLogger(__name__)

UNREADABLE = Parsed((ParsedLead(flags=("no_contact",)),))
"""What is made of an accepted request that its door cannot read any more."""
STORE_WAIT_S = 2.5
"""How long a sender waits for the database before the request goes to the spool instead."""
STORE_PAUSE_S = 1.0
"""After the database failed, requests go straight to the spool for so long."""
SPAM_FLAGS = frozenset({"spam_honeypot", "spam_rate"})


class IntakeService:
    """Takes requests in, through the database or, while that cannot be written, through the spool."""

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        router: Router,
        db: Database,
        spool: Spool,
        clock: Clock,
        region: str,
        wake: Callable[[tuple[str, ...]], None],
        orphans: Door,
        refusals: Refusals,
        lines: Mapping[str, Lines] | None = None,
        recorded: Recordings | None = None,
        talks: Mapping[str, TalkRules] | None = None,
        notes: DealNotes | None = None,
        tell_tie: TellTie | None = None,
        checkpoint: Checkpoint = passed,
    ) -> None:
        """`orphans` reads what the spool holds of a source that is not configured any more.

        `lines`, `talks` and `recorded` as of EventIntake, `tell_tie` as of Intake.
        """
        self._sources = sources
        self._router = router
        self._db = db
        self._spool = spool
        self._clock = clock
        self._region = region
        self._wake = wake
        self._orphans = orphans
        self.refusals = refusals
        self._checkpoint = checkpoint
        self._intake = Intake(clock, tell_tie)
        self._accept = self._intake.accept
        self._events = EventIntake(clock, self._accept, self._acceptance_of_event, lines, talks, notes, recorded)
        self.renewal = Renewal(clock, self._accept, self._acceptance_of_event)
        self.inbox = EventInbox(db, clock, self._read, self._take_accepted, UNREADABLE, wake)
        self._rates = RateWatch()
        self._store_down_until = 0.0
        self._spooled = Spooled()
        self.spooling = asyncio.Event()
        """Set when something is in the spool: whoever drains it waits for this."""
        self.accepted = 0

    def source(self, name: str) -> Source | None:
        return self._sources.get(name)

    async def receive(self, source: Source, inbound: Inbound) -> Reply:
        """The answer for a POST. Below 300 only after everything in it is durable.

        Raises SpoolUnavailable when neither the database nor the spool can be written.
        """
        proven = False
        try:
            source.door.verify(source.settings, inbound)
            proven = True
            parsed = source.door.parse(source.settings, inbound, self._region)
        except Refused as refusal:
            return await self.refusals.refuse(source.name, inbound, refusal.status, refusal.reason)
        except Unreadable as problem:
            return await self.refusals.refuse(source.name, inbound, 400, problem.reason)
        except Exception as fault:  # of ours: the request is kept, whatever it was
            if not proven:
                log.exception("a proof cannot be checked", extra={"event": "intake.bug", "source": source.name})
                return await self.refusals.refuse(
                    source.name, inbound, 500, f"leadhub failed at its proof: {_kind(fault)}"
                )
            receipt = Receipt(new_id(self._clock), duplicate=False)
            await self._set_aside(source.name, inbound, [receipt.lead_id], fault)
            return source.door.reply(source.settings, inbound, Parsed(), [receipt])
        over = self._rates.over(
            source.name, inbound.remote_ip, source.settings.limit_for(inbound.remote_ip), self._clock.monotonic()
        )
        ids = [new_id(self._clock) for _ in parsed.leads]
        try:
            receipts = await self._store(source, inbound, parsed, ids, over_rate=over)
        except SpoolUnavailable:
            raise
        except Exception as fault:  # of ours, or a value that the database does not take
            await self._set_aside(source.name, inbound, ids, fault, over_rate=over)
            receipts = [Receipt(lead_id, duplicate=False) for lead_id in ids]
        await self._checkpoint("accepted")
        self.accepted += sum(not receipt.duplicate for receipt in receipts)
        return source.door.reply(source.settings, inbound, parsed, receipts)

    async def _store(
        self, source: Source, inbound: Inbound, parsed: Parsed, ids: Sequence[str], *, over_rate: bool
    ) -> list[Receipt]:
        if not parsed.leads and not parsed.has_events:
            return []
        # While the spool holds older leads, newer ones queue behind them: one person's leads stay in order.
        if self._spool.waiting == 0 and self._clock.monotonic() >= self._store_down_until:
            try:
                async with asyncio.timeout(STORE_WAIT_S):
                    return await self._commit(source, inbound, parsed, ids, over_rate=over_rate, spooled=False)
            except (StoreUnavailable, TimeoutError) as exc:
                # After a time-out the commit may still happen: the same ids make the spooled copy a duplicate.
                self._store_down_until = self._clock.monotonic() + STORE_PAUSE_S
                log.warning(
                    "database not writable, using the spool",
                    extra={"event": "intake.spooling", "source": source.name, "error": type(exc).__name__},
                )
        known = self._spooled.before(source, inbound, parsed.leads)
        if not parsed.has_events and self._spooled.are_same(source, known, parsed.leads):
            return [Receipt(one.lead_id, duplicate=True) for one in known if one is not None]
        await self._spool.append(to_record(source.name, inbound, ids, over_rate=over_rate))
        self.spooling.set()
        self._spooled.remember(source, inbound, parsed.leads, ids)
        return [
            Receipt(first.lead_id if first else lead_id, duplicate=first is not None)
            for first, lead_id in zip(known, ids, strict=True)
        ]

    async def _set_aside(
        self, name: str, inbound: Inbound, ids: Sequence[str], fault: Exception, *, over_rate: bool = False
    ) -> None:
        """Durable when it returns: tried again in the inbox until it can be taken in; people are told (jobs.watch).

        `ids` are those that its leads were promised. Raises SpoolUnavailable.
        """
        try:
            async with asyncio.timeout(STORE_WAIT_S):
                await self.inbox.set_aside(name, inbound, ids, fault, over_rate=over_rate)
        except Exception as error:
            log.warning(
                "database not writable, using the spool",
                extra={"event": "intake.spooling", "source": name, "error": _kind(error)},
            )
            await self._spool.append(to_record(name, inbound, ids, over_rate=over_rate))
            self.spooling.set()

    async def _commit(
        self,
        source: Source,
        inbound: Inbound,
        parsed: Parsed,
        ids: Sequence[str],
        *,
        over_rate: bool,
        spooled: bool,
    ) -> list[Receipt]:
        raw = raw_of(inbound)
        items = [
            self.acceptance(source, inbound.received_at, raw, lead, lead_id, over_rate=over_rate, spooled=spooled)
            for lead, lead_id in zip(parsed.leads, ids, strict=True)
        ]
        if parsed.has_events:
            await self.inbox.add(source.name, inbound, parsed)
        if not items:
            return []
        if len(items) == 1:
            results: list[Accepted] = [await self._db.write_in_batch(self._accept, items[0], first=True)]
        else:
            results = await self._db.write(self._accept, items)
        for item, result in zip(items, results, strict=True):
            if result.connections:
                self._wake(result.connections)
            log.info(
                "lead accepted",
                extra={
                    "event": "lead.duplicate" if result.duplicate else "lead.accepted",
                    "lead_id": result.lead_id,
                    "source": source.name,
                    "route": item.deliveries[0].route if item.deliveries else "",
                },
            )
        return [Receipt(result.lead_id, result.duplicate) for result in results]

    def acceptance(
        self,
        source: Source,
        received_at: datetime,
        raw: RawRequest,
        parsed: ParsedLead,
        lead_id: str,
        *,
        over_rate: bool = False,
        spooled: bool = False,
    ) -> Acceptance:
        lead = to_lead(parsed, lead_id, source.name, received_at, over_rate=over_rate)
        routed = self._router.route(lead)
        held = bool(SPAM_FLAGS.intersection(lead.flags))
        keys, since = dedup_keys(source.name, source.settings, parsed, received_at)
        return Acceptance(
            lead=lead,
            raw=raw,
            dedup_keys=keys,
            duplicates_since=since,
            deliveries=tuple(
                PlannedDelivery(name, routed.route, "held" if held else "ready") for name in routed.connections
            ),
            status="pending" if routed.connections else "failed",
            status_why=routed.why,
            spooled=spooled,
            keep_differences=bool(parsed.lead_uid),
        )

    def _acceptance_of_event(
        self, name: str, received_at: datetime, raw: RawRequest, parsed: ParsedLead, lead_id: str
    ) -> Acceptance:
        lead = to_lead(parsed, lead_id, name, received_at, over_rate=False)
        routed = self._router.route(lead)
        return Acceptance(
            lead=lead,
            raw=raw,
            dedup_keys=(f"u:{name}:{parsed.lead_uid}",),
            deliveries=tuple(PlannedDelivery(connection, routed.route) for connection in routed.connections),
            status="pending" if routed.connections else "failed",
            status_why=routed.why,
        )

    def take_in(
        self,
        conn: Connection,
        source: Source,
        raw: RawRequest,
        parsed: Parsed,
        flags: tuple[str, ...] = (),
        *,
        at: datetime | None = None,
        known: Callable[[Lead], str] | None = None,
    ) -> Taken:
        """What was read from a vendor, as if it had come to the door now or `at`, inside the caller's transaction.

        `flags` are given to leads of what nobody knew of before. `known` gives the key under which a lead is stored
        that is the same as one without an id, or "". The caller wakes `due` after the commit.
        """
        at = at or self._clock.now()
        before = self.inbox.settle(conn, source.name)
        taken = self._events.take(conn, source.name, at, raw, parsed, flags, judge=True)
        items = [self.acceptance(source, at, raw, flagged(lead, flags), new_id(self._clock)) for lead in parsed.leads]
        if known is not None:
            same = [(item, "" if item.lead.lead_uid else known(item.lead)) for item in items]
            items = [replace(one, dedup_keys=(key,), duplicates_since=None) if key else one for one, key in same]
        results = self._accept(conn, items) if items else []
        leads = tuple(result.lead_id for result in results if not result.duplicate)
        self.accepted += len(leads)
        due = dict.fromkeys([*before, *taken.due, *(name for result in results for name in result.connections)])
        return replace(taken, due=tuple(due), leads=(*taken.leads, *leads))

    def wake(self, due: Sequence[str]) -> None:
        """Connections and workers of sources where something became due."""
        if due:
            self._wake(tuple(due))

    @property
    def region(self) -> str:
        return self._region

    async def match_waiting(self) -> None:
        """Payments and insights whose deal was not known are looked at again. Raises StoreUnavailable."""
        await match_waiting(self._db, self._events.notes, self.wake)

    async def judge_calls(self) -> None:
        """Calls whose last event never came are ended. Raises StoreUnavailable."""
        await self.inbox.drain()  # it may be among what is not worked on yet
        await judge_calls(self._db, self._events, self.inbox, self.wake)

    async def drain(self) -> int:
        """Takes in what the spool holds, oldest first, through the same path as a request; returns how many.

        Raises StoreUnavailable when the database fails again: what was not taken in stays.
        """
        total = 0
        for path, records in self._spool.take():
            for record in records:
                await self._drain_one(record)
            self._spool.done(path, len(records))
            total += len(records)
        if self._spool.waiting == 0:
            self._spooled.clear()
        if total:
            log.info("spool taken in", extra={"event": "intake.drained", "count": total})
        return total

    async def _drain_one(self, record: bytes) -> None:
        name, inbound, ids, over_rate = from_record(record)
        try:
            try:
                parsed = self._read(name, inbound)
            except (Refused, Unreadable):
                parsed = UNREADABLE
            source, ids = self._source_of(name), self._topped_up(ids, parsed)
            await self._commit(source, inbound, parsed, ids, over_rate=over_rate, spooled=True)
        except (StoreUnavailable, TimeoutError):
            raise
        except Exception as fault:  # what stands behind it in the spool goes on
            await self.inbox.set_aside(name, inbound, ids, fault, over_rate=over_rate)

    def _topped_up(self, ids: Sequence[str], parsed: Parsed) -> list[str]:
        """One for each lead; of a request that could not be read when it came one was promised."""
        more = [new_id(self._clock) for _ in parsed.leads[len(ids) :]]
        return [*ids, *more][: len(parsed.leads)]

    def _source_of(self, name: str) -> Source:
        """It may have left the configuration meanwhile: what was answered 2xx is kept all the same."""
        return self._sources.get(name) or Source(name, self._orphans, self._orphans.settings())

    def _read(self, name: str, inbound: Inbound) -> Parsed:
        if call_to_end(inbound) is not None:
            return Parsed()
        source = self._source_of(name)
        return source.door.parse(source.settings, inbound, self._region)

    def _take_accepted(
        self, conn: Connection, name: str, inbound: Inbound, parsed: Parsed, ids: Sequence[str], over_rate: bool
    ) -> Taken:
        """The events of a request that was answered; its leads were stored before that, unless they have `ids` here.

        Without any events its door reads it in another way now than when it came: then what it reads is a lead.
        """
        if (call := call_to_end(inbound)) is not None:
            return Taken(due=self._events.judge(conn, [(name, call)]))
        raw = raw_of(inbound)
        taken = self._events.take(conn, name, inbound.received_at, raw, parsed) if parsed.has_events else Taken()
        if parsed.has_events and not (ids and parsed.leads):
            return taken
        source = self._source_of(name)
        parsed = parsed if parsed.leads else UNREADABLE
        items = [
            self.acceptance(source, inbound.received_at, raw, lead, lead_id, over_rate=over_rate)
            for lead, lead_id in zip(parsed.leads, self._topped_up(ids, parsed), strict=True)
        ]
        due = (name for result in self._accept(conn, items) for name in result.connections)
        return replace(taken, due=tuple(dict.fromkeys([*taken.due, *due])))


def _kind(fault: Exception) -> str:
    return type(fault).__name__


__all__ = ["IntakeService", "SpoolUnavailable"]
