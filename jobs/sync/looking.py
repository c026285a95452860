"""Finding out what changed on the two sides: by modification time, by full listings, by reading what was named."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from connectors.errors import PermanentError
from connectors.records import Record
from jobs.sync.model import SIDES, Sync
from jobs.sync.run import Run, both
from leads.merge import Side
from store import cursors, sync_listing, sync_records
from store.leases import assert_held
from store.sync_records import Arrived

AHEAD = timedelta(minutes=1)
"""A record that claims to be modified later than now by the CRM's clock does not carry the cursor along."""
UNKNOWN_AHEAD = timedelta(minutes=15)
"""The same where the CRM does not tell its time."""
AT_ONCE = 500


async def set_clocks(run: Run) -> None:
    async def look(side: Side) -> None:
        theirs = await run.ask(side, run.sync.end(side).port.server_time)
        if theirs is not None:
            run.clocks = run.clocks.with_(side, theirs - run.clock.now())

    await both(look)


async def both_in_turn(run: Run, look: Callable[[Run, Side], Awaitable[None]]) -> None:
    for side in SIDES:
        await look(run, side)


# --- by modification time -----------------------------------------------------------------------------------------


async def poll(run: Run, side: Side) -> None:
    """What changed since the last poll, with an overlap; goes on where an earlier one was stopped."""
    sync, end, name = run.sync, run.sync.end(side), cursor_name(run.sync, side)
    kept = await run.db.read(cursors.load, name) or {}
    since = _time(kept.get("since"))
    page, began, top = kept.get("page", ""), _time(kept.get("began")) or run.clock.now(), _time(kept.get("top"))
    asked = _time(kept.get("asked"))
    if not page:
        asked = since - timedelta(seconds=end.can.overlap_s + end.can.precision_s) if since else None
        began, top = run.clock.now(), None
    whole = asked is None and not page and not await run.db.read(sync_records.any_known, sync.name, side)
    following = asyncio.ensure_future(_page(run, side, asked, page))
    try:
        while True:
            run.check()
            found = await following
            times = [record.modified_at for record in found.records if record.modified_at is not None]
            top = max([*times, *([top] if top else [])], default=None)
            page = found.cursor
            state = {
                "since": _text(since),
                "asked": _text(asked),
                "began": _text(began),
                "top": _text(top),
                "page": page,
            }
            if page:  # asked for while this one is stored
                following = asyncio.ensure_future(_page(run, side, asked, page))
            else:
                state = {"since": _text(_next_since(run, side, since, top, began))}
            _count(run, side, await _keep(run, side, found.records, state))
            await run.told()
            if not page:
                break
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    if whole:
        run.whole.add(side)
    if not whole:
        # Nothing was ever seen to change there, and yet records are known: earlier ones the full comparison finds.
        gone_since = asked or run.clock.now() - sync.settings.full
        gone = await run.ask(side, lambda: end.port.deleted(sync.object, gone_since))
        _count(run, side, await _keep(run, side, gone, None))


async def _page(run: Run, side: Side, asked: datetime | None, page: str) -> Any:
    sync, end = run.sync, run.sync.end(side)
    try:
        return await run.ask(side, lambda: end.port.changed(sync.object, asked, sync.keys(side), page))
    except PermanentError:
        if not page:
            raise
        # The place to go on at is not known there any more.
        return await run.ask(side, lambda: end.port.changed(sync.object, asked, sync.keys(side), ""))


def _next_since(run: Run, side: Side, since: datetime | None, top: datetime | None, began: datetime) -> datetime | None:
    """What was changed while we read has a later time than the first page was asked for: that much is read again."""
    if top is None:
        return since
    offset = run.clocks.left if side == "left" else run.clocks.right
    now = run.clock.now()
    latest = now + offset + (AHEAD if offset else UNKNOWN_AHEAD)
    safe = min(top, latest) - max(timedelta(0), now - began)
    return max(safe, since) if since else safe


async def _keep(run: Run, side: Side, records: Sequence[Record], cursor: dict[str, Any] | None) -> Arrived:
    sync, now = run.sync, run.clock.now()
    page = [sync.seen(side, record) for record in records]

    def work(conn: Connection) -> Arrived:
        if cursor is not None:
            assert_held(conn, run.held)
            cursors.save(conn, cursor_name(sync, side), cursor)
        return sync_records.see(conn, run.held, sync.name, side, page, now)

    return await run.db.write(work)


