"""Writing to a CRM: the intent is stored before, the outcome after; what is unknown is looked up and not repeated."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection

from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.records import Written
from jobs.opening import patiently
from jobs.sync.model import blame
from jobs.sync.run import Run
from leads.merge import Side
from store import sync_log, sync_shadow
from store.leases import assert_held
from store.sync_log import Intent, Outcome

STATES = {"plan": "planned", "shadow": "shadow"}


@dataclass(slots=True)
class Job:
    """One write of one record. `payload` is what the port's method takes for it."""

    intent: Intent
    payload: Any
    result: Written | None = None

    @property
    def side(self) -> Side:
        return self.intent.side  # type: ignore[return-value]  # made from one

    @property
    def error(self) -> ConnectorError | None:
        return self.result.error if self.result is not None else None

    @property
    def done(self) -> bool:
        return self.result is not None and self.result.error is None

    @property
    def unknown(self) -> bool:
        return isinstance(self.error, UnknownOutcomeError)


@dataclass(slots=True)
class Batch:
    """Writes that go together: their intents in one transaction with `also`, then the calls, op by op."""

    jobs: list[Job] = field(default_factory=list)
    pairs: Sequence[str] = ()
    made_of: Sequence[tuple[str, str]] = ()
    """What is decided anew, so that what a shadow noted of it does not count any more: pairs; (side, record)."""
    also: Callable[[Connection], None] = lambda conn: None

    def of(self, op: str, side: Side) -> list[Job]:
        return [job for job in self.jobs if job.intent.op == op and job.side == side]


OPS = ("create", "update", "link", "archive", "delete", "tag")


async def write(run: Run, batch: Batch) -> None:
    """Sets the result of every job; in a plan none is set. Raises AuthError, and what the store raises."""
    await intend(run, batch)
    await send(run, batch)


async def intend(run: Run, batch: Batch) -> None:
    """Stores what is about to be sent."""
    if not (batch.jobs or (run.mode == "shadow" and (batch.pairs or batch.made_of))):
        return
    now = run.clock.now()
    state = STATES.get(run.mode, "sent")

    def work(conn: Connection) -> None:
        assert_held(conn, run.held)
        if run.mode == "shadow":
            sync_shadow.drop_noted(conn, run.sync.name, batch.pairs, batch.made_of)
        sync_log.intend(conn, [job.intent for job in batch.jobs], now, state)
        if run.mode == "write":
            batch.also(conn)

    await run.db.write(work)


async def send(run: Run, batch: Batch) -> None:
    """Of a batch whose intents are stored."""
    if not batch.jobs or run.mode != "write":
        return
    await run.checkpoint("intended")
    for op in OPS:
        calls = [call for side in ("left", "right") for call in _calls(run, op, side, batch.of(op, side))]
        if calls:
            results = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
    await run.checkpoint("written")


def _calls(run: Run, op: str, side: Side, jobs: Sequence[Job]) -> list[Callable[[], Awaitable[None]]]:
    end = run.sync.end(side)
    size = {"create": end.can.create_batch, "update": end.can.update_batch, "link": end.can.link_batch}.get(
        op, end.can.remove_batch
    )
    places = asyncio.Semaphore(end.can.parallel)

    async def call(some: Sequence[Job]) -> None:
        async with places:
            await _send(run, op, side, some)

    return [partial(call, jobs[start : start + size]) for start in range(0, len(jobs), size)]


async def _send(run: Run, op: str, side: Side, jobs: Sequence[Job]) -> None:
    try:
        results = await patiently_unless_unknown(run, lambda: _ask(run, op, side, jobs))
    except AuthError as error:
        blame(run.sync.end(side).title, error)
        raise
    except PermanentError as error:
        if len(jobs) > 1:  # one of them spoils it for all
            half = len(jobs) // 2
            await _send(run, op, side, jobs[:half])
            await _send(run, op, side, jobs[half:])
            return
        results = [Written(error=error)]
    except ConnectorError as error:
        results = [Written(error=error)] * len(jobs)
    for job, result in zip(jobs, results, strict=True):
        job.result = result
        if result.error is not None and not isinstance(result.error, PermanentError):
            blame(run.sync.end(side).title, result.error)
            run.troubles.append(result.error)


async def patiently_unless_unknown(run: Run, call: Callable[[], Awaitable[list[Written]]]) -> list[Written]:
    """Again after what surely wrote nothing; an unknown outcome is never repeated here."""
    unknown: list[UnknownOutcomeError] = []

    async def once() -> list[Written] | None:
        try:
            return await call()
        except RetryableError:
            raise
        except UnknownOutcomeError as error:
            unknown.append(error)
        except (ConnectorError, asyncio.CancelledError):
            raise
        except Exception as error:  # not foreseen: the write may have happened
            unknown.append(UnknownOutcomeError(type(error).__name__))
        return None

    results = await patiently(once, run.clock)
    if results is None:
        raise unknown[-1]
    return results


async def _ask(run: Run, op: str, side: Side, jobs: Sequence[Job]) -> list[Written]:
    port, about = run.sync.end(side).port, run.sync.object
    payloads = [job.payload for job in jobs]
    match op:
        case "create":
            return await port.create(about, payloads)
        case "update":
            return await port.update(about, payloads)
        case "link":
            return await port.link(about, payloads)
        case "archive":
            return await port.archive(about, payloads)
        case "delete":
            return await port.delete(about, payloads)
    return await port.tag(about, payloads, run.sync.settings.deletion_tag)


def outcomes(jobs: Sequence[Job]) -> list[Outcome]:
    """For the writes' own rows; none of what was only planned."""
    found = []
    for job in jobs:
        if job.result is not None:
            state = "done" if job.done else "unknown" if job.unknown else "failed"
            error = str(job.error) if job.error is not None else ""
            record_id = job.result.id if job.intent.op == "create" and job.done else ""
            found.append(Outcome(job.intent.id, state, record_id, error))
    return found


def settle_log(conn: Connection, job: Job) -> None:
    sync_log.settle_writes(conn, outcomes([job]))
