"""Records without a partner: whose partner is known by its keys, who gets a new one, who waits for a person."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from jobs.sync.known import Known, known_of
from jobs.sync.matching import Group, Matches, Node, match
from jobs.sync.model import SIDES, Sync, title_of
from jobs.sync.packing import unpack
from jobs.sync.run import Run
from leads.merge import OTHER
from store import sync_keys, sync_known, sync_log, sync_pairs, sync_records
from store.leases import assert_held
from store.sync_gathered import Gathered
from store.sync_log import Issue
from store.sync_pairs import Pair

MAX_GROUP = 300
"""Records that hang together by their keys: more share a switchboard's number, and a person has to look."""


@dataclass(slots=True)
class Paired:
    """What became of some records without a partner. `alone`: with those who share their keys."""

    made: list[str] = field(default_factory=list)
    """Ids of pairs that are known from now on."""
    alone: list[Node] = field(default_factory=list)
    unclear: int = 0


async def find_partners(run: Run, rows: Sequence[Row[Any]]) -> Paired:
    """In one transaction: pairs are stored, what is unclear is listed; `alone` is left to the caller."""
    now = run.clock.now()
    ids = [run.id() for _ in range(3 * len(rows) + 2)]
    known = await known_of(run, rows)

    def work(conn: Connection) -> Paired:
        assert_held(conn, run.held)
        return _find(conn, run.sync, rows, known, run.hinted, ids, now)

    found = await run.db.write(work)
    run.counts["matched"] += len(found.made)
    run.counts["ambiguous"] += found.unclear
    return found


def _find(
    conn: Connection,
    sync: Sync,
    rows: Sequence[Row[Any]],
    told: Known,
    hinted: set[Node],
    ids: list[str],
    now: datetime,
) -> Paired:
    done = Paired()
    open_rows = _adopt_by_our_key(conn, sync, rows, done, now)
    open_rows, waiting = _adopt_known(conn, sync, open_rows, told, hinted, done, ids, now)
    start = {(row.side, row.record_id) for row in open_rows}
    keys = _connected(conn, sync, start)
    known = _rows(conn, sync, keys)
    creating = {pair.id: pair for pair in sync_pairs.creating(conn, sync.name) if pair.sent_at is not None}
    taken = {node for node, row in known.items() if row.pair_id and row.pair_id not in creating}
    apart = {node for node, row in known.items() if row.status == sync_records.APART}
    matches = match({node: keys.get(node, set()) if node not in apart else set() for node in known}, taken, sync.strong)
    matches = _only_about(matches, start)
    gathered, new = Gathered(sync.name), list[Pair]()
    for left, right in matches.pairs:
        own = [known["left", left].pair_id, known["right", right].pair_id]
        pair_id = next((one for one in own if one), "")
        if pair_id:  # what we were making has turned up
            gathered.pair(pair_id, left_id=left, right_id=right, state="paired", sent_at=None)
        else:
            pair_id = ids.pop()
            new.append(Pair(pair_id, sync.name, left_id=left, right_id=right))
        join(gathered, sync, pair_id, left, right)
        done.made.append(pair_id)
    sync_pairs.add(conn, new, now)
    gathered.store(conn, now)
    alone = [group.free for group in matches.alone if not group.free & waiting]
    done.alone = sorted(node for free in alone for node in free if not known[node].pair_id)
    _list_unclear(conn, sync, matches.unclear, known, ids, now)
    done.unclear = len(matches.unclear)
    settled = {(side, id) for left, right in matches.pairs for side, id in (("left", left), ("right", right))}
    for node in [*settled, *done.alone]:
        if known[node].status == "ambiguous":
            sync_log.close_issues(conn, sync.name, now, "clear now", kind="ambiguous", subject=":".join(node))
    return done


def _adopt_by_our_key(
    conn: Connection, sync: Sync, rows: Sequence[Row[Any]], done: Paired, now: datetime
) -> list[Row[Any]]:
    """A record that bears the key of one that we were making is that one."""
    wanted = {row.own_key for row in rows if row.own_key}
    by_key = {pair.key: pair for pair in sync_pairs.creating(conn, sync.name) if pair.key in wanted} if wanted else {}
    rest, gathered = [], Gathered(sync.name)
    for row in rows:
        pair = by_key.get(row.own_key) if row.own_key else None
        if pair is None or pair.on(row.side) not in ("", row.record_id):
            rest.append(row)
            continue
        left = row.record_id if row.side == "left" else pair.left_id
        right = row.record_id if row.side == "right" else pair.right_id
        gathered.pair(pair.id, left_id=left, right_id=right, state="paired", sent_at=None)
        join(gathered, sync, pair.id, left, right)
        done.made.append(pair.id)
    gathered.store(conn, now)
    return rest


