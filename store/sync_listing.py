"""Full listings against the index of a sync: what is new, what changed unnoticed, what is missing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from store.leases import Held, assert_held
from store.sync_keys import chunks
from store.sync_records import rows
from store.sync_tables import t_sync_record

_R = t_sync_record.c


def listed(conn: Connection, held: Held, sync: str, side: str, stubs: Sequence[Any], number: int) -> None:
    """A page of the full listing: what is new or was modified since is read anew; the rest is known to be there."""
    assert_held(conn, held)
    known = rows(conn, sync, side, [stub.id for stub in stubs])
    new, again, there = [], [], []
    for stub in stubs:
        row = known.get(stub.id)
        if row is None:
            new.append(
                {
                    "sync": sync,
                    "side": side,
                    "record_id": stub.id,
                    "state": "alive",
                    "dirty": 1,
                    "version": 1,
                    "seen": number,
                }
            )
            continue
        there.append(stub.id)
        moved = stub.modified_at is not None and row.modified_at is not None and stub.modified_at > row.modified_at
        if row.state != "alive" or moved:
            again.append(stub.id)
    if new:
        conn.execute(insert(t_sync_record), new)
    for some in chunks(there):
        where = (_R.sync == sync, _R.side == side, _R.record_id.in_(some))
        conn.execute(update(t_sync_record).where(*where).values(seen=number))
    for some in chunks(again):
        where = (_R.sync == sync, _R.side == side, _R.record_id.in_(some))
        conn.execute(update(t_sync_record).where(*where).values(dirty=1, version=_R.version + 1, content=None))


def missing(conn: Connection, sync: str, side: str, number: int, limit: int, after: str = "") -> list[str]:
    """Living records that the full listing `number` did not have, in order of their ids."""
    query = (
        select(_R.record_id)
        .where(_R.sync == sync, _R.side == side, _R.seen < number, _R.state == "alive", _R.record_id > after)
        .order_by(_R.record_id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def some_paired(conn: Connection, sync: str, side: str, limit: int, after: str = "") -> list[str]:
    """Living paired records in order of their ids."""
    query = (
        select(_R.record_id)
        .where(_R.sync == sync, _R.side == side, _R.pair_id != "", _R.state == "alive", _R.record_id > after)
        .order_by(_R.record_id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())
