"""The index of both sides' records: what was last seen of each, and which have to be looked at."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, func, insert, select, update

from store.leases import Held, assert_held
from store.sync_keys import chunks, drop_keys, keep_keys, keys_of, wake_ambiguous
from store.sync_tables import t_sync_key, t_sync_record

_R = t_sync_record.c
APART, PLANNED, GOING = "apart", "planned", "going"
"""Somebody said that it is nobody's double; a shadow would write something for it, or remove its partner."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as a CRM showed it. `mark` is a digest of its synced values, `keys` its match keys."""

    record_id: str
    mark: str = ""
    keys: tuple[str, ...] = ()
    content: Mapping[str, Any] | None = None
    links: Mapping[str, Any] | None = None
    modified_at: datetime | None = None
    modified_by: str = ""
    own_key: str = ""
    gone: bool = False
    merged_into: str = ""


@dataclass(slots=True)
class Arrived:
    """What a page changed."""

    seen: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0

    def add(self, other: "Arrived") -> None:
        self.seen += other.seen
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone


def see(
    conn: Connection, held: Held, sync: str, side: str, page: Sequence[Seen], now: datetime, *, fresh: bool = False
) -> Arrived:
    """Keeps a page; what is new or differs from what we know becomes dirty. What is older than that is passed over.

    `fresh`: read from the vendor's own store, not from an index that may lag behind.
    """
    assert_held(conn, held)
    page = list({one.record_id: one for one in page}.values())
    known = rows(conn, sync, side, [one.record_id for one in page])
    arrived = Arrived(seen=len(page))
    new, changed, keyed = [], [], []
    for one in page:
        row = known.get(one.record_id)
        if one.gone or one.merged_into:
            hint = f"merged:{one.merged_into}" if one.merged_into else "gone"
            if row is not None and row.state == "alive" and not (row.dirty and row.hint == hint):  # told again: no news
                changed.append(_dirty(row, hint=hint))
                arrived.gone += 1
            continue
        if row is None:
            new.append(_new(sync, side, one, now))
            keyed.append(one)
            arrived.new += 1
        elif not fresh and _is_old(row, one):
            if one.modified_at == row.modified_at and not row.dirty:  # or put back in the moment of our write: read
                changed.append(_dirty(row, hint=""))
        elif row.mark == one.mark and row.state == "alive" and not row.hint and _same_links(row.links, one.links):
            if row.dirty and (row.content is None or fresh) and one.content is not None:
                changed.append(_values(row, one, now, dirty=row.dirty, version=row.version))
            elif row.modified_at != one.modified_at:
                changed.append(_values(row, one, now, dirty=row.dirty, version=row.version, content=row.content))
        else:
            edited = one.modified_at if row.mark != one.mark else row.edited_at
            changed.append(_values(row, one, now, dirty=1, version=row.version + 1, edited_at=edited))
            keyed.append(one)
            arrived.changed += 1
    if new:
        conn.execute(insert(t_sync_record), new)
    _change(conn, sync, side, changed)
    keys = {one.record_id: one.keys for one in keyed}
    before = keys_of(conn, sync, [(side, id) for id in keys if id in known])
    keep_keys(conn, sync, side, keys, {one["record_id"] for one in new})
    wake_ambiguous(conn, sync, {key for some in (*keys.values(), *before.values()) for key in some})
    return arrived