def _adopt_known(
    conn: Connection,
    sync: Sync,
    rows: Sequence[Row[Any]],
    told: Known,
    hinted: set[Node],
    done: Paired,
    ids: list[str],
    now: datetime,
) -> tuple[list[Row[Any]], set[Node]]:
    """What deliveries of leads made in both CRMs is a pair, and a deal with what a move made of its lead. Returns the
    other rows, and whose partner is still to come.

    `hinted`: partners that were asked for in this pass, once; one that is not there after that is not waited for.
    """
    new, gathered, joined, waiting = list[Pair](), Gathered(sync.name), set[Node](), set(told.owed)
    known = {
        side: sync_records.rows(conn, sync.name, side, {id for (at, _), id in told.partners.items() if at != side})
        for side in SIDES
    }
    for row in rows:
        node, other = (row.side, row.record_id), OTHER[row.side]
        partner = (other, told.partners.get(node, ""))
        if not partner[1] or node in joined or partner in joined:
            continue
        there = known[other].get(partner[1])
        if there is None:
            if partner not in hinted:
                hinted.add(partner)
                waiting.add(node)
                sync_records.hint(conn, sync.name, other, partner[1])
        elif there.hint == "" and there.content is None and there.dirty and there.state == "alive" and not there.mark:
            waiting.add(node)  # heard of, and not read yet
        elif (node in told.begun or sync.object in sync_known.SHARED) and there.state == "alive" and not there.pair_id:
            left, right = (row.record_id, partner[1]) if row.side == "left" else (partner[1], row.record_id)
            own, base = (there.own_key, told.begun[node]) if node in told.begun else ("", None)
            new.append(Pair(ids.pop(), sync.name, left_id=left, right_id=right, key=own, base=base))
            join(gathered, sync, new[-1].id, left, right)
            joined |= {node, partner}
            done.made.append(new[-1].id)
    sync_pairs.add(conn, new, now)
    gathered.store(conn, now)
    for node in joined:
        sync_log.close_issues(conn, sync.name, now, "clear now", kind="ambiguous", subject=":".join(node))
    return [row for row in rows if (row.side, row.record_id) not in joined], waiting


def join(gathered: Gathered, sync: Sync, pair_id: str, left: str, right: str) -> None:
    for side, id in (("left", left), ("right", right)):
        gathered.paired.append((side, id, pair_id))
        gathered.dirty(side, [id], forget=False)
    partnered(gathered, sync, left, right)


def partnered(gathered: Gathered, sync: Sync, left: str, right: str) -> None:
    """Both have a partner now: leads find either, and records of other syncs that are linked to them can be linked."""
    gathered.same(sync.object, (sync.left.connection, left), (sync.right.connection, right))
    if not sync.siblings:
        return
    gathered.wake(sync.left.connection, sync.object, left)
    gathered.wake(sync.right.connection, sync.object, right)


def _connected(conn: Connection, sync: Sync, start: Collection[Node]) -> dict[Node, set[str]]:
    """All living records that hang together with these by their keys, with all their keys."""
    found = dict(sync_keys.keys_of(conn, sync.name, start))
    frontier = {key for keys in found.values() for key in keys}
    asked: set[str] = set()
    while frontier and len(found) < len(start) + MAX_GROUP:
        asked |= frontier
        new = set(sync_keys.bearers(conn, sync.name, frontier)) - set(found)
        more = sync_keys.keys_of(conn, sync.name, new)
        found |= more
        frontier = {key for keys in more.values() for key in keys} - asked
    for node in start:
        found.setdefault(node, set())
    return found


def _rows(conn: Connection, sync: Sync, nodes: Collection[Node]) -> dict[Node, Row[Any]]:
    found: dict[Node, Row[Any]] = {}
    for side in SIDES:
        rows = sync_records.rows(conn, sync.name, side, [id for one, id in nodes if one == side])
        found |= {(side, id): row for id, row in rows.items() if row.state == "alive"}
    return found


def _only_about(matches: Matches, start: Collection[Node]) -> Matches:
    """Of the groups that a key dragged in, those that something of this batch belongs to."""
    return Matches(
        matches.pairs,
        [group for group in matches.alone if group.free & set(start)],
        [group for group in matches.unclear if group.free & set(start)],
    )


def _title(row: Row[Any]) -> str:
    return title_of(unpack(row.content)) if row.content is not None else ""


def _list_unclear(
    conn: Connection, sync: Sync, groups: Sequence[Group], known: Mapping[Node, Row[Any]], ids: list[str], now: datetime
) -> None:
    for group in groups:
        left, right = group.ids("left"), group.ids("right")
        subject = ":".join(min(group.free))
        taken = sorted(":".join(node) for node in group.taken)
        names = {side: {id: _title(known[side, id]) for id in group.ids(side)} for side in SIDES}
        data = {"taken": taken, "names": names}
        issue = Issue("ambiguous", subject, left_ids=left, right_ids=right, data=data)
        sync_log.raise_issue(conn, sync.name, ids.pop(), issue, now)
        done = []
        for side, id in group.free:
            row = known[side, id]
            done.append(sync_records.Settled(side, id, row.version, status="ambiguous"))
            if ":".join((side, id)) != subject and row.status == "ambiguous":
                sync_log.close_issues(conn, sync.name, now, "listed anew", kind="ambiguous", subject=f"{side}:{id}")
        sync_records.settle(conn, sync.name, done)
