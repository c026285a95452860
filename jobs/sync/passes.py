"""One pass: look at both sides, stop at the brake, work off what is due, tell how it went."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection

from connectors.errors import ConnectorError
from jobs.checkpoints import Checkpoint, passed
from jobs.config.syncs import SyncSettings
from jobs.sync.again import try_again
from jobs.sync.between import accept_accounts, other_accounts, refusal
from jobs.sync.looking import list_all, poll, set_clocks
from jobs.sync.model import Sync
from jobs.sync.resuming import resume, wait_for_unknown
from jobs.sync.rounds import work_off
from jobs.sync.run import BATCH, Mode, Run, Stopped, both
from jobs.sync.scratch import SCRATCH, scratch
from leads.clock import Clock
from leads.ids import new_id
from store import cursors, sync_log, sync_pairs, sync_records, sync_shadow
from store.db import Database
from store.leases import Held, assert_held

REMOVALS: Final = ("archive", "delete", "tag")
HARM: Final = ("update", *REMOVALS)
TELL_EVERY_S: Final = 1.0
TELLING: Final = (*HARM, "create", "link", "matched", "ambiguous", "failed", "unknown", "conflicts", "stopped", "found")
State = Literal["done", "stopped", "braked", "failed"]


@dataclass(frozen=True, slots=True)
class PassResult:
    """`counts`: see jobs.sync.run. `error` says why a pass failed, or why the brake stopped it."""

    id: str
    state: State
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a pass shall be. `patient`: wait at the end until lost creates are certain.

    `hints`: only what webhooks told of; nothing is looked for. `undo`: a pass to be taken back instead.
    """

    full: bool = False
    hints: bool = False
    yes: bool = False
    patient: bool = False
    undo: str = ""
    request_id: str = ""


Progress = Callable[[Mapping[str, int]], Awaitable[None]]


async def run_pass(
    sync: Sync,
    db: Database,
    clock: Clock,
    held: Held,
    wish: Wish = Wish(),  # frozen
    *,
    stopping: Callable[[], bool] = lambda: False,
    checkpoint: Checkpoint = passed,
    progress: Progress | None = None,
    batch: int = BATCH,
) -> PassResult:
    """Raises LostLease and StoreUnavailable; everything that a CRM says is in the result."""
    mode: Mode = "shadow" if sync.settings.shadow else "write"
    run = Run(sync, db, clock, held, new_id(clock), mode, checkpoint, yes=wish.yes, stopping=stopping, batch=batch)
    run.behind_leads(soon=wish.hints)
    run.progress = _Telling(run, progress).told
    await db.write(_begin, run, wish)
    state: State = "done"
    error = ""
    try:
        await _whole(run, wish)
    except Stopped:
        state = "stopped"
    except _Braked as braked:
        state, error = "braked", str(braked)
    except ConnectorError as failure:
        state, error = "failed", str(failure)
    if state == "done" and run.troubles:
        state, error = "failed", str(run.troubles[-1])
    if state == "done" and run.capped:
        run.counts["would_remove"] = len(run.capped)
        state, error = "braked", f"removals over delete_cap: {len(run.capped)}"
    now = clock.now()
    counts = {name: count for name, count in run.counts.items() if count}

    def end(conn: Connection) -> None:
        assert_held(conn, held)
        sync_log.change_pass(conn, run.pass_id, state=state, ended_at=now, counts=counts, error=error)
        if state == "done" and not wish.request_id and not any(name.startswith(TELLING) for name in counts):
            sync_log.drop_pass(conn, run.pass_id)  # a look that found nothing: hundreds a day
        if state in ("done", "braked") and not wish.hints:
            _note(conn, sync, now, full=wish.full or run.saw_all)
        sync_log.tidy(conn, sync.name, now, keep=sync.settings.keep_log)

    await db.write(end)
    return PassResult(run.pass_id, state, counts, error)


async def _same_accounts(run: Run) -> None:
    if not run.yes and (before := await other_accounts(run.sync, run.db)):
        raise refusal(before)
    await accept_accounts(run.sync, run.db)


async def _whole(run: Run, wish: Wish) -> None:
    await _same_accounts(run)
    await set_clocks(run)
    if run.mode == "write":
        await resume(run)
        await _leave_shadow(run)
    if not wish.hints:
        await both(lambda side: poll(run, side))
    if wish.full:
        await try_again(run)
    if wish.full and not run.saw_all:
        await both(lambda side: list_all(run, side))
    if run.mode == "write" and not run.yes:
        await _brake(run)
    await work_off(run)
    if wish.patient and run.mode == "write" and await wait_for_unknown(run):
        await work_off(run)


def _begin(conn: Connection, run: Run, wish: Wish) -> None:
    assert_held(conn, run.held)
    now = run.clock.now()
    sync_log.end_left_over(conn, run.sync.name, now)
    sync_log.begin_pass(
        conn,
        id=run.pass_id,
        sync=run.sync.name,
        kind="full" if wish.full else "hints" if wish.hints else "quick",
        state="running",
        shadow=run.mode == "shadow",
        request_id=wish.request_id,
        started_at=now,
        counts={},
    )
    if wish.request_id:
        sync_log.answer(conn, wish.request_id, run.pass_id)