def rows(conn: Connection, sync: str, side: str, ids: Collection[str]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for some in chunks(ids):
        query = select(t_sync_record).where(_R.sync == sync, _R.side == side, _R.record_id.in_(some))
        found |= {row.record_id: row for row in conn.execute(query)}
    return found


def of_pairs(conn: Connection, sync: str, pair_ids: Collection[str]) -> dict[str, dict[str, Row[Any]]]:
    """Pair -> side -> row."""
    found: dict[str, dict[str, Row[Any]]] = defaultdict(dict)
    for some in chunks(pair_ids):
        for row in conn.execute(select(t_sync_record).where(_R.sync == sync, _R.pair_id.in_(some))):
            found[row.pair_id][row.side] = row
    return found


def dirty(conn: Connection, sync: str, limit: int, after: Mapping[str, str], lefts: int) -> Sequence[Row[Any]]:
    """So many of the left and the rest of the right, while both have any. `after`: side -> id."""
    left = _dirty_of(conn, sync, "left", lefts, after)
    right = _dirty_of(conn, sync, "right", limit - len(left), after)
    if len(left) == lefts and len(left) + len(right) < limit:
        left = _dirty_of(conn, sync, "left", limit - len(right), after)
    return [*left, *right]


def _dirty_of(conn: Connection, sync: str, side: str, limit: int, after: Mapping[str, str]) -> Sequence[Row[Any]]:
    where = (_R.sync == sync, _R.side == side, _R.dirty > 0, _R.record_id > after.get(side, ""))
    return conn.execute(select(t_sync_record).where(*where).order_by(_R.record_id).limit(limit)).all()


def any_known(conn: Connection, sync: str, side: str) -> bool:
    return conn.execute(select(_R.record_id).where(_R.sync == sync, _R.side == side).limit(1)).first() is not None


def count_dirty(conn: Connection, sync: str) -> int:
    return conn.execute(select(func.count()).where(_R.sync == sync, _R.dirty > 0)).scalar_one()


def count_unsure(conn: Connection, sync: str) -> int:
    """Records with a partner that are to be read anew: they may be gone."""
    unsure = (_R.dirty > 0, _R.pair_id != "", _R.content.is_(None))
    return conn.execute(select(func.count()).where(_R.sync == sync, *unsure)).scalar_one()


def counts(conn: Connection, sync: str) -> dict[str, dict[str, int]]:
    """Side -> living, paired, and by status."""
    found: dict[str, dict[str, int]] = {side: {"records": 0, "paired": 0} for side in ("left", "right")}
    query = (
        select(_R.side, _R.status, (_R.pair_id != "").label("has_pair"), func.count())
        .where(_R.sync == sync, _R.state == "alive")
        .group_by(_R.side, _R.status, "has_pair")  # by name: PostgreSQL takes two equal parameters for two expressions
    )
    for side, status, paired, count in conn.execute(query):
        found[side]["records"] += count
        found[side]["paired"] += count if paired else 0
        if status:
            found[side][status] = found[side].get(status, 0) + count
    return found


def hint(conn: Connection, sync: str, side: str, record_id: str, said: str = "") -> None:
    """Look at this record soon; `said`: "", "gone" or "merged:<id>". Needs no lease: it only adds a reason."""
    row = rows(conn, sync, side, [record_id]).get(record_id)
    if row is None:
        if not said:
            blank = {"sync": sync, "side": side, "record_id": record_id, "state": "alive", "dirty": 1, "version": 1}
            conn.execute(insert(t_sync_record).values(**blank))
        return
    conn.execute(
        update(t_sync_record)
        .where(_R.sync == sync, _R.side == side, _R.record_id == record_id)
        .values(dirty=1, version=_R.version + 1, content=None, links=None, hint=said or _R.hint)
    )


def mark_dirty(conn: Connection, sync: str, side: str, ids: Collection[str], *, forget: bool = True) -> None:
    """Looked at again; with `forget`, read anew first, and its links too: not every CRM tells them with the record."""
    anew = dict.fromkeys(("content", "links") if forget else ())
    for some in chunks(ids):
        where = (_R.sync == sync, _R.side == side, _R.record_id.in_(some), _R.state == "alive")
        conn.execute(update(t_sync_record).where(*where).values(dirty=1, version=_R.version + 1, **anew))


@dataclass(frozen=True, slots=True)
class Settled:
    """A record that was dealt with as of `version`. Fields that are None stay as they are."""

    side: str
    record_id: str
    version: int
    status: str = ""
    mark: str | None = None
    stale: str | None = None
    modified_at: datetime | None = None
    links: Mapping[str, Any] | None = None
    gone: bool = False


_SETTLED = (
    update(t_sync_record)
    .where(_R.sync == bindparam("b_sync"), _R.side == bindparam("b_side"), _R.record_id == bindparam("b_id"))
    .values(
        status=case((_R.status == APART, APART), else_=bindparam("b_status")),  # until it has a partner
        state=func.coalesce(bindparam("b_state", type_=_R.state.type), _R.state),
        mark=func.coalesce(bindparam("b_mark", type_=_R.mark.type), _R.mark),
        stale=func.coalesce(bindparam("b_stale", type_=_R.stale.type), _R.stale),
        modified_at=func.coalesce(bindparam("b_modified_at", type_=_R.modified_at.type), _R.modified_at),
    )
)
_LINKED = (
    update(t_sync_record)
    .where(_R.sync == bindparam("b_sync"), _R.side == bindparam("b_side"), _R.record_id == bindparam("b_id"))
    .values(links=bindparam("b_links", type_=_R.links.type))
)
_CLEANED = (
    update(t_sync_record)
    .where(
        _R.sync == bindparam("b_sync"),
        _R.side == bindparam("b_side"),
        _R.record_id == bindparam("b_id"),
        _R.version == bindparam("b_version"),
    )
    .values(dirty=0, content=None, hint="")
)
"""Built once: settling is what a pass does most."""


def settle(conn: Connection, sync: str, done: Iterable[Settled]) -> None:
    """Not dirty any more, unless something new was heard of it meanwhile."""
    if not (done := list(done)):
        return
    names = [{"b_sync": sync, "b_side": one.side, "b_id": one.record_id} for one in done]
    conn.execute(
        _SETTLED,
        [
            {
                **name,
                "b_status": one.status,
                "b_state": "gone" if one.gone else None,
                "b_mark": one.mark,
                "b_stale": one.stale,
                "b_modified_at": one.modified_at,
            }
            for name, one in zip(names, done, strict=True)
        ],
    )
    linked = [{**name, "b_links": one.links} for name, one in zip(names, done, strict=True) if one.links is not None]
    if linked:
        conn.execute(_LINKED, linked)
    conn.execute(_CLEANED, [{**name, "b_version": one.version} for name, one in zip(names, done, strict=True)])
    for one in done:
        if one.gone:
            keys = keys_of(conn, sync, [(one.side, one.record_id)]).get((one.side, one.record_id), set())
            drop_keys(conn, sync, one.side, [one.record_id])
            wake_ambiguous(conn, sync, keys)


def forget(conn: Connection, sync: str, side: str, record_id: str) -> None:
    """A record that turned out not to be one of ours."""
    for table in (t_sync_record, t_sync_key):
        c = table.c
        conn.execute(delete(table).where(c.sync == sync, c.side == side, c.record_id == record_id))


_PAIRED = (
    update(t_sync_record)
    .where(_R.sync == bindparam("b_sync"), _R.side == bindparam("b_side"), _R.record_id == bindparam("b_id"))
    .values(pair_id=bindparam("b_pair"), status="")
)


def set_pairs(conn: Connection, sync: str, paired: Iterable[tuple[str, str, str]]) -> None:
    """(side, record id, pair or "")."""
    rows_ = [{"b_sync": sync, "b_side": side, "b_id": id, "b_pair": pair_id} for side, id, pair_id in paired]
    if rows_:
        conn.execute(_PAIRED, rows_)


def set_pair(conn: Connection, sync: str, side: str, record_id: str, pair_id: str) -> None:
    set_pairs(conn, sync, [(side, record_id, pair_id)])


def set_apart(conn: Connection, sync: str, side: str, ids: Collection[str]) -> None:
    """A person says that these are nobody else's doubles: their keys match nobody from now on."""
    for some in chunks(ids):
        where = (_R.sync == sync, _R.side == side, _R.record_id.in_(some), _R.pair_id == "", _R.state == "alive")
        values = {"status": APART, "dirty": 1, "version": _R.version + 1, "content": None}
        conn.execute(update(t_sync_record).where(*where).values(values))


_HEARD_OF = (
    update(t_sync_record)
    .where(_R.sync == bindparam("b_sync"), _R.side == bindparam("b_side"), _R.record_id == bindparam("b_id"))
    .values(pair_id=bindparam("b_pair"), dirty=1, content=None, state="alive")
)


def put(conn: Connection, sync: str, made: Collection[tuple[str, Seen, str]], now: datetime) -> None:
    """(side, a record that we made, its pair): known from the start, so that its first appearance is no news."""
    for side in ("left", "right"):
        some = {one.record_id: (one, pair_id) for at, one, pair_id in made if at == side}
        if not some:
            continue
        known = rows(conn, sync, side, some)
        new = [
            {**_new(sync, side, one, now), "pair_id": pair_id, "dirty": 0, "content": None}
            for one, pair_id in some.values()
            if one.record_id not in known
        ]
        if new:
            conn.execute(insert(t_sync_record), new)
        if known:  # heard of before we knew that they are ours
            head = {"b_sync": sync, "b_side": side}
            conn.execute(_HEARD_OF, [{**head, "b_id": id, "b_pair": some[id][1]} for id in known])
        keep_keys(conn, sync, side, {id: one.keys for id, (one, _) in some.items()}, some.keys() - known.keys())


def new_keys(conn: Connection, sync: str, keys: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """(side, record id) -> its keys after a write of ours."""
    held = keys_of(conn, sync, keys)
    for side in ("left", "right"):
        changed = {id: some for (at, id), some in keys.items() if at == side and held.get((at, id), set()) != set(some)}
        if changed:
            keep_keys(conn, sync, side, changed)


# --- inside --------------------------------------------------------------------------------------------------------


def _is_old(row: Row[Any], one: Seen) -> bool:
    """An answer of a lagging index: older than what we know, or what was there before our own write."""
    if one.modified_at is None or row.modified_at is None:
        return False
    return bool(
        one.modified_at < row.modified_at or (one.modified_at == row.modified_at and one.mark == row.stale != "")
    )


def _same_links(known: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    return now is None or (known is not None and _plain(known) == _plain(now))


def _plain(links: Mapping[str, Any]) -> dict[str, list[str]]:
    return {to: sorted(ids) for to, ids in links.items() if ids}


def _new(sync: str, side: str, one: Seen, now: datetime) -> dict[str, Any]:
    return {
        "sync": sync,
        "side": side,
        "record_id": one.record_id,
        "state": "alive",
        "dirty": 1,
        "version": 1,
        "mark": one.mark,
        "own_key": one.own_key,
        "modified_at": one.modified_at,
        "edited_at": one.modified_at,
        "modified_by": one.modified_by,
        "content": one.content,
        "links": one.links,
        "seen_at": now,
    }


def _values(row: Row[Any], one: Seen, now: datetime, **values: Any) -> dict[str, Any]:
    return {
        "b_id": one.record_id,
        "dirty": values["dirty"],
        "version": values["version"],
        "mark": one.mark,
        "own_key": one.own_key or row.own_key,
        "modified_at": one.modified_at,
        "edited_at": values.get("edited_at", row.edited_at),
        "modified_by": one.modified_by,
        "content": values.get("content", one.content),
        "links": one.links if one.links is not None else row.links,
        "seen_at": now,
        "state": "alive",
        "hint": "",
    }


def _dirty(row: Row[Any], hint: str) -> dict[str, Any]:
    kept = {
        name: getattr(row, name)
        for name in ("mark", "own_key", "modified_at", "edited_at", "modified_by", "links", "state", "seen_at")
    }
    return {**kept, "b_id": row.record_id, "dirty": 1, "version": row.version + 1, "content": None, "hint": hint}


def _change(conn: Connection, sync: str, side: str, changed: list[dict[str, Any]]) -> None:
    if not changed:
        return
    names = [name for name in changed[0] if name != "b_id"]
    statement = (
        update(t_sync_record)
        .where(_R.sync == sync, _R.side == side, _R.record_id == bindparam("b_id"))
        .values({name: bindparam(f"v_{name}", type_=t_sync_record.c[name].type) for name in names})
    )
    conn.execute(statement, [{"b_id": one["b_id"], **{f"v_{name}": one[name] for name in names}} for one in changed])
