"""Writes the notes of conversations to one connection: looked up after an unknown outcome, never written twice."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Capabilities, Hint, NoteDraft, Target
from connectors.errors import (
    AuthError,
    ConnectorError,
    NoRightsError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    TooEarlyError,
    UnknownOutcomeError,
)
from connectors.limits import PRIORITY, RETRY
from connectors.recorded import TakesRecordings, TakesTags
from jobs.checkpoints import Checkpoint, passed
from jobs.delivery.moving import move
from jobs.delivery.outcomes import outcome_of
from jobs.delivery.progress import SentTimes, earliest_look, next_look
from jobs.delivery.renewing import Renewal
from jobs.metadata import MetadataCache
from leads import retry
from leads.clock import Clock
from store import note_duties
from store.db import Database
from store.leases import Held
from store.note_duties import Duty

log = logging.getLogger(__name__)

AT_ONCE = 20
TRIES_AT_LEAST = 20
"""So often a note is tried, however old it is: it may have waited for a CRM that was away."""
MOVED = "moved"
"""In the place of a note's id, where the deal was only moved."""


class _Elsewhere(Exception):
    """The note was given to a new enquiry."""


class _LookLater(Exception):
    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


@dataclass(slots=True)
class NoteWriter:
    """`run_due` under the lease of the connection; one note after the other, so that each conversation is in order."""

    name: str
    target: Target
    db: Database
    clock: Clock
    capabilities: Capabilities
    policy: retry.RetryPolicy = retry.DEFAULT
    checkpoint: Checkpoint = passed
    metadata: MetadataCache | None = None
    """Knows the stages by name, for notes that move the deal."""
    renewal: Callable[[], Renewal] | None = None
    """What begins a conversation anew; the intake that it works with is made later."""
    wake: Callable[[tuple[str, ...]], None] | None = None
    _sent_times: SentTimes = field(init=False)

    def __post_init__(self) -> None:
        self._sent_times = SentTimes(self.clock)

    async def run_due(self, held: Held, stopping: Callable[[], bool] = lambda: False) -> None:
        """Until nothing is due. Raises AuthError, LostLease, StoreUnavailable."""
        PRIORITY.set(RETRY)
        while not stopping():
            now = self.clock.now()
            found = await self.db.read(note_duties.due, self.name, now, limit=AT_ONCE)
            for duty in found:
                if stopping():
                    return
                await self._write(held, duty)
            if not found:
                return

    async def mend(self, held: Held) -> None:
        """Notes of discarded leads go with them; times of a wrong clock are forgotten."""
        now = self.clock.now()

        def work(conn: Any) -> None:
            note_duties.follow_discarded(conn, self.name, now)
            note_duties.clamp_due(conn, self.name, now)

        await self.db.write(work)

    async def _write(self, held: Held, duty: Duty) -> None:
        try:
            record_id = await self._written(held, duty)
        except NoRightsError as error:
            await self._again(held, duty, RetryableError(error.message, error.operation, error.status))
        except AuthError:
            raise
        except _Elsewhere:
            return
        except _LookLater as wait:
            await self._settle(
                held, duty, "ready", due_at=wait.at, count_attempt=False, error_kind="unknown", error="not confirmed"
            )
        except TooEarlyError as error:
            due_at = self.clock.now() + timedelta(seconds=error.wait_s)
            await self._settle(held, duty, "ready", due_at=due_at, count_attempt=False, error=str(error))
        except PermanentError as error:
            if error.gone and duty.attempts == 0:  # the deal was deleted this moment: another is looked for, once
                await self._settle(held, duty, "ready", error_kind="retryable", error=str(error))
                return
            await self._settle(held, duty, "dead", error_kind="refused", error=str(error))
        except ConnectorError as error:
            await self._again(held, duty, error)
        else:
            await self.checkpoint("note settling")
            self._sent_times.forget(duty.id)
            await self._settle(held, duty, "written", record_id=record_id)

    async def _written(self, held: Held, duty: Duty) -> str:
        """The note's id in the CRM: found there after an unknown outcome, or written now."""
        if duty.recording_url and duty.call_record_id and duty.sent_at is None and await self._attached(duty):
            return duty.call_record_id
        deal_id = duty.deal_id or await self._deal(held, duty)
        record_id = await self._note(held, duty, deal_id) if duty.text else MOVED
        if duty.tags and isinstance(self.target, TakesTags):
            await self._tag(self.target, duty, deal_id)
        if duty.stage and self.metadata is not None:
            await move(self.target, self.metadata, deal_id, duty.pipeline, duty.stage)
        return record_id

    async def _note(self, held: Held, duty: Duty, deal_id: str) -> str:
        draft = NoteDraft(f"{duty.note_id}-note", duty.text, deal_id, duty.contact_id)
        if duty.sent_at is not None and (found := await self._look_up(duty, draft, duty.sent_at)):
            return found
        sent_at = self.clock.now()
        await self.db.write(note_duties.intend, held, duty.id, deal_id, sent_at)
        await self.checkpoint("note intended")
        self._sent_times.sent(duty.id, "note", sent_at)
        try:
            made = await self.target.create(draft)
        except UnknownOutcomeError:
            raise
        except ConnectorError:
            await self.db.write(note_duties.intend, held, duty.id, "", None)
            raise
        except Exception as error:  # not foreseen: the note may have been written
            raise UnknownOutcomeError(type(error).__name__, "create note") from error
        await self.checkpoint("note written")
        return made

    async def _tag(self, target: TakesTags, duty: Duty, deal_id: str) -> None:
        """The note names them anyway: a CRM that does not take them is not asked again."""
        try:
            await target.tag_deal(deal_id, duty.tags)
        except PermanentError as error:
            fields = {"event": "deal.not_tagged", "lead_id": duty.lead_id, "error": str(error)}
            log.info("tags stand in the note only", extra=fields)

    async def _attached(self, duty: Duty) -> bool:
        """A recording belongs to its call, where the CRM has such calls; else it is told in a note."""
        if not isinstance(self.target, TakesRecordings):
            return False
        try:
            return await self.target.attach_recording(f"{duty.lead_id}-call", duty.call_record_id, duty.recording_url)
        except UnknownOutcomeError as error:
            raise RetryableError(error.message, error.operation, error.status) from error  # a repeat changes nothing
        except PermanentError as error:
            fields = {"event": "recording.not_attached", "lead_id": duty.lead_id, "error": str(error)}
            log.info("a recording is told in a note instead", extra=fields)
            return False

    async def _look_up(self, duty: Duty, draft: NoteDraft, sent_at: datetime) -> str:
        elapsed = self._sent_times.elapsed_s(duty.id, "note", sent_at)
        hint = Hint(sent_at=sent_at, contact_id=duty.contact_id, deal_id=draft.deal_id, elapsed_s=elapsed)
        found = await self.target.find_created(draft, hint)
        if found:
            return found
        later = next_look(elapsed, self.capabilities.look_again_s)
        if later is not None:
            raise _LookLater(self.clock.now() + timedelta(seconds=max(0.0, later - elapsed)))
        return ""

    async def _deal(self, held: Held, duty: Duty) -> str:
        """The deal that the conversation began with while it is open, else the person's newest.

        If all are closed the client's words are a new enquiry, anything else is told where it was.
        """
        known = list(dict.fromkeys(one for one in (duty.first_deal_id, duty.last_deal_id) if one))
        closed = ""
        for deal_id in known:
            state = await self.target.deal_state(deal_id)
            if state is not None and not state.closed:
                return deal_id
            closed = closed or (deal_id if state is not None else "")
        newest = await self.target.open_deal(duty.contact_id) if duty.contact_id else None
        if newest is not None and not newest.closed:
            return newest.id
        if await self._renewed(held, duty):
            raise _Elsewhere
        if closed or newest is not None:
            return closed or (newest.id if newest else "")
        raise PermanentError("the deal of the conversation is gone from the CRM, and the person has no other")

    async def _renewed(self, held: Held, duty: Duty) -> bool:
        if self.renewal is None:
            return False
        due = await self.db.write(self.renewal().of, held=held, duty=duty)
        if due is None:
            return False
        log.info("a conversation begins anew", extra={"event": "talk.renewed", "connection": self.name})
        if due and self.wake is not None:
            self.wake(due)
        return True

    async def _again(self, held: Held, duty: Duty, error: ConnectorError) -> None:
        now, attempt = self.clock.now(), duty.attempts + 1
        outcome = outcome_of(error)
        decision = retry.decide(
            outcome,
            attempt,
            duty.age_from,
            now,
            self.clock.random(),
            retry_after_s=error.retry_after_s if isinstance(error, RateLimitedError) else None,
            policy=self.policy,
        )
        if isinstance(decision, retry.DeadLetter) and attempt < TRIES_AT_LEAST:
            decision = retry.RetryAt(now + timedelta(seconds=retry.wait_s(attempt, self.clock.random(), self.policy)))
        if isinstance(decision, retry.RetryAt):
            due_at = decision.at
            if outcome is retry.Outcome.UNKNOWN:
                due_at = max(now, earliest_look(now, self.capabilities.look_again_s))
            await self._settle(
                held,
                duty,
                "ready",
                due_at=due_at,
                count_attempt=decision.spends_attempt,
                error_kind=str(outcome),
                error=str(error),
            )
        else:
            await self._settle(held, duty, "dead", error_kind="gave_up", error=str(error))

    async def _settle(self, held: Held, duty: Duty, state: Any, **how: Any) -> None:
        now = self.clock.now()
        await self.db.write(note_duties.settle, held, duty.id, state, now, **how)
        log.log(
            logging.INFO if state == "written" else logging.WARNING,
            "note of a conversation settled",
            extra={
                "event": "note.settled",
                "connection": self.name,
                "note_id": duty.note_id,
                "lead_id": duty.lead_id,
                "state": state,
                "error": how.get("error", ""),
            },
        )
