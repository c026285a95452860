"""A sync from the command line: done here, or asked of the hub that is running it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

from connectors.http import MAY_WRITE
from connectors.registry import CONNECTORS
from jobs.audit import slowed
from jobs.config.loading import Settings
from jobs.leasing import LeaseKeeper
from jobs.opening import Transport, no_transport, opened, opening_of, patiently
from jobs.sync.model import Sync
from jobs.sync.opening import Opened, open_sync
from jobs.sync.passes import PassResult, Progress, Wish, run_pass
from jobs.sync.service import lease_of
from jobs.sync.undoing import undo
from leads.clock import Clock
from leads.ids import new_id
from store import leases, sync_log
from store.db import Database
from store.leases import Held

LOOK_EVERY_S: Final = 0.3
Stopping = Callable[[], bool]


class LeftToHub(Exception):
    """Who looked on does not want to any more; the hub goes on with the pass."""


def never() -> bool:
    return False


Answer = TypeVar("Answer")


@asynccontextmanager
async def opened_sync(
    settings: Settings, name: str, db: Database, clock: Clock, transport: Transport = no_transport
) -> AsyncIterator[Sync]:
    """The sync on connections of its own; slower where a hub uses the same account. Raises what `open_sync` raises."""
    wanted = settings.syncs[name]
    async with AsyncExitStack() as stack:
        ends: dict[str, Opened] = {}
        for one in (wanted.left, wanted.right):
            configured = settings.connections[one]
            connector = CONNECTORS[configured.type]
            now = clock.now()
            busy = await db.read(leases.held_by_another, one, now)
            own = slowed(connector, configured.settings) if busy else configured.settings
            opening = opening_of(settings, one, db, clock, own=own, transport=transport(configured.type))
            target = await stack.enter_async_context(opened(configured.type, opening))
            ends[one] = Opened(one, connector, target, configured.settings)
        yield await patiently(lambda: open_sync(settings, name, ends), clock)


async def run_or_ask(
    settings: Settings,
    name: str,
    db: Database,
    clock: Clock,
    wish: Wish,
    *,
    asked_by: str,
    progress: Progress,
    stopping: Stopping = never,
    transport: Transport = no_transport,
) -> PassResult:
    """One pass, by whoever holds the sync's lease. Raises what `open_sync` raises, LeftToHub and StoreUnavailable.

    `stopping`: ends it where it can go on later; what is on its way is waited for.
    """
    while True:
        now = clock.now()
        if await db.read(leases.held_by_another, lease_of(name), now):
            done = await _ask(name, db, clock, wish, asked_by, progress, stopping)
        else:
            done = await _run(settings, name, db, clock, wish, progress, stopping, transport)
        if done is not None:
            return done


async def _run(
    settings: Settings,
    name: str,
    db: Database,
    clock: Clock,
    wish: Wish,
    progress: Progress,
    stopping: Stopping,
    transport: Transport,
) -> PassResult | None:
    """None when another took the lease first."""

    async def work(held: Held) -> PassResult:
        async with opened_sync(settings, name, db, clock, transport) as sync:
            if wish.undo:
                return await undo(sync, db, clock, held, wish.undo)
            return await run_pass(sync, db, clock, held, wish, progress=progress, stopping=stopping)

    return await under_lease(name, db, clock, work)


async def under_lease(
    name: str, db: Database, clock: Clock, work: Callable[[Held], Awaitable[Answer]], wait_s: float = 1.0
) -> Answer | None:
    """What `work` returns or raises while the sync is ours; None when another has had it for all of `wait_s`."""
    keeper = LeaseKeeper(lease_of(name), db, clock)
    results: list[Answer] = []
    failures: list[Exception] = []
    began = asyncio.Event()

    async def once(held: Held) -> None:
        began.set()
        MAY_WRITE.set(keeper.surely_ours)
        try:
            results.append(await work(held))
        except Exception as error:  # told to whoever asked, not tried again as in the hub
            failures.append(error)
        keeper.stop()

    running = asyncio.ensure_future(keeper.run(once))
    waiting = asyncio.ensure_future(began.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if not began.is_set():
            keeper.stop()
        await running
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    if failures:
        raise failures[0]
    return results[0] if results else None


async def _ask(
    name: str, db: Database, clock: Clock, wish: Wish, asked_by: str, progress: Progress, stopping: Stopping
) -> PassResult | None:
    """What the hub made of our request; None when it is gone and has not begun."""
    request_id, now = new_id(clock), clock.now()
    await db.write(sync_log.ask, request_id, name, now, asked_by, full=wish.full, yes=wish.yes, undo=wish.undo)
    while True:
        if stopping():
            raise LeftToHub
        request = await db.read(sync_log.request, request_id)
        row = await db.read(sync_log.pass_of, request.pass_id) if request else None
        if row is not None and row.state != "running":
            return PassResult(row.id, row.state, row.counts, row.error)
        if row is not None:
            await progress(row.counts)
        now = clock.now()
        if not await db.read(leases.held_by_another, lease_of(name), now):
            await db.write(sync_log.answer, request_id, "-")
            return None
        await clock.sleep(LOOK_EVERY_S)
