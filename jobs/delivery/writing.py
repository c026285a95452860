"""Each record of a delivery is written once: the intent first, then the write; when nobody knows, a look.

Before the first byte of a write leaves, the intent is stored under our fence, together with
that of the write that follows it: contact and deal, then note and task. So whoever takes over
knows which writes may have happened, and an owner that lost its lease cannot write at all.
A write with unknown outcome is looked up by the vendor's recipe before it may be sent again.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.base import Capabilities, Draft, Hint, Kind, Target
from connectors.errors import ConnectorError, NoRightsError, PermanentError, UnknownOutcomeError
from jobs.checkpoints import Checkpoint
from jobs.delivery.drafts import Dropped, Planner
from jobs.delivery.lesser import leave_out
from jobs.delivery.progress import Progress, SentTimes, kind_of, next_look
from leads.clock import Clock
from store.delivery_records import Claimed


class LookLater(Exception):
    """A look-up found nothing yet; it is to be repeated at `at` before the write may be sent again."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


@dataclass(slots=True)
class Writing:
    """What is known of the records of one claimed delivery, and how the next one is written."""

    claimed: Claimed
    target: Target
    capabilities: Capabilities
    planner: Planner
    clock: Clock
    intend: Callable[[Progress], Awaitable[None]]
    checkpoint: Checkpoint
    sent_times: SentTimes
    progress: Progress = field(init=False)
    looked_up: bool = False
    _dropped: list[Dropped] = field(default_factory=list)
    _next: tuple[Kind, ...] = ()
    """What is going to be sent soon: said together with what is sent now, so that one commit does for all."""
    _said: set[Kind] = field(default_factory=set)
    """Of these it is stored already that they may have been sent."""

    def __post_init__(self) -> None:
        self.progress = Progress.from_json(self.claimed.progress)
        for kind, step in self.progress.steps.items():
            if step.unknown and step.sent_at is not None:  # they were sent together: their waits run together
                self.sent_times.elapsed_s(self.claimed.id, kind, step.sent_at)

    async def _ensure(self, draft: Draft) -> str:
        """The record's id: known, found, or made now; fields that the CRM refuses are left out and reported."""
        kind = kind_of(draft)
        step = self.progress.step(kind)
        while not step.id:
            sent, _ = self.planner.without(draft, tuple(step.refused), bare=step.bare)
            if step.unknown and await self._settle_unknown(kind, sent):
                break
            try:
                step.id = await self._send(kind, sent)
            except PermanentError as error:
                if error.gone or not leave_out(step, draft, error.fields, self.planner.without):
                    raise
        _, dropped = self.planner.without(draft, tuple(step.refused), bare=step.bare)
        self._drop(dropped)
        return step.id

    async def _ensure_extra(self, draft: Draft) -> str:
        """Note, task and company: the lead is in the CRM without them, so a refusal only makes it incomplete."""
        try:
            return await self._ensure(draft)
        except (PermanentError, NoRightsError) as error:
            self._drop((Dropped(kind_of(draft), "", str(error)),))
            return ""

    async def _settle_unknown(self, kind: Kind, draft: Draft) -> bool:
        """Looks for what an earlier send may have made. True: found. Raises LookLater while the recipe says wait."""
        step = self.progress.step(kind)
        assert step.sent_at is not None
        self.looked_up = True
        elapsed = self.sent_times.elapsed_s(self.claimed.id, kind, step.sent_at)
        hint = Hint(
            sent_at=step.sent_at,
            contact_id=self.progress.step("contact").id,
            deal_id=self.progress.step("deal").id or self.progress.deal_id,
            phones=self.claimed.lead.phones,
            emails=self.claimed.lead.emails,
            elapsed_s=elapsed,
        )
        found = await self.target.find_created(draft, hint)
        if found:
            step.id, step.sent_at = found, None
            return True
        later = next_look(elapsed, self.capabilities.look_again_s)
        if later is not None:
            raise LookLater(self.clock.now() + timedelta(seconds=max(0.0, later - elapsed)))
        step.repeats += 1
        return False

    async def _send(self, kind: Kind, draft: Draft) -> str:
        step = self.progress.step(kind)
        step.sent_at = self.clock.now()
        try:
            await self._say(kind, step.sent_at)
        except Exception:
            step.sent_at = None  # not one byte left
            raise
        await self.checkpoint("intended")
        self.sent_times.sent(self.claimed.id, kind, step.sent_at)
        try:
            made = await self.target.create(draft)
        except UnknownOutcomeError:
            raise
        except ConnectorError:
            step.sent_at = None  # refused or never sent: nothing was written
            raise
        except Exception as error:  # not foreseen: the write may have happened
            raise UnknownOutcomeError(type(error).__name__, f"create {kind}") from error
        await self.checkpoint("written")
        step.sent_at = None
        return made

    async def _say(self, kind: Kind, now: datetime) -> None:
        """Stores that `kind` may be sent from now on, and so may what comes next; once for each sending."""
        if kind in self._said:
            self._said.discard(kind)
            return
        steps = self.progress.steps
        soon = {one: steps[one] for one in self._next if one != kind and not steps[one].id and not steps[one].unknown}
        sent = {one: dataclasses.replace(step, sent_at=now) for one, step in soon.items()}
        await self.intend(dataclasses.replace(self.progress, steps={**steps, **sent}))
        self._said |= soon.keys()

    def _offer_whole(self, kind: Kind) -> None:
        step = self.progress.step(kind)
        if not step.unknown:
            step.refused, step.bare = [], False

    def _drop(self, dropped: tuple[Dropped, ...]) -> None:
        self._dropped.extend(one for one in dropped if one not in self._dropped)
