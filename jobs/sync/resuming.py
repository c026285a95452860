"""What an earlier pass left unsettled: looked up, never blindly repeated."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection, Row

from jobs.sync.pairing import partnered
from jobs.sync.run import Run
from leads.merge import OTHER, Side
from store import sync_log, sync_pairs, sync_records
from store.leases import assert_held
from store.sync_gathered import Gathered
from store.sync_log import Issue
from store.sync_pairs import Pair

LONGEST_WAIT_S: Final = 120.0
"""A pass does not wait longer than this to see whether a lost create landed; the next one looks again."""


async def resume(run: Run) -> None:
    """Writes whose outcome was not stored: both records are read again, and what is still missing is written."""
    while rows := await run.db.read(sync_log.unsettled, run.sync.name):

        def work(conn: Connection, rows: Sequence[Row[Any]] = rows) -> None:
            assert_held(conn, run.held)
            ends = sync_records.of_pairs(conn, run.sync.name, {row.pair_id for row in rows if row.op != "create"})
            for row in rows:
                sync_log.settle_write(conn, row.id, "unknown")
                for side, end in ends.get(row.pair_id, {}).items():
                    sync_records.mark_dirty(conn, run.sync.name, side, [end.record_id])

        await run.db.write(work)
    await look_up(run)


async def look_up(run: Run) -> float:
    """Creates with unknown outcome: found, or surely not there and so made again. Seconds until the next look, or 0."""
    pairs = await run.db.read(sync_pairs.creating, run.sync.name)
    by_side: dict[Side, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_side["right" if pair.left_id else "left"].append(pair)
    waits = [await _look_up(run, to, some) for to, some in by_side.items()]
    return min((wait for wait in waits if wait > 0), default=0.0)


async def wait_for_unknown(run: Run) -> bool:
    """Waits until what was lost is certain, if that is soon; whether anything may be due now."""
    waited = 0.0
    while wait_s := await look_up(run):
        waited += wait_s
        if waited > LONGEST_WAIT_S:
            return True
        await _sleep(run, wait_s)
    return waited > 0


async def _sleep(run: Run, wait_s: float) -> None:
    """By the second: it can be stopped, and whoever looks on sees what is waited for."""
    try:
        while wait_s > 0:
            run.counts["wait_s"] = ceil(wait_s)
            await run.told()
            step = min(wait_s, 1.0)
            await run.clock.sleep(step)
            run.check()
            wait_s -= step
    finally:
        del run.counts["wait_s"]


async def _look_up(run: Run, to: Side, pairs: Sequence[Pair]) -> float:
    end, now = run.sync.end(to), run.clock.now()
    if not end.can.finds_created:
        await _tell(run, to, pairs)
        return 0.0
    since = min((pair.sent_at for pair in pairs if pair.sent_at is not None), default=now)
    keys = [pair.key for pair in pairs]
    found = await run.ask(to, lambda: end.port.find_created(run.sync.object, keys, since))
    last = timedelta(seconds=max(end.look_again_s, default=0.0))
    waiting = [
        pair for pair in pairs if pair.key not in found and pair.sent_at is not None and now - pair.sent_at < last
    ]
    late = {pair.id for pair in waiting}

    def work(conn: Connection) -> None:
        assert_held(conn, run.held)
        gathered = Gathered(run.sync.name)
        for pair in pairs:
            if pair.key in found:
                _found(conn, gathered, run, to, pair, found[pair.key])
            elif pair.id not in late:
                _absent(conn, run, to, pair)
        gathered.store(conn, now)

    await run.db.write(work)
    dues = [_next_look(pair, end.look_again_s, now) for pair in waiting]
    return min(dues, default=0.0)


def _next_look(pair: Pair, schedule: Sequence[float], now: Any) -> float:
    age = (now - pair.sent_at).total_seconds() if pair.sent_at is not None else 0.0
    return max(0.05, min((at for at in schedule if at > age), default=0.0) - age)


def _found(conn: Connection, gathered: Gathered, run: Run, to: Side, pair: Pair, id: str) -> None:
    sync, source = run.sync, OTHER[to]
    left, right = (pair.left_id, id) if to == "right" else (id, pair.right_id)
    there = sync_records.rows(conn, sync.name, to, [id]).get(id)
    if there is None:
        sync_records.hint(conn, sync.name, to, id)
    gathered.pair(pair.id, state="paired", left_id=left, right_id=right, sent_at=None, base={})
    gathered.paired += [(to, id, pair.id), (source, pair.on(source), pair.id)]
    gathered.dirty(to, [id])
    gathered.dirty(source, [pair.on(source)])
    sync_log.close_issues(conn, sync.name, run.clock.now(), "found", pair_id=pair.id, kind="unknown")
    partnered(gathered, sync, left, right)
    run.counts["found_created"] += 1


def _absent(conn: Connection, run: Run, to: Side, pair: Pair) -> None:
    """It surely never landed: the record is without a partner again, and gets one in this pass."""
    source = OTHER[to]
    sync_pairs.remove(conn, pair.id)
    sync_records.set_pair(conn, run.sync.name, source, pair.on(source), "")
    sync_records.mark_dirty(conn, run.sync.name, source, [pair.on(source)])


async def _tell(run: Run, to: Side, pairs: Sequence[Pair]) -> None:
    def work(conn: Connection) -> None:
        assert_held(conn, run.held)
        for pair in pairs:
            ids = ((pair.left_id,) if pair.left_id else (), (pair.right_id,) if pair.right_id else ())
            issue = Issue("unknown", pair.id, pair.id, "", ids[0], ids[1], {"key": pair.key, "side": to})
            sync_log.raise_issue(conn, run.sync.name, run.id(), issue, run.clock.now())

    await run.db.write(work)
