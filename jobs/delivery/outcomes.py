"""How a try ended -> what is stored of it: delivered, again at a certain time, or waiting for a person."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from connectors.base import Capabilities
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    TooEarlyError,
)
from jobs.delivery.breaker import Breaker
from jobs.delivery.deliver import Result, Run
from jobs.delivery.drafts import Hold
from jobs.delivery.progress import earliest_look
from jobs.delivery.writing import LookLater
from jobs.reporting import Reporter
from leads import retry
from leads.clock import Clock
from leads.ids import new_id
from leads.retry import Outcome
from store.db import StoreUnavailable
from store.delivery_records import Claimed, NewFollowUp, Settlement
from store.follow_ups import ENRICH
from store.leases import Held

COMPLETE_AFTER_S = 900.0
"""When a record without some of its fields is tried again by itself."""
EXTRAS_AFTER_S = 60.0
"""When a note or task that could not be written is, or a phone that could not be added to a contact."""
EXTRA_TRIES = 3
"""So often a note or task may fail before the lead, which is in the CRM, counts as delivered without it."""


@dataclass(slots=True)
class Outcomes:
    """For one connection; knows its breaker, because failures of the connection itself count there."""

    name: str
    clock: Clock
    capabilities: Capabilities
    breaker: Breaker
    reporter: Reporter
    policy: retry.RetryPolicy
    report_down: Callable[[], Awaitable[None]]
    on_fields_refused: Callable[[], None]

    def after_success(self, held: Held, run: Run, result: Result) -> Settlement:
        now = self.clock.now()
        claimed = run.claimed
        kept = [one.to_json() for one in result.dropped if not one.optional]
        follow_ups = []
        if result.resent:
            follow_ups += [
                NewFollowUp(new_id(self.clock), "recheck", now + timedelta(seconds=after))
                for after in self.capabilities.recheck_s
            ]
        if not result.enriched:
            follow_ups.append(NewFollowUp(new_id(self.clock), ENRICH, now + timedelta(seconds=EXTRAS_AFTER_S)))
        if kept:
            extras = {"note", "task"} & {one["field"] for one in kept}
            after = timedelta(seconds=EXTRAS_AFTER_S if extras else COMPLETE_AFTER_S)
            follow_ups.append(NewFollowUp(new_id(self.clock), "complete", now + after))
            self.on_fields_refused()
        return Settlement(
            held=held,
            delivery_id=claimed.id,
            lead_id=claimed.lead.id,
            lane=claimed.person.id,
            state="delivered",
            now=now,
            progress=run.progress.to_json(),
            record_id=result.record_id,
            contact_id=result.contact_id,
            company_id=result.company_id,
            assigned_to="" if result.created else run.progress.user,
            outcome="created" if result.created else "joined",
            incomplete=kept,
            error_kind="incomplete" if kept else "",
            looked_up=result.looked_up,
            arrived_at=result.arrived_at,
            links=result.links,
            follow_ups=tuple(follow_ups),
        )

    async def after_failure(self, held: Held, run: Run, error: Exception) -> Settlement:
        now = self.clock.now()
        claimed = run.claimed
        base = Settlement(
            held=held,
            delivery_id=claimed.id,
            lead_id=claimed.lead.id,
            lane=claimed.person.id,
            state="ready",
            now=now,
            progress=run.progress.to_json(),
            last_error=_text(error),
            looked_up=run.looked_up or run.progress.unknown,
            arrived_at=run.arrived_at,
        )
        if run.in_crm and claimed.attempt >= EXTRA_TRIES and _of_extras(error):
            return self.after_success(held, run, run.without_extras(_text(error)))
        match error:
            case LookLater():
                return replace(
                    base,
                    due_at=error.at,
                    count_attempt=False,
                    outcome="looked",
                    error_kind="unknown",
                    last_error="nothing found yet; will look again before sending again",
                )
            case Hold():
                return replace(base, due_at=error.until, count_attempt=False, outcome="held", error_kind="hold")
            case StoreUnavailable():
                return replace(base, due_at=now, count_attempt=False, outcome="not_sent", error_kind="store")
            case AuthError():
                if self.breaker.refused(str(error), now, self.clock.monotonic()):
                    await self.report_down()
                return replace(base, due_at=now, count_attempt=False, outcome="auth", error_kind="auth")
            case TooEarlyError():
                unknown = run.progress.unknown
                return replace(
                    base,
                    due_at=now + timedelta(seconds=error.wait_s),
                    count_attempt=False,
                    outcome="looked" if unknown else "not_sent",
                    error_kind="unknown" if unknown else "retryable",
                )
            case PermanentError():
                self.on_fields_refused()
                await self.reporter.observe(
                    "lead_failed", self.name, cause=str(error), data={"lead_id": claimed.lead.id}
                )
                run.progress.forget_refusals()
                progress = run.progress.to_json()
                return replace(base, state="dead", outcome="refused", error_kind="refused", progress=progress)
            case _:
                return await self._retry(base, claimed, run, error)

    async def _retry(self, base: Settlement, claimed: Claimed, run: Run, error: Exception) -> Settlement:
        outcome = outcome_of(error)
        # A note that fails while deals are made says nothing of the connection.
        of_connection = outcome is not Outcome.RATE_LIMITED and isinstance(error, ConnectorError) and not run.in_crm
        if of_connection and self.breaker.failed(str(error), base.now, self.clock.monotonic()):
            await self.report_down()
        decision = retry.decide(
            outcome,
            claimed.attempt,
            claimed.age_from,
            base.now,
            self.clock.random(),
            retry_after_s=error.retry_after_s if isinstance(error, RateLimitedError) else None,
            policy=self.policy,
        )
        if isinstance(decision, retry.DeadLetter) and not self.breaker.reachable:
            # No fault of the lead: it is tried as long as it takes. Once the CRM answers, its time begins anew.
            wait_s = retry.wait_s(claimed.attempt, self.clock.random(), self.policy)
            decision = retry.RetryAt(base.now + timedelta(seconds=wait_s))
        if isinstance(decision, retry.DeadLetter):
            await self.reporter.observe("lead_failed", self.name, cause=str(error), data={"lead_id": claimed.lead.id})
            text = f"gave up after {decision.age}: {base.last_error}"
            return replace(base, state="dead", outcome="gave_up", error_kind="gave_up", last_error=text)
        assert isinstance(decision, retry.RetryAt)
        due_at = decision.at
        if outcome is Outcome.UNKNOWN and run.progress.unknown:
            sent = [step.sent_at for step in run.progress.steps.values() if step.unknown and step.sent_at]
            due_at = max(base.now, earliest_look(max(sent), self.capabilities.look_again_s))
        return replace(
            base, due_at=due_at, count_attempt=decision.spends_attempt, outcome=str(outcome), error_kind=str(outcome)
        )


def outcome_of(error: Exception) -> Outcome:
    """A failure as the retry rules know it; one that nobody foresaw may have written something."""
    match error:
        case RateLimitedError():
            return Outcome.RATE_LIMITED
        case RetryableError():
            return Outcome.RETRYABLE
        case _:
            return Outcome.UNKNOWN


def _of_extras(error: Exception) -> bool:
    """A failure that may be left to later, when only the note or the task is missing."""
    if isinstance(error, (AuthError, RateLimitedError, TooEarlyError)):
        return False
    return isinstance(error, (LookLater, ConnectorError))


def _text(error: Exception) -> str:
    """What is kept of an error: a connector's own words are free of secrets and people, others only by name."""
    if isinstance(error, LookLater):
        return "not confirmed by the CRM"
    return str(error) if isinstance(error, (ConnectorError, Hold)) else type(error).__name__
