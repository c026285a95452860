"""Links to records that have no partner yet: whoever has one is looked at again when the partner comes."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, and_, delete, insert, select

from store.sync_keys import chunks
from store.sync_records import mark_dirty
from store.sync_tables import t_sync_link_wait


def wait_for_links(
    conn: Connection, sync: str, side: str, record_id: str, targets: Iterable[tuple[str, str, str]]
) -> None:
    """`targets`: (connection, object, id)."""
    c = t_sync_link_wait.c
    conn.execute(delete(t_sync_link_wait).where(c.sync == sync, c.side == side, c.record_id == record_id))
    new = [
        dict(zip(("connection", "to_object", "to_id"), target, strict=True), sync=sync, side=side, record_id=record_id)
        for target in dict.fromkeys(targets)
    ]
    if new:
        conn.execute(insert(t_sync_link_wait), new)


def wake_links(conn: Connection, connection: str, object: str, ids: Collection[str]) -> None:
    """These have partners now: whoever is linked to them is looked at again."""
    c = t_sync_link_wait.c
    for some in chunks(ids):
        where = and_(c.connection == connection, c.to_object == object, c.to_id.in_(some))
        rows = conn.execute(select(t_sync_link_wait).where(where)).all()
        for row in rows:
            mark_dirty(conn, row.sync, row.side, [row.record_id])
        if rows:
            conn.execute(delete(t_sync_link_wait).where(where))