@dataclass(slots=True)
class _Telling:
    """Counts go into the pass's row now and then, and to whoever looks on."""

    run: Run
    also: Progress | None
    last_at: float = float("-inf")

    async def told(self) -> None:
        run, now = self.run, self.run.clock.monotonic()
        if now - self.last_at < TELL_EVERY_S:
            return
        self.last_at = now
        counts = dict(run.counts)
        left = await run.db.read(sync_records.count_dirty, run.sync.name)
        counts["due"] = left
        await run.db.write(sync_log.change_pass, run.pass_id, counts=counts)
        if self.also is not None:
            await self.also(counts)


# --- when it was looked last ----------------------------------------------------------------------------------------


def times_name(sync: str) -> str:
    return f"sync:{sync}:times"


def _note(conn: Connection, sync: Sync, now: datetime, *, full: bool) -> None:
    kept = cursors.load(conn, times_name(sync.name)) or {}
    kept |= {"looked_at": now.isoformat(), **({"full_at": now.isoformat()} if full else {})}
    cursors.save(conn, times_name(sync.name), kept)


def looked_at(conn: Connection, sync: str) -> tuple[datetime | None, datetime | None]:
    """When a pass last looked at everything that changed, and when at everything there is."""
    kept = cursors.load(conn, times_name(sync)) or {}
    texts = kept.get("looked_at"), kept.get("full_at")
    return (
        datetime.fromisoformat(texts[0]) if texts[0] else None,
        datetime.fromisoformat(texts[1]) if texts[1] else None,
    )


# --- the brake -------------------------------------------------------------------------------------------------


class _Braked(Exception):
    pass


async def _brake(run: Run) -> None:
    """Asks a person before a pass that would touch too much; counts exactly, in a copy, what it would do."""
    settings, name = run.sync.settings, run.sync.name
    due = await run.db.read(sync_records.count_dirty, name)
    if due <= min(settings.brake.at_least, settings.brake.records):
        if settings.deletions == "ignore" or due <= settings.delete_cap:
            return
        if await run.db.read(sync_records.count_unsure, name) <= settings.delete_cap:
            return
    counts = await forecast(run)
    paired = (await run.db.read(sync_pairs.counts, name)).get("paired", 0)
    if why := over(counts, paired, settings):
        touching = (*HARM, "create")
        run.counts.update({f"would_{op}": count for op, count in counts.items() if op.startswith(touching)})
        raise _Braked(why)


def over(counts: Mapping[str, int], paired: int, settings: SyncSettings) -> str:
    """Why the brake holds, or ""."""
    brake = settings.brake
    removed = sum(counts.get(f"{op}_{side}", 0) for op in REMOVALS for side in ("left", "right"))
    if removed > settings.delete_cap:
        return f"would remove {removed} records, more than {settings.delete_cap}"
    harm = sum(counts.get(f"{op}_{side}", 0) for op in HARM for side in ("left", "right"))
    touched = harm + sum(counts.get(f"create_{side}", 0) for side in ("left", "right"))
    if touched > brake.records:
        return f"would touch {touched} records, more than {brake.records}"
    if harm > brake.at_least and harm * 100 > brake.share * paired:
        return f"would change {harm} of {paired} paired records, more than {brake.share:g} %"
    return ""


async def forecast(run: Run) -> Counter[str]:
    """What working off what is due now would do."""
    async with scratch(run.db, run.sync.name, [one.sync for one in run.sync.siblings]) as copied:
        dry = Run(run.sync, copied, run.clock, SCRATCH, new_id(run.clock), "plan", clocks=run.clocks, hub=run.db)
        dry.stopping, dry.yes = run.stopping, True
        await work_off(dry)
        return dry.counts


async def plan(
    sync: Sync,
    db: Database,
    clock: Clock,
    look: Callable[[Run], Awaitable[Any]],
    *,
    full: bool,
    progress: Progress | None = None,
    batch: int = BATCH,
) -> Any:
    """What a pass would do, done in a copy; `look` sees it before the copy is gone. Raises ConnectorError."""
    async with scratch(db, sync.name, [one.sync for one in sync.siblings]) as copied:
        run = Run(sync, copied, clock, SCRATCH, new_id(clock), "plan", yes=True, hub=db, batch=batch)
        run.behind_leads()

        async def told() -> None:
            if progress is not None:
                await progress(run.counts)

        run.progress = told
        await set_clocks(run)
        await resume(run)  # reads only
        await _leave_shadow(run, db)
        await both(lambda side: poll(run, side))
        if full:
            await try_again(run)
            await both(lambda side: list_all(run, side))
        await work_off(run)
        return await look(run)


async def _leave_shadow(run: Run, noted: Database | None = None) -> None:
    """What a shadow only noted is due now that the sync writes. `noted`: where that is kept, if `run` is on a copy."""
    name = run.sync.name
    if not await (noted or run.db).read(sync_shadow.noted, name):
        return

    def work(conn: Connection) -> None:
        assert_held(conn, run.held)
        sync_shadow.begin_in_earnest(conn, name)

    await run.db.write(work)
