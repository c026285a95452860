"""What is owed after a delivery was settled: looking for doubles, writing what the CRM had not taken, closing tasks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from functools import partial
from typing import Any

from connectors.base import Capabilities, Target
from connectors.errors import AuthError, ConnectorError, NoRightsError, PermanentError
from connectors.limits import PRIORITY, RETRY
from connectors.recorded import CompletesTasks
from connectors.records import RecordPort
from jobs.checkpoints import passed
from jobs.delivery.beside import Lanes
from jobs.delivery.completing import Completing
from jobs.delivery.deliver import Run
from jobs.delivery.drafts import Planner
from jobs.delivery.lesser import enrich
from jobs.delivery.progress import Progress, SentTimes
from jobs.delivery.writing import LookLater
from jobs.metadata import MetadataCache
from leads.call_text import call_line
from leads.calls import Call
from leads.clock import Clock
from store import follow_ups, missed_calls, outbox
from store.db import Database
from store.delivery_records import Claimed
from store.follow_ups import FollowUp
from store.leases import Held

log = logging.getLogger(__name__)

AT_ONCE = 20
WINDOW = timedelta(hours=2)
POSTPONE_S = 900.0
FIRST_POSTPONE_S = 60.0
GIVE_UP_TRIES = 4 * 24 * 30
"""An incomplete record is tried for a month."""
READ_ANEW_S = 300.0
"""What the account is made of is read anew at most so often for the sake of incomplete records."""


@dataclass(slots=True)
class ConnectionFollowUps:
    """Keeps `jobs.delivery.owner.FollowUps` for one connection."""

    name: str
    target: Target
    db: Database
    clock: Clock
    capabilities: Capabilities
    planner: Callable[[Held, Claimed], Planner]
    metadata: MetadataCache
    port: RecordPort | None
    locale: str = "en"
    zone: tzinfo = UTC
    _read_at: float = float("-inf")
    _sent_times: SentTimes = field(init=False)

    def __post_init__(self) -> None:
        self._sent_times = SentTimes(self.clock)

    async def run_due(self, held: Held, lanes: Lanes, stopping: Callable[[], bool]) -> None:
        """One round, those of persons who have a lead on its way left out. Raises AuthError, LostLease."""
        now = self.clock.now()
        due = await self.db.read(follow_ups.due_follow_ups, self.name, now, limit=AT_ONCE)
        PRIORITY.set(RETRY)  # a backlog of hours must not hold up what a person's next lead may wait for
        if any(one.kind == "complete" for one in due) and self.clock.monotonic() - self._read_at > READ_ANEW_S:
            self._read_at = self.clock.monotonic()
            await self.metadata.read_anew()
        for one in due:
            if stopping():
                return
            lane = lanes.of(one.person_id)
            if not lane.locked():
                async with lane:
                    await self._work(held, one)

    async def _work(self, held: Held, one: FollowUp) -> None:
        """Tries one and stores whether it is done or when to try it again."""
        due_at = None
        try:
            if await self._done(held, one):
                await self.db.write(follow_ups.finish_follow_up, held, one.id)
                return
        except LookLater as wait:
            due_at = wait.at
        except ConnectorError as error:
            if isinstance(error, AuthError) and not isinstance(error, NoRightsError):
                raise
            log.info("follow-up postponed", extra={**_fields(one), "error": str(error)})
        if one.tries >= GIVE_UP_TRIES and one.kind != "doubled":
            await self.db.write(follow_ups.finish_follow_up, held, one.id)
            return
        due_at = due_at or self.clock.now() + timedelta(seconds=_postponed_s(one))
        await self.db.write(follow_ups.postpone_follow_up, held, one.id, due_at)

    async def _done(self, held: Held, one: FollowUp) -> bool:
        match one.kind:
            case "complete":
                return await self._complete(held, one)
            case follow_ups.CALLED_BACK:
                return await self._close_task(one)
            case follow_ups.ENRICH:
                return await self._enrich(held, one)
            case _:
                return await self._recheck(held, one)

    async def _recheck(self, held: Held, one: FollowUp) -> bool:
        """After a repeated write: is there a second record with the same key? If so, until a person removed it."""
        found = await self.target.read_back((one.record_id,), one.created_at - WINDOW, self.clock.now() + WINDOW)
        ids = sorted({deal.id for deal in found if deal.key == one.lead_id}, key=lambda record: (len(record), record))
        if len(ids) < 2:
            return True
        if one.data.get("records") != ids:
            log.warning("doubled record found", extra={**_fields(one), "records": ids})
            await self.db.write(follow_ups.mark_doubled, held, one.id, ids)
        return False

    async def _close_task(self, one: FollowUp) -> bool:
        """The task to call back, once somebody talked to the client; one that people closed or deleted is let be."""
        if one.state == "discarded" or not isinstance(self.target, CompletesTasks):
            return True
        if one.state != "delivered":
            return False
        if not one.task_id:
            return not any(entry["field"] == "task" for entry in one.incomplete)
        if await self.db.read(missed_calls.is_waited_for, self.name, one.lead_id, one.task_id):
            return True  # it is done when that call is
        try:
            await self.target.complete_task(one.task_id, self._talked(Call.from_json(one.data["call"])))
        except (PermanentError, NoRightsError) as error:
            log.info("a task was not closed", extra={**_fields(one), "error": str(error)})
        return True

    def _talked(self, call: Call) -> str:
        """`24.11.2026 14:20 Исходящий звонок: разговор 1:05`."""
        at = call.started_at or call.ended_at
        form = "%d.%m.%Y %H:%M" if self.locale == "ru" else "%d %b %Y %H:%M"
        return " ".join(
            filter(None, (f"{at.astimezone(self.zone):{form}}" if at else "", call_line(call, self.locale)))
        )

    async def _enrich(self, held: Held, one: FollowUp) -> bool:
        """Adds to the contact what the person is reached by; that he has no contact any more ends it."""
        found = await self.db.read(outbox.load, [one.delivery_id])
        if not found or not one.contact_id:
            return True
        planner = self.planner(held, found[0])
        drafts = await planner.drafts(Progress.from_json(found[0].progress))
        try:
            contact_id = found[0].person.contact_id or one.contact_id
            await enrich(self.target, contact_id, drafts.contact, planner.without)
        except (PermanentError, NoRightsError) as error:
            log.info("a contact was not added to", extra={**_fields(one), "error": str(error)})
        return True

    async def _complete(self, held: Held, one: FollowUp) -> bool:
        """Writes what the record could not take, by the account and the mapping as they are now."""
        found = await self.db.read(outbox.load, [one.delivery_id])
        if not found or not one.record_id:
            return True
        run = Run(
            claimed=found[0],
            target=self.target,
            capabilities=self.capabilities,
            planner=self.planner(held, found[0]),
            clock=self.clock,
            intend=partial(self._keep_progress, held, one.delivery_id),
            checkpoint=passed,
            sent_times=self._sent_times,
        )
        settled_at = one.settled_at or one.created_at
        completing = Completing(run, self.target, one.record_id, one.contact_id, settled_at, self.port)
        try:
            left = await completing.write(one.incomplete)
        finally:
            await self._keep_progress(held, one.delivery_id, run.progress)
        if left != one.incomplete:
            await self.db.write(follow_ups.keep_left, held, one.delivery_id, left, run.links, self.clock.now())
            log.info("record completed", extra={**_fields(one), "left": len(left)})
        return not left

    async def _keep_progress(self, held: Held, delivery_id: str, progress: Progress) -> None:
        kept = progress.to_json()
        await self.db.write(follow_ups.keep_progress, held, delivery_id, kept)


def _postponed_s(one: FollowUp) -> float:
    """What somebody waits for is tried again sooner."""
    awaited = one.kind in (follow_ups.CALLED_BACK, follow_ups.ENRICH)
    if awaited or any(entry["field"] in ("note", "task") for entry in one.incomplete):
        return min(POSTPONE_S, FIRST_POSTPONE_S * 2.0 ** min(one.tries, 10))
    return POSTPONE_S


def _fields(one: FollowUp) -> dict[str, Any]:
    return {"event": f"follow_up.{one.kind}", "lead_id": one.lead_id, "delivery_id": one.delivery_id}
