"""What a shadow noted instead of writing it."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select, update

from store.sync_keys import Node, chunks
from store.sync_records import APART, GOING, PLANNED
from store.sync_tables import t_sync_record, t_sync_write

_R, _W = t_sync_record.c, t_sync_write.c


def drop_noted(conn: Connection, sync: str, pair_ids: Collection[str], records: Collection[Node]) -> None:
    """What was noted of these pairs, and of making these records on the other side."""
    shadow = (_W.sync == sync, _W.state == "shadow")
    for some in chunks(pair_ids):
        conn.execute(delete(t_sync_write).where(*shadow, _W.pair_id.in_(some)))
    for side, other in (("left", "right"), ("right", "left")):
        for some in chunks([id for at, id in records if at == side]):
            made_of = (_W.op == "create", _W.side == other, _W.before["of"].as_string().in_(some))
            conn.execute(delete(t_sync_write).where(*shadow, *made_of))


def noted(conn: Connection, sync: str) -> dict[str, int]:
    """What would have been done by now, such as `create_left`."""
    query = select(_W.op, _W.side, func.count()).where(_W.sync == sync, _W.state == "shadow").group_by(_W.op, _W.side)
    return {f"{op}_{side}": count for op, side, count in conn.execute(query)}


def begin_in_earnest(conn: Connection, sync: str) -> None:
    """All of it is due."""
    where = (_R.sync == sync, _R.status.in_((PLANNED, GOING, APART)), _R.state == "alive")
    conn.execute(update(t_sync_record).where(*where).values(dirty=1, version=_R.version + 1, content=None, links=None))
    conn.execute(update(t_sync_write).where(_W.sync == sync, _W.state == "shadow").values(state="planned"))
