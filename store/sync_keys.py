"""Match keys of living records: who may be the same as whom."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from store.sync_tables import t_sync_key, t_sync_record

CHUNK = 400
"""Ids in one IN list."""
_R = t_sync_record.c
_K = t_sync_key.c

Node = tuple[str, str]
"""(side, record id)"""


def keys_of(conn: Connection, sync: str, nodes: Collection[Node]) -> dict[Node, set[str]]:
    found: dict[Node, set[str]] = defaultdict(set)
    by_side: dict[str, list[str]] = defaultdict(list)
    for side, id in nodes:
        by_side[side].append(id)
    for side, ids in by_side.items():
        for some in chunks(ids):
            query = select(_K.record_id, _K.key).where(_K.sync == sync, _K.side == side, _K.record_id.in_(some))
            for id, key in conn.execute(query):
                found[side, id].add(key)
    return found


def bearers(conn: Connection, sync: str, keys: Collection[str]) -> dict[Node, set[str]]:
    """Who has one of these keys."""
    found: dict[Node, set[str]] = defaultdict(set)
    for some in chunks(keys):
        query = select(_K.side, _K.record_id, _K.key).where(_K.sync == sync, _K.key.in_(some))
        for side, id, key in conn.execute(query):
            found[side, id].add(key)
    return found


def wake_ambiguous(conn: Connection, sync: str, keys: Collection[str]) -> None:
    """Something changed among the bearers of these keys: what was not clear may be clear now."""
    unclear = (_R.sync == sync, _R.status == "ambiguous")
    if not keys or conn.execute(select(_R.sync).where(*unclear).limit(1)).first() is None:
        return
    by_side: dict[str, list[str]] = defaultdict(list)
    for side, id in bearers(conn, sync, keys):
        by_side[side].append(id)
    for side, ids in by_side.items():
        for some in chunks(ids):
            where = (*unclear, _R.side == side, _R.record_id.in_(some), _R.dirty == 0)
            conn.execute(update(t_sync_record).where(*where).values(dirty=1, version=_R.version + 1, content=None))


def keep_keys(
    conn: Connection, sync: str, side: str, keys: Mapping[str, Sequence[str]], new: Collection[str] = ()
) -> None:
    """Record id -> all its keys; `new` have none yet."""
    drop_keys(conn, sync, side, [id for id in keys if id not in new])
    found = [
        {"sync": sync, "side": side, "record_id": id, "key": key}
        for id, some in keys.items()
        for key in dict.fromkeys(some)
    ]
    if found:
        conn.execute(insert(t_sync_key), found)


def drop_keys(conn: Connection, sync: str, side: str, ids: Collection[str]) -> None:
    for some in chunks(ids):
        conn.execute(delete(t_sync_key).where(_K.sync == sync, _K.side == side, _K.record_id.in_(some)))


def chunks(ids: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))