def _count(run: Run, side: Side, arrived: Arrived) -> None:
    run.counts[f"seen_{side}"] += arrived.seen
    run.counts[f"changed_{side}"] += arrived.new + arrived.changed + arrived.gone


def cursor_name(sync: Sync, side: Side) -> str:
    return f"sync:{sync.name}:{side}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


# --- full listings --------------------------------------------------------------------------------------------------


async def list_all(run: Run, side: Side) -> None:
    """Every record that is there: finds what no change told of. What is missing is read, and may be gone."""
    sync, end, name = run.sync, run.sync.end(side), f"{cursor_name(run.sync, side)}:full"
    kept = await run.db.read(cursors.load, name) or {}
    page, number = kept.get("page", ""), int(kept.get("number", 0)) + (0 if kept.get("page") else 1)
    while True:
        run.check()
        found = await run.ask(side, partial(end.port.listing, sync.object, page))
        page = found.cursor

        def work(conn: Connection, found: Any = found, page: str = page) -> None:
            sync_listing.listed(conn, run.held, sync.name, side, found.stubs, number)
            cursors.save(conn, name, {"number": number, "page": page})

        await run.db.write(work)
        run.counts[f"listed_{side}"] += len(found.stubs)
        await run.told()
        if not page:
            break
    await _mark_missing(run, side, number)
    if sync.linked and not end.can.links_move:
        await _compare_links(run, side)


async def _mark_missing(run: Run, side: Side, number: int) -> None:
    after, name = "", run.sync.name
    while True:
        ids = await run.db.read(sync_listing.missing, name, side, number, AT_ONCE, after)
        if not ids:
            return
        await _dirty(run, side, ids)
        after = ids[-1]


async def _compare_links(run: Run, side: Side) -> None:
    """Links may change without moving the modification time of their record."""
    after, sync = "", run.sync
    while True:
        run.check()
        ids = await run.db.read(sync_listing.some_paired, sync.name, side, AT_ONCE, after)
        if not ids:
            return
        rows = await run.db.read(sync_records.rows, sync.name, side, ids)
        found = await read_links(run, side, ids)
        changed = [
            id
            for id in ids
            if any(sorted((rows[id].links or {}).get(to, ())) != sorted(ids_) for to, ids_ in found[id].items())
        ]
        await _dirty(run, side, changed)
        after = ids[-1]


async def _dirty(run: Run, side: Side, ids: Collection[str]) -> None:
    def work(conn: Connection) -> None:
        assert_held(conn, run.held)
        sync_records.mark_dirty(conn, run.sync.name, side, ids)

    await run.db.write(work)


# --- single records --------------------------------------------------------------------------------------------------


async def read(run: Run, side: Side, ids: Sequence[str]) -> dict[str, Record]:
    """Asked id -> record, in as few calls as the CRM takes."""
    sync, end = run.sync, run.sync.end(side)
    batches = [ids[start : start + end.can.read_batch] for start in range(0, len(ids), end.can.read_batch)]
    found: dict[str, Record] = {}

    async def some(batch: Sequence[str]) -> None:
        found.update(await run.ask(side, lambda: end.port.read(sync.object, batch, sync.keys(side))))

    await gently([lambda batch=batch: some(batch) for batch in batches], end.can.parallel)
    return found


async def read_links(run: Run, side: Side, ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Record id -> object -> ids, for the objects that are synced too."""
    sync, end = run.sync, run.sync.end(side)
    found: dict[str, dict[str, tuple[str, ...]]] = {id: {} for id in ids}

    async def some(to: Any, batch: Sequence[str]) -> None:
        answer = await run.ask(side, lambda: end.port.links(sync.object, batch, to))
        for id in batch:
            found[id][to] = answer.get(id, ())

    size = end.can.link_batch
    await gently(
        [
            lambda to=sibling.object, batch=ids[start : start + size]: some(to, batch)
            for sibling in sync.linked
            for start in range(0, len(ids), size)
        ],
        end.can.parallel,
    )
    return found


async def gently(calls: Sequence[Any], parallel: int) -> None:
    """All of them, at most so many at a time; the first failure is raised when the others have ended."""
    places = asyncio.Semaphore(max(1, parallel))

    async def one(call: Any) -> None:
        async with places:
            await call()

    results = await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
