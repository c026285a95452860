"""Working off what is due, batch by batch: read what is missing, pair, decide, write, settle."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from connectors.records import Record
from jobs.sync.creating import Making, intend_missing, make
from jobs.sync.departures import Departed, settle_departures
from jobs.sync.flight import Flight
from jobs.sync.keeping import keep_equal
from jobs.sync.looking import both_in_turn, poll, read
from jobs.sync.matching import Node
from jobs.sync.model import SIDES
from jobs.sync.pairing import find_partners
from jobs.sync.removing import remove_partners
from jobs.sync.run import Run, both
from leads.merge import Side
from store import sync_pairs, sync_records
from store.leases import assert_held
from store.sync_records import Settled

SWEEPS = 4
"""What a sweep makes due (the other end of a new pair, a late hint) is done in the next; what fails is left."""
IN_FLIGHT = 6
"""Batches of new records, and as many of pairs, whose calls are on their way or wait for the vendor's limit while the
next ones are made ready. Enough to fill a limit of 10 calls/s with answers that take a second; all are in memory."""
NEW, PAIRS = "new", "pairs"


async def work_off(run: Run) -> None:
    """Until nothing is due, or only what cannot be done now. Raises Stopped between two batches."""
    for _ in range(SWEEPS):
        after, passed_over = dict[str, str](), list[Node]()
        async with Flight(IN_FLIGHT) as flight:
            while True:
                run.check()
                rows = await _due(run, after, flight)
                if not rows:
                    break
                after |= {row.side: row.record_id for row in rows}  # those of a side come in order
                # What is read while its pair is being written would be taken for somebody's change back.
                busy = [row for row in rows if row.pair_id in flight.claimed]
                passed_over += [(row.side, row.record_id) for row in busy]
                await _batch(run, flight, [row for row in rows if row not in busy])
                if len(rows) < run.batch:  # what is heard of meanwhile is gathered, and goes together in the next sweep
                    break
            await flight.landed()
            for start in range(0, len(passed_over), run.batch):
                run.check()
                await _batch(run, flight, await _still_due(run, passed_over[start : start + run.batch]))
                await flight.landed()
        if not after:
            return


async def _due(run: Run, after: Mapping[str, str], flight: Flight) -> Sequence[Row[Any]]:
    """Of both sides by halves, so that both CRMs have something to write; where one has enough, what the other gets."""
    ahead = flight.bound["right"] - flight.bound["left"]
    lefts = 0 if ahead > run.batch else run.batch if ahead < -run.batch else run.batch // 2
    return await run.db.read(sync_records.dirty, run.sync.name, run.batch, after, lefts)


async def _still_due(run: Run, nodes: Sequence[Node]) -> list[Row[Any]]:
    def work(conn: Connection) -> list[Row[Any]]:
        found: list[Row[Any]] = []
        for side in SIDES:
            ids = [id for one, id in nodes if one == side]
            found += [row for row in sync_records.rows(conn, run.sync.name, side, ids).values() if row.dirty]
        return found

    return await run.db.read(work)


async def _batch(run: Run, flight: Flight, rows: Sequence[Row[Any]]) -> None:
    """Who is whom is decided batch after batch and stored; what is to be written for it then goes its own way."""
    departed, along = await _refresh(run, rows)
    if departed:  # pairs are parted and joined anew: nobody else may be working on them
        await flight.landed()
        removals = await settle_departures(run, departed)
        await remove_partners(run, removals)
        along.clear()
    rows = await _again(run, [(row.side, row.record_id) for row in rows])
    free = [row for row in rows if not row.pair_id]
    not_now = set[str]()
    if free:
        found = await find_partners(run, free)
        making = await intend_missing(run, await _ready(run, found.alone))
        rows = await _again(run, [(row.side, row.record_id) for row in rows])
        not_now = flight.claim([one.pair.id for one in making.new])
        await _start_making(run, flight, making)
        if flight.full(PAIRS):  # new ones wait for the next sweep: meanwhile records are made in the other CRM
            not_now.update(found.made)
    if mine := flight.claim({row.pair_id for row in rows if row.pair_id} - not_now):
        await flight.start(lambda: _pairs(run, flight, mine, along), PAIRS)


async def _start_making(run: Run, flight: Flight, making: Making) -> None:
    bound = Counter(one.to for one in making.new)

    async def work() -> None:
        try:
            await make(run, making)
        finally:
            flight.release([one.pair.id for one in making.new])
            flight.bound -= bound
        await run.told()

    if bound:
        flight.bound += bound
        await flight.start(work, NEW)


async def _pairs(run: Run, flight: Flight, pair_ids: Collection[str], along: Mapping[Node, Record]) -> None:
    try:
        await _paired(run, pair_ids, along)
    finally:
        flight.release(pair_ids)
    await run.told()


async def _paired(run: Run, pair_ids: Collection[str], along: Mapping[Node, Record]) -> None:
    def load(conn: Connection) -> tuple[dict[str, Any], dict[str, dict[str, Row[Any]]]]:
        return sync_pairs.by_ids(conn, pair_ids), sync_records.of_pairs(conn, run.sync.name, pair_ids)

    pairs, ends = await run.db.read(load)
    restored: list[str] = []
    held: list[Settled] = []
    ready = []
    for pair_id in sorted(pair_ids):
        pair, sides = pairs.get(pair_id), ends.get(pair_id, {})
        if pair is None or pair.state == "creating":
            continue
        alive = [row for row in sides.values() if row.state == "alive"]
        if pair.state == "parted" and len(alive) == 2:
            restored.append(pair_id)
        elif pair.state != "paired" or len(alive) != 2:
            status = "stopped" if pair.state == "stopped" else "kept"
            held += [Settled(row.side, row.record_id, row.version, status=status) for row in alive if row.dirty]
        else:
            ready.append((pair, sides["left"], sides["right"]))
    if restored or held:

        def settle(conn: Connection) -> None:
            assert_held(conn, run.held)
            sync_records.settle(conn, run.sync.name, held)
            for pair_id in restored:  # somebody took it out of the bin
                sync_pairs.change(conn, pair_id, state="paired")
                for side, row in ends[pair_id].items():
                    sync_records.mark_dirty(conn, run.sync.name, side, [row.record_id])

        await run.db.write(settle)
    if ready:
        await keep_equal(run, ready, along)


async def _refresh(run: Run, rows: Sequence[Row[Any]]) -> tuple[list[Departed], dict[Node, Record]]:
    """Reads what is due and not known afresh; returns what is not there any more, and partners that came along."""
    needed: dict[Side, list[Row[Any]]] = {side: [] for side in SIDES}
    for row in rows:
        if row.content is None or row.hint:
            needed[row.side].append(row)
    along: dict[Node, Record] = {}
    partners = await _partners(run, needed)
    gone: dict[Side, list[Departed]] = {}

    async def look(side: Side) -> None:
        gone[side] = await _read(run, side, needed[side], partners[side], along) if needed[side] else []

    await both(look)
    departed = [one for side in SIDES for one in gone[side]]
    if any(not one.survivor for one in departed):  # what it may have been merged into must be known as it is now
        await both_in_turn(run, poll)
    return departed, along


async def _partners(run: Run, needed: Mapping[Side, Sequence[Row[Any]]]) -> dict[Side, list[str]]:
    """Whom a call that is made anyway has room for: the other records of the pairs that are read."""
    if not all(needed.values()):
        return {side: [] for side in SIDES}
    pair_ids = {row.pair_id for side in SIDES for row in needed[side] if row.pair_id}
    ends = await run.db.read(sync_records.of_pairs, run.sync.name, pair_ids)
    found: dict[Side, list[str]] = {}
    for side in SIDES:
        mine = {row.record_id for row in needed[side]}
        others = [end[side] for end in ends.values() if side in end]
        more = [row.record_id for row in others if row.record_id not in mine and not row.dirty]
        found[side] = more[: max(0, run.sync.end(side).can.read_batch - len(mine))]
    return found


async def _read(
    run: Run, side: Side, rows: Sequence[Row[Any]], more: Sequence[str] = (), along: dict[Node, Record] | None = None
) -> list[Departed]:
    """`more`: ids of records that are put into `along` as they are there, and not stored."""
    sync, now = run.sync, run.clock.now()
    found = await read(run, side, [*(row.record_id for row in rows), *more])
    if along is not None:
        along |= {(side, id): found[id] for id in more if id in found}
    departed, seen = [], {}
    for row in rows:
        record = found.get(row.record_id)
        hinted = row.hint.removeprefix("merged:") if row.hint.startswith("merged:") else ""
        if record is None:
            departed.append(Departed(row, hinted))
        elif record.id != row.record_id or record.merged_into:
            departed.append(Departed(row, record.merged_into or record.id))
            if not record.deleted and record.id != row.record_id:
                seen[record.id] = sync.seen(side, record)
        elif record.deleted:
            departed.append(Departed(row, hinted))
        else:
            seen[record.id] = sync.seen(side, record)
    await run.db.write(sync_records.see, run.held, sync.name, side, list(seen.values()), now, fresh=True)
    return departed


async def _again(run: Run, nodes: Sequence[Node]) -> list[Row[Any]]:
    """The rows as they are stored now, those that are still due and there."""
    rows = await _still_due(run, nodes)
    return [row for row in rows if row.state == "alive" and not row.hint and row.content is not None]


async def _ready(run: Run, nodes: Sequence[Node]) -> list[Row[Any]]:
    """Rows to be made on the other side; those that came along by a key are read first."""

    def work(conn: Connection) -> dict[Node, Row[Any]]:
        found: dict[Node, Row[Any]] = {}
        for side in SIDES:
            rows = sync_records.rows(conn, run.sync.name, side, [id for one, id in nodes if one == side])
            found |= {(side, id): row for id, row in rows.items() if row.state == "alive" and not row.pair_id}
        return found

    rows = await run.db.read(work)
    unread: dict[Side, list[Row[Any]]] = defaultdict(list)
    for (side, _), row in rows.items():
        if row.content is None:
            unread[side].append(row)  # type: ignore[index]  # a node's side is a side
    for side, some in unread.items():
        await _read(run, side, some)
    if unread:
        rows = await run.db.read(work)
    return [row for row in rows.values() if row.content is not None]
