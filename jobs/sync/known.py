"""Records that deliveries of leads made in both CRMs, or still owe to one: known without comparing any key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Row

from jobs.accounts import KIND_OF
from jobs.sync.matching import Node
from jobs.sync.model import SIDES, Sync
from jobs.sync.packing import unpack
from jobs.sync.run import Run
from leads.identity import EMAIL, PHONE, Key
from leads.merge import OTHER
from store import sync_known

KINDS: Final = (PHONE, EMAIL)
"""Types of fields that a person is known by."""


@dataclass(frozen=True, slots=True)
class Known:
    """`partners`: (side, record id) -> the id of the other side. `owed`: a delivery is about to make the partner."""

    partners: dict[Node, str] = field(default_factory=dict)
    owed: frozenset[Node] = frozenset()


async def known_of(run: Run, rows: Sequence[Row[Any]]) -> Known:
    """Of records without a partner, whose values are known."""
    sync, kind = run.sync, KIND_OF[run.sync.object]
    partners, owed = dict[Node, str](), set[Node]()
    for side in SIDES:
        records = {row.record_id: (row.own_key, _keys(sync, row)) for row in rows if row.side == side}
        if not records:
            continue
        here, there = sync.end(side).connection, sync.end(OTHER[side]).connection
        ask = partial(sync_known.known, kind=kind, here=here, there=there, records=records)
        told = await (run.hub or run.db).read(ask)
        partners |= {(side, id): partner for id, partner in told.partners.items()}
        owed |= {(side, id) for id in told.owed}
    return Known(partners, frozenset(owed))


def _keys(sync: Sync, row: Row[Any]) -> list[Key]:
    if sync.object != "contact":
        return []
    texts = sync.mapping.match_keys(unpack(row.content or {}), row.side)
    return [
        Key(sync.mapping.pair(name).type, text)
        for name, some in texts.items()
        for text in some
        if sync.mapping.pair(name).type in KINDS
    ]
