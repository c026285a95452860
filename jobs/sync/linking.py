"""Links between records, told as pairs: what one side links, the other can once both ends have partners."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from connectors.records import RecordObject
from jobs.sync.deciding import LINK
from jobs.sync.looking import read_links
from jobs.sync.matching import Node
from jobs.sync.model import Sibling, Sync
from jobs.sync.run import Run
from leads.merge import OTHER, Agreed, Side
from store import sync_pairs
from store.sync_links import wait_for_links
from store.sync_pairs import Pair

Raw = Mapping[str, Sequence[str]]
"""object -> ids of linked records of the same side"""


@dataclass(frozen=True, slots=True)
class Linked:
    """Links of a record that is to be made. `complete`: nothing of them is left to be done afterwards."""

    on_the_other_side: Mapping[RecordObject, tuple[str, ...]] = field(default_factory=dict)
    base: Mapping[str, Agreed] = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    complete: bool = True

    @property
    def as_stored(self) -> dict[str, Any]:
        return {to: list(ids) for to, ids in self.on_the_other_side.items()}


async def links_of(run: Run, side: Side, known: Mapping[str, Raw | None]) -> dict[str, Raw]:
    """Record id -> its links; those that are not known are asked for."""
    if not run.sync.linked:
        return {id: {} for id in known}
    unknown = [id for id, links in known.items() if links is None]
    found = await read_links(run, side, unknown) if unknown else {}
    return {id: links if links is not None else found[id] for id, links in known.items()}


async def tokens(run: Run, side: Side, links: Mapping[str, Raw]) -> dict[str, dict[str, dict[str, Pair]]]:
    """Record id -> object -> linked id -> the pair that it belongs to; links without a pair are waited for."""
    sync = run.sync
    if not sync.linked:
        return {id: {} for id in links}

    def work(conn: Connection) -> dict[str, dict[str, dict[str, Pair]]]:
        found: dict[str, dict[str, dict[str, Pair]]] = {id: {} for id in links}
        waiting: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for sibling in sync.linked:
            wanted = {linked for some in links.values() for linked in some.get(sibling.object, ())}
            pairs = sync_pairs.partners(conn, sibling.sync, _there(sibling, side), wanted)
            for id, some in links.items():
                ids = some.get(sibling.object, ())
                found[id][sibling.object] = {one: pairs[one] for one in ids if one in pairs}
                connection = sync.end(side).connection
                waiting[id] += [(connection, sibling.object, one) for one in ids if one not in pairs]
        wait_for_links(conn, sync.name, side, {id: targets for id, targets in waiting.items() if targets})
        return found

    return await run.db.write(work)


def partner_id(sync: Sync, to: str, side: Side, pair: Pair) -> str:
    """The id on `side` of the record that a token stands for."""
    sibling = next(one for one in sync.linked if one.object == to)
    return pair.on(_there(sibling, side))


def _there(sibling: Sibling, side: Side) -> Side:
    return OTHER[side] if sibling.swapped else side


async def links_for_new(run: Run, rows: Sequence[Row[Any]]) -> dict[Node, Linked]:
    found: dict[Node, Linked] = {(row.side, row.record_id): Linked() for row in rows}
    if not run.sync.linked:
        return found
    by_side: dict[Side, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_side[row.side].append(row)
    for side, some in by_side.items():
        raw = await links_of(run, side, {row.record_id: row.links for row in some})
        known = await tokens(run, side, raw)
        for row in some:
            there = known[row.record_id]
            other: dict[Any, tuple[str, ...]] = {}
            base: dict[str, Agreed] = {}
            for to, pairs in there.items():
                other[to] = tuple(partner_id(run.sync, to, OTHER[side], pair) for pair in pairs.values())
                names = tuple(sorted(pair.id for pair in pairs.values()))
                base[f"{LINK}{to}"] = Agreed(names, names)
            source = {to: list(ids) for to, ids in raw[row.record_id].items()}
            if run.sync.end(OTHER[side]).can.creates_links or not any(other.values()):
                found[side, row.record_id] = Linked(other, base, source)
            else:
                found[side, row.record_id] = Linked({}, {}, source, complete=False)
    return found
