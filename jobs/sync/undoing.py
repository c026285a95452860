"""Takes back what a pass overwrote, where nobody has changed it since."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row

from connectors.records import Change, Record
from jobs.sync.between import other_accounts, refusal
from jobs.sync.looking import read
from jobs.sync.model import SIDES, Sync
from jobs.sync.packing import pack, unpack
from jobs.sync.passes import PassResult
from jobs.sync.run import Run
from jobs.sync.writing import Batch, Job, settle_log, write
from leads.clock import Clock
from leads.ids import new_id
from leads.merge import Agreed, Side, mark
from store import sync_log, sync_pairs, sync_records
from store.db import Database
from store.leases import Held, assert_held
from store.sync_log import Intent

AT_ONCE = 100
STAYS: Final = {
    "create": "made_stay",
    "archive": "removed_stay",
    "delete": "removed_stay",
    "link": "links_stay",
    "tag": "tags_stay",
}
"""What no write takes back: operation -> how it is counted."""


async def undo(sync: Sync, db: Database, clock: Clock, held: Held, pass_id: str, *, request_id: str = "") -> PassResult:
    """Restores the values that the pass overwrote, newest first; what was changed since is left and counted.

    Records that it made or removed, links and tags stay so, and are counted. Afterwards the two sides differ there,
    and that is what they are agreed on: nothing is carried over again until somebody changes something. The undoing is
    a pass itself, and can be undone.
    """
    run = Run(sync, db, clock, held, new_id(clock))
    run.behind_leads()
    now = clock.now()

    def begin(conn: Connection) -> None:
        assert_held(conn, held)
        values = {"id": run.pass_id, "sync": sync.name, "kind": "undo", "state": "running", "started_at": now}
        sync_log.begin_pass(conn, **values, request_id=request_id, counts={}, shadow=False)
        if request_id:
            sync_log.answer(conn, request_id, run.pass_id)

    await db.write(begin)
    if before := await other_accounts(sync, db):
        run.troubles.append(refusal(before))
    else:
        await _all_of(run, pass_id)
    counts = {name: count for name, count in run.counts.items() if count}
    state: Literal["failed", "done"] = "failed" if run.troubles else "done"
    error = str(run.troubles[-1]) if run.troubles else ""
    await db.write(sync_log.change_pass, run.pass_id, state=state, ended_at=clock.now(), counts=counts, error=error)
    return PassResult(run.pass_id, state, counts, error)


async def _all_of(run: Run, pass_id: str) -> None:
    after = ""
    while rows := await run.db.read(sync_log.writes_of, pass_id, limit=AT_ONCE, after=after, newest=True):
        after = rows[-1].id
        for row in rows:
            if row.state == "done" and row.op in STAYS:
                run.counts[STAYS[row.op]] += 1
        await _take_back(run, [row for row in rows if row.op == "update" and row.state in ("done", "unknown")])


async def _take_back(run: Run, rows: Sequence[Row[Any]]) -> None:
    current: dict[Side, dict[str, Record]] = {}
    for side in SIDES:
        ids = sorted({row.record_id for row in rows if row.side == side})
        current[side] = await read(run, side, ids) if ids else {}
    batch = Batch()
    for row in rows:
        record = current[row.side].get(row.record_id)
        if record is None or record.deleted or record.id != row.record_id:
            run.counts["gone"] += 1
            continue
        values = _restored(run.sync, row, record.values)
        if values:
            before = {key: record.values.get(key) for key in values}
            head = (run.id(), run.pass_id, run.sync.name, row.pair_id, row.side, row.record_id)
            intent = Intent(*head, "update", pack(before), pack(values))
            batch.jobs.append(Job(intent, Change(row.record_id, values)))
        else:
            run.counts["as_before" if _as_before(run.sync, row, record.values) else "changed_since"] += 1
    await write(run, batch)
    pairs = await run.db.read(sync_pairs.by_ids, {job.intent.pair_id for job in batch.jobs})
    partners: dict[Side, dict[str, Record]] = {}
    for side in SIDES:
        known = [pairs[job.intent.pair_id] for job in batch.jobs if job.done and job.intent.pair_id in pairs]
        ids = sorted({pair.on(side) for pair in known} - {""})
        partners[side] = await read(run, side, ids) if ids else {}

    def settle(conn: Connection) -> None:
        assert_held(conn, run.held)
        bases = {pair.id: dict(pair.base or {}) for pair in pairs.values()}
        for job in batch.jobs:
            settle_log(conn, job)
            pair = pairs.get(job.intent.pair_id)
            if not job.done or pair is None:
                continue
            run.counts[f"restored_{job.side}"] += 1
            ends = {side: partners[side].get(pair.on(side)) for side in SIDES}
            if ends["left"] is None or ends["right"] is None:
                continue
            for name in _names(run.sync, job.side, job.payload.values):
                fields = run.sync.mapping.pair(name)
                forms = [mark(fields.comparable(end.values, side)) for side, end in ends.items() if end is not None]
                bases[pair.id][name] = Agreed(forms[0], forms[1])
        for pair_id, base in bases.items():
            sync_pairs.change(conn, pair_id, base=base)
            for side in SIDES:
                sync_records.mark_dirty(conn, run.sync.name, side, [pairs[pair_id].on(side)])

    await run.db.write(settle)


def _restored(sync: Sync, row: Row[Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The old values of the fields that still hold what the pass wrote."""
    before, after = unpack(row.before), unpack(row.after)
    values: dict[str, Any] = {}
    known: set[str] = set()
    for fields in sync.mapping.pairs:
        keys = [key for key in fields.keys(row.side) if key in after]
        known |= set(keys)
        if keys and fields.comparable(now, row.side) == fields.comparable({**now, **after}, row.side):
            values |= {key: before.get(key) for key in keys}
    return {**values, **{key: before.get(key) for key in after if key not in known and now.get(key) == after[key]}}


def _as_before(sync: Sync, row: Row[Any], now: Mapping[str, Any]) -> bool:
    """Whether it was taken back already, by us or by people."""
    before, after = unpack(row.before), unpack(row.after)
    then = {**now, **{key: before.get(key) for key in after}}
    touched = [fields for fields in sync.mapping.pairs if set(fields.keys(row.side)) & set(after)]
    return all(fields.comparable(now, row.side) == fields.comparable(then, row.side) for fields in touched)


def _names(sync: Sync, side: Side, values: Mapping[str, Any]) -> list[str]:
    return [fields.name for fields in sync.mapping.pairs if set(fields.keys(side)) & set(values)]
