"""Records whose partner is known without comparing any key: deliveries of leads made both, or still owe one; or a move
made a deal of a lead that the old CRM has made a deal of since."""

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
from leads.merge import OTHER, UNTOLD, Agreed, Form, Side
from store import moved_leads, sync_known

KINDS: Final = (PHONE, EMAIL)
"""Types of fields that a person is known by."""


@dataclass(frozen=True, slots=True)
class Known:
    """`partners`: (side, record id) -> the id of the other side. `owed`: a delivery is about to make the partner.
    `begun`: of those whose partner a move made of their lead, what is agreed: nothing yet but what it made."""

    partners: dict[Node, str] = field(default_factory=dict)
    owed: frozenset[Node] = frozenset()
    begun: dict[Node, dict[str, Agreed]] = field(default_factory=dict)


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
    begun = await _of_leads(run, rows, partners)
    return Known(partners, frozenset(owed), begun)


async def _of_leads(run: Run, rows: Sequence[Row[Any]], partners: dict[Node, str]) -> dict[Node, dict[str, Agreed]]:
    """Adds to the partners; a lead has one deal: the first that came out of it."""
    sync, begun = run.sync, dict[Node, dict[str, Agreed]]()
    for side in SIDES:
        if not (field := sync.lead_field(side)):
            continue
        leads = {row.record_id: str(unpack(row.content or {}).get(field) or "") for row in rows if row.side == side}
        ends = sync.end(side).connection, sync.end(OTHER[side]).connection
        wanted = {lead for lead in leads.values() if lead not in ("", "0")}
        kept = await (run.hub or run.db).read(moved_leads.deals_of, *ends, wanted) if wanted else {}
        for id, lead in leads.items():
            if lead in kept:
                partners[side, id] = str(kept[lead]["on"][1])
                begun[side, id] = {name: _begun(name, form, side) for name, form in kept[lead].get("made", {}).items()}
    return begun


def _begun(name: str, form: Form | list[str], source: Side) -> Agreed:
    """What the lead told goes where the deal tells something else; but a deal without a sum has none."""
    made: Form = tuple(form) if isinstance(form, list) else form
    told: Form = UNTOLD if name == "price" else () if isinstance(made, tuple) else ""
    return Agreed(told, made) if source == "left" else Agreed(made, told)


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
