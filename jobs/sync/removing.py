"""What the policy does with partners of records that are gone: archive, tag or delete, with a cap."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from connectors.errors import PermanentError
from connectors.records import Record
from jobs.sync.departures import Departed, Removals, may_go, op_of, part, why_not
from jobs.sync.looking import read
from jobs.sync.model import SIDES, title_of
from jobs.sync.packing import pack
from jobs.sync.run import Run
from jobs.sync.writing import Batch, Job, settle_log, write
from leads.merge import Side
from store import sync_log, sync_pairs, sync_records
from store.leases import assert_held
from store.sync_log import Intent, Issue
from store.sync_pairs import Pair
from store.sync_records import GOING, Settled

Due = tuple[Pair, Side, Row[Any], Departed]
Records = dict[tuple[Side, str], Record]
"""(side, id) -> the record."""


async def remove_partners(run: Run, removals: Removals) -> None:
    due = [one for one in removals.due if op_of(run.sync, one[1]) is not None]
    known = [one for one in due if _noted(run, one)]
    due = [one for one in due if not _noted(run, one)]
    unable = [one for one in removals.due if op_of(run.sync, one[1]) is None]
    records = await _read(run, [*due, *unable])
    due, changed = _as_agreed(run, due, records)
    room = len(due) if run.yes else max(0, run.sync.settings.delete_cap - len(run.removed))
    due, capped = due[:room], due[room:]
    run.capped |= {pair.id for pair, *_ in capped}
    run.removed |= {pair.id for pair, *_ in due}
    batch = Batch()
    for pair, side, partner, _ in due:
        op = op_of(run.sync, side) or ""
        record = records.get((side, partner.record_id))
        before = pack(record.values) if record is not None else {}
        intent = Intent(run.id(), run.pass_id, run.sync.name, pair.id, side, partner.record_id, op, before)
        batch.jobs.append(Job(intent, partner.record_id))
    await write(run, batch)

    def settle(conn: Connection) -> None:
        assert_held(conn, run.held)
        for one in unable:
            _leave(conn, run, one, why_not(run.sync, one[1]), records)
        for one in changed:
            _leave(conn, run, one, "changed on the other side since they agreed", records)
        sync_records.settle(conn, run.sync.name, [_planned(one) for one in known])
        for one, job in zip(due, batch.jobs, strict=True):
            _settle(conn, run, one, job, records)

    await run.db.write(settle)


async def _read(run: Run, due: Sequence[Due]) -> Records:
    """As they are now: a person shall see who goes, and the log keep what was removed. A tag takes nothing away."""
    found: Records = {}
    for side in SIDES:
        ids = [partner.record_id for _, to, partner, _ in due if to == side and op_of(run.sync, side) != "tag"]
        some = await read(run, side, ids) if ids else {}
        found |= {(side, id): record for id, record in some.items()}
    return found


def _as_agreed(run: Run, due: Sequence[Due], records: Records) -> tuple[list[Due], list[Due]]:
    """Those that nobody has changed since, and the others. A tag does no harm to anybody's work."""
    good: list[Due] = []
    changed: list[Due] = []
    for one in due:
        pair, side, partner, _ = one
        record = records.get((side, partner.record_id))
        fine = record is None or may_go(run.sync, pair, side, record)
        (good if fine else changed).append(one)
    return good, changed


def _noted(run: Run, one: Due) -> bool:
    """Without writing, the record is heard of again and again, as it stays in the index."""
    pair, _, _, departed = one
    return run.mode != "write" and (pair.id in run.removed or (run.mode == "shadow" and departed.row.status == GOING))


def _planned(one: Due) -> Settled:
    row = one[3].row
    return Settled(row.side, row.record_id, row.version, status=GOING)


def _leave(conn: Connection, run: Run, one: Due, why: str, records: Records) -> None:
    pair, side, partner, departed = one
    part(conn, run.sync, pair, departed.row, partner)
    record = records.get((side, partner.record_id))
    names = {side: {partner.record_id: title_of(record.values)}} if record is not None else {}
    data = {"why": why, "gone": departed.side, "names": names}
    issue = Issue("deleted", pair.id, pair.id, "", (pair.left_id,), (pair.right_id,), data)
    sync_log.raise_issue(conn, run.sync.name, run.id(), issue, run.clock.now())


def _settle(conn: Connection, run: Run, one: Due, job: Job, records: Records) -> None:
    pair, side, partner, departed = one
    sync = run.sync
    settle_log(conn, job)
    if job.result is None and run.mode == "shadow":
        run.counts[f"{job.intent.op}_{side}"] += 1
        sync_records.settle(conn, sync.name, [_planned(one)])
        return
    gone = isinstance(job.error, PermanentError) and job.error.gone
    # A plan works on a copy: there it is gone, too, and who was unclear because of it may be clear.
    if job.done or gone or job.result is None:
        run.counts[f"{job.intent.op}_{side}"] += 1
        if job.intent.op == "tag":
            part(conn, sync, pair, departed.row, partner)
            return
        sync_pairs.change(conn, pair.id, state="parted")
        ends = [departed.row, partner]
        sync_records.settle(conn, sync.name, [Settled(row.side, row.record_id, row.version, gone=True) for row in ends])
        return
    if isinstance(job.error, PermanentError):
        run.counts["failed"] += 1
        _leave(conn, run, one, str(job.error), records)
