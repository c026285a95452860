"""Pairs: both records read, decided field by field, written where they differ."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row

from connectors.records import Change, LinkChange, Record
from jobs.sync.circles import stop_circles
from jobs.sync.deciding import LINK, Draft, decide, draft, first_seen, unchanged
from jobs.sync.kept import End, Kept, record_now
from jobs.sync.linking import Raw, links_of, partner_id, tokens
from jobs.sync.looking import read
from jobs.sync.matching import Node
from jobs.sync.model import SIDES
from jobs.sync.packing import pack, unpack
from jobs.sync.run import Run
from jobs.sync.settling import FLIP_WINDOW_S, clean, settle_pair
from jobs.sync.writing import Batch, Job, write
from leads.merge import OTHER, Side, flipped
from mappings.checker import ExpressionError
from store import sync_log, sync_records
from store.leases import assert_held
from store.sync_gathered import Gathered
from store.sync_log import Intent
from store.sync_pairs import Pair

FRESH_FOR: Final = timedelta(seconds=30)
"""What was read longer ago is read again before it is overwritten."""


async def keep_equal(
    run: Run, ready: Sequence[tuple[Pair, Row[Any], Row[Any]]], along: Mapping[Node, Record] | None = None
) -> None:
    """Pairs of which at least one record is due; both are alive. `along`: records that were read just now."""
    kept = [Kept(pair, _end(run, left), _end(run, right)) for pair, left, right in ready]
    for side in SIDES:
        await _see_links(run, side, [one for one in kept if one.end(side).values is not None])
    quiet = [one for one in kept if _nothing_new(run, one)]
    settled = {one.pair.id for one in quiet}
    rest = [one for one in kept if one.pair.id not in settled]
    for side in SIDES:
        rest = await _read_partners(run, side, rest, along or {})
    for one in rest:
        _judge(run, one)
    await stop_circles(run, rest)
    await _carry_out(run, quiet, rest)


def _end(run: Run, row: Row[Any]) -> End:
    fresh = row.dirty and row.content is not None
    return End(row, unpack(row.content) if fresh else None)


async def _see_links(run: Run, side: Side, some: Sequence[Kept]) -> None:
    if not run.sync.linked or not some:
        return
    known = {one.end(side).row.record_id: _links_known(one.end(side)) for one in some}
    raw = await links_of(run, side, known)
    found = await tokens(run, side, raw)
    for one in some:
        end = one.end(side)
        end.links, end.pairs = raw[end.row.record_id], found[end.row.record_id]


def _links_known(end: End) -> Raw | None:
    """Stored links are as fresh as the content beside them; a record that was read tells by itself."""
    if end.record is not None:
        return end.record.links  # type: ignore[return-value]  # objects are its keys
    return end.row.links if end.row.content is not None else None


def _nothing_new(run: Run, one: Kept) -> bool:
    """Only one record was heard of, and it holds what was agreed: its partner need not be read.

    So does what the CRM itself put into a record of ours: it is taken into the base.
    """
    seen = [side for side in SIDES if one.end(side).values is not None]
    if len(seen) != 1 or one.end(OTHER[seen[0]]).row.dirty:
        return False
    side, base = seen[0], one.pair.base or {}
    end = one.end(side)
    for sibling in run.sync.linked:
        agreed = base.get(f"{LINK}{sibling.object}")
        has = tuple(sorted(pair.id for pair in end.pairs.get(sibling.object, {}).values()))
        if agreed is None or (agreed.left if side == "left" else agreed.right) != has:
            return False
    one.decision.base = first_seen(run.sync, side, base, end.values or {})
    return unchanged(run.sync, side, one.decision.base, end.values or {})


async def _read_partners(run: Run, side: Side, some: list[Kept], along: Mapping[Node, Record]) -> list[Kept]:
    """Reads the records of this side that are not known afresh; a pair whose record is gone is left for later."""
    now = run.clock.now()
    old = [one for one in some if one.end(side).values is None or _stale(one.end(side), now)]
    if not old:
        return some
    ids = [one.end(side).row.record_id for one in old]
    found = {id: along[side, id] for id in ids if (side, id) in along}
    if missing := [id for id in ids if id not in found]:
        found |= await read(run, side, missing)
    lost: list[str] = []
    for one in old:
        end = one.end(side)
        record = found.get(end.row.record_id)
        if record is None or record.deleted or record.merged_into or record.id != end.row.record_id:
            lost.append(end.row.record_id)
            continue
        wanted = run.sync.keys(side)
        end.record = record
        end.values = {name: value for name, value in record.values.items() if name in wanted}
    await _see_links(run, side, [one for one in old if one.end(side).record is not None])
    if lost:

        def work(conn: Connection) -> None:
            assert_held(conn, run.held)
            sync_records.mark_dirty(conn, run.sync.name, side, lost)

        await run.db.write(work)
    return [one for one in some if one.end(side).row.record_id not in lost]


def _stale(end: End, now: Any) -> bool:
    return end.row.seen_at is None or now - end.row.seen_at > FRESH_FOR


def _judge(run: Run, one: Kept) -> None:
    try:
        if not all(run.sync.passes(side, one.end(side).values or {}) for side in SIDES):
            one.status = "filtered"
            return
    except ExpressionError:
        one.status = "filtered"
        return
    base = one.pair.base or {}
    source = None if base else _made_of(one)
    made = draft(run.sync, OTHER[source], one.end(source).values or {}) if source is not None else Draft({}, {})
    left, right = record_now(run, one, "left"), record_now(run, one, "right")
    one.decision = decide(run.sync, base or made.by_itself, left, right)
    if source is not None:
        one.decision.problems += made.problems
        one.decision.sources |= {name: source for name, _ in made.problems}
    at = run.clock.now().timestamp()
    for side in SIDES:
        for name in one.decision.goes_to(side):
            past = [*(one.pair.flips or {}).get(name, ()), (side, at)]
            if flipped(past, at, FLIP_WINDOW_S) > run.sync.settings.flips:  # type: ignore[arg-type]  # sides are stored
                one.stopped = name


def _made_of(one: Kept) -> Side | None:
    """The side of which we made the other record, while nothing is agreed on: the answer to its creation was lost."""
    made = [side for side in SIDES if one.pair.key and one.end(side).row.own_key == one.pair.key]
    return OTHER[made[0]] if len(made) == 1 else None


async def _carry_out(run: Run, quiet: Sequence[Kept], judged: Sequence[Kept]) -> None:
    every = [*quiet, *judged]
    ends = [(side, one.end(side).row.record_id) for one in every for side in SIDES]
    batch = Batch(pairs=[one.pair.id for one in every], made_of=ends)
    jobs: dict[str, list[Job]] = {}
    for one in judged:
        if one.decision.writes and not one.stopped:
            jobs[one.pair.id] = _jobs(run, one)
            batch.jobs += jobs[one.pair.id]
    await write(run, batch)

    def settle(conn: Connection) -> None:
        assert_held(conn, run.held)
        gathered = Gathered(run.sync.name)
        for one in quiet:
            gathered.settled += clean(one)
            if one.decision.base != (one.pair.base or {}):
                gathered.pair(one.pair.id, base=one.decision.base)
        known = sync_log.open_of_pairs(conn, run.sync.name, [one.pair.id for one in judged])
        for one in judged:
            settle_pair(conn, gathered, run, one, jobs.get(one.pair.id, []), known)
        gathered.store(conn, run.clock.now())

    await run.db.write(settle)


def _jobs(run: Run, one: Kept) -> list[Job]:
    found = []
    for side in SIDES:
        id = one.end(side).row.record_id
        values = one.decision.values[side]
        if values:
            before = pack(one.decision.before[side])
            intent = Intent(run.id(), run.pass_id, run.sync.name, one.pair.id, side, id, "update", before, pack(values))
            found.append(Job(intent, Change(id, values)))
        for to, (add, remove) in one.decision.links[side].items():
            there = {pair.id: pair for pair in one.end(OTHER[side]).pairs.get(to, {}).values()}
            here = {pair.id: linked for linked, pair in one.end(side).pairs.get(to, {}).items()}
            main = not one.end(side).links.get(to)
            for token in add:
                change = LinkChange(id, to, partner_id(run.sync, to, side, there[token]), main=main)
                found.append(_link_job(run, one, side, change))
            found += [_link_job(run, one, side, LinkChange(id, to, here[token], remove=True)) for token in remove]
    return found


def _link_job(run: Run, one: Kept, side: Side, change: LinkChange) -> Job:
    after = {"to": change.to, "id": change.to_id, "remove": change.remove}
    intent = Intent(run.id(), run.pass_id, run.sync.name, one.pair.id, side, change.id, "link", {}, after)
    return Job(intent, change)
