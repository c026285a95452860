"""What a repeated move has to look at anew: another part of the old CRM, another dictionary."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from jobs.migrate.model import Step
from jobs.migrate.opening import Ready
from jobs.sync.looking import cursor_name
from leads.merge import OTHER, Agreed, Form
from store import cursors, sync_listing, sync_pairs, sync_records
from store.leases import Held, assert_held

AT_ONCE: Final = 500


async def look_anew(ready: Ready, step: Step, held: Held) -> bool:
    """Returns whether all of it was looked through before, as it is to be now."""
    sync = ready.sync(step)
    place, scope = cursor_name(sync, step.source), f"migrate:{step.sync}:scope"
    wanted = {"size": ready.move.sample, "dictionary": _digest(ready, step)}
    before = await ready.db.read(cursors.load, scope)
    if before is not None and before.get("dictionary") != wanted["dictionary"]:
        await _retell(ready, step, held)

    def work(conn: Connection) -> bool:
        assert_held(conn, held)
        if before is not None and before.get("size") != wanted["size"]:
            for name in (place, f"{place}:full"):
                cursors.save(conn, name, {})
        cursors.save(conn, scope, wanted)
        return bool((cursors.load(conn, place) or {}).get("since"))

    return await ready.db.write(work)


async def _retell(ready: Ready, step: Step, held: Held) -> None:
    """What this move made is told again by the new dictionary, where nobody has changed it since; what was there
    before the move keeps its values."""
    name, source, after = step.sync, step.source, ""
    while True:
        ids = await ready.db.read(sync_listing.some_paired, sync=name, side=source, limit=AT_ONCE, after=after)
        if not ids:
            break

        def work(conn: Connection, ids: Any = ids) -> None:
            assert_held(conn, held)
            pairs = sync_pairs.partners(conn, name, source, ids)
            there = [pair.on(OTHER[source]) for pair in pairs.values()]
            rows = sync_records.rows(conn, name, OTHER[source], there)
            for pair in pairs.values():
                row = rows.get(pair.on(OTHER[source]))
                if pair.key and row is not None and row.own_key == pair.key:
                    sync_pairs.change(conn, pair.id, base=_untold(pair.base or {}, source))
            sync_records.mark_dirty(conn, name, source, ids)

        await ready.db.write(work)
        after = ids[-1]


def _untold(base: Mapping[str, Agreed], source: str) -> dict[str, Agreed]:
    """As if the old record's values had only now been written; links stay as agreed."""
    found = {}
    for name, agreed in base.items():
        own = agreed.left if source == "left" else agreed.right
        nothing: Form = () if isinstance(own, tuple) else ""
        if name.startswith("link:"):
            found[name] = agreed
        else:
            found[name] = Agreed(nothing, agreed.right) if source == "left" else Agreed(agreed.left, nothing)
    return found


def _digest(ready: Ready, step: Step) -> str:
    """Of the dictionary as it is applied."""
    pairs = ready.sync(step).mapping.pairs
    told = [(one.name, one.left.key, one.right.key, one.type, sorted(one.table.items())) for one in pairs]
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:32]
