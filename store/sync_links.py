"""Links to records that have no partner yet: whoever has one is looked at again when the partner comes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, and_, delete, insert, select

from store.sync_keys import chunks
from store.sync_records import mark_dirty
from store.sync_tables import t_sync_link_wait


def wait_for_links(
    conn: Connection, sync: str, side: str, waiting: Mapping[str, Iterable[tuple[str, str, str]]]
) -> None:
    """Record id -> all its (connection, object, id) that have no partner yet."""
    c = t_sync_link_wait.c
    for some in chunks(waiting):
        conn.execute(delete(t_sync_link_wait).where(c.sync == sync, c.side == side, c.record_id.in_(some)))
    new = [
        {"connection": connection, "to_object": to, "to_id": id, "sync": sync, "side": side, "record_id": record_id}
        for record_id, targets in waiting.items()
        for connection, to, id in dict.fromkeys(targets)
    ]
    if new:
        conn.execute(insert(t_sync_link_wait), new)


def wake_links(conn: Connection, connection: str, object: str, ids: Collection[str]) -> None:
    """These have partners now: whoever is linked to them is looked at again."""
    c = t_sync_link_wait.c
    for some in chunks(ids):
        where = and_(c.connection == connection, c.to_object == object, c.to_id.in_(some))
        waiting: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in conn.execute(select(t_sync_link_wait).where(where)):
            waiting[row.sync, row.side].add(row.record_id)
        for (sync, side), records in waiting.items():
            mark_dirty(conn, sync, side, records)
        if waiting:
            conn.execute(delete(t_sync_link_wait).where(where))
