"""What could not be carried over is tried again once the mapping, or what the CRMs have, is another."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row

from jobs.sync.model import SIDES, Sync
from jobs.sync.resolving import try_left_out_again
from jobs.sync.run import Run
from mappings.pairs import FieldPair
from store import cursors, sync_log
from store.leases import assert_held

AT_ONCE: Final = 500


async def try_again(run: Run) -> None:
    """Pairs of which a field was left out are due. Nothing happens where all is as it was at the last full pass."""
    name, now = f"sync:{run.sync.name}:carries", digest(run.sync)
    if (await run.db.read(cursors.load, name) or {}).get("digest") == now:
        return
    after = ""
    while rows := await run.db.read(sync_log.left_out, run.sync.name, AT_ONCE, after):

        def work(conn: Connection, rows: Sequence[Row[Any]] = rows) -> None:
            assert_held(conn, run.held)
            try_left_out_again(conn, run.sync.name, rows)

        await run.db.write(work)
        after = rows[-1].id
    await run.db.write(cursors.save, name, {"digest": now})


def digest(sync: Sync) -> str:
    """The same as long as every value is carried in the same way: by the mapping and what both accounts have."""
    parts: list[Any] = [_of_pair(pair) for pair in sync.mapping.pairs]
    for account in (sync.end(side).account for side in SIDES):
        parts.append([(one.id, one.pipeline, one.name, one.outcome) for one in account.stages or ()])
        parts.append([(one.id, one.email, one.name, one.active) for one in account.users or ()])
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _of_pair(pair: FieldPair) -> list[Any]:
    texts = [one.text if one else "" for one in (pair.when, pair.default, pair.left.value, pair.right.value)]
    ends = [
        (end.key, end.steps, sorted(end.field.enums.items()) if end.field else ()) for end in (pair.left, pair.right)
    ]
    rules = (pair.type, pair.several, pair.direction, pair.on_missing, pair.required, pair.optional, pair.decimals)
    return [pair.name, texts, ends, rules, sorted(pair.table.items())]
