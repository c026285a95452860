"""Pairs of records and what was agreed about them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, delete, func, insert, select, update

from leads.merge import Agreed, Form
from store.sync_keys import chunks
from store.sync_tables import t_sync_pair

_P = t_sync_pair.c


@dataclass(frozen=True, slots=True)
class Pair:
    """As it is stored; see store.sync_tables. `base` has what both sides had when they last agreed."""

    id: str
    sync: str
    state: str = "paired"
    left_id: str = ""
    right_id: str = ""
    key: str = ""
    sent_at: datetime | None = None
    looks: int = 0
    base: Mapping[str, Agreed] | None = None
    flips: Mapping[str, Sequence[tuple[str, float]]] | None = None

    def on(self, side: str) -> str:
        return self.left_id if side == "left" else self.right_id


def packed(base: Mapping[str, Agreed]) -> dict[str, Any]:
    return {name: [agreed.left, agreed.right] for name, agreed in base.items()}


def _form(value: Any) -> Form:
    return tuple(value) if isinstance(value, list) else value


def _pair(row: Row[Any]) -> Pair:
    return Pair(
        id=row.id,
        sync=row.sync,
        state=row.state,
        left_id=row.left_id,
        right_id=row.right_id,
        key=row.key,
        sent_at=row.sent_at,
        looks=row.looks,
        base={name: Agreed(_form(left), _form(right)) for name, (left, right) in row.base.items()},
        flips={name: [(side, at) for side, at in writes] for name, writes in row.flips.items()},
    )


def by_ids(conn: Connection, ids: Collection[str]) -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for some in chunks(ids):
        found |= {row.id: _pair(row) for row in conn.execute(select(t_sync_pair).where(_P.id.in_(some)))}
    return found


def partners(conn: Connection, sync: str, side: str, ids: Collection[str]) -> dict[str, Pair]:
    """Record id of this side -> its pair, where both ends are there."""
    column = _P.left_id if side == "left" else _P.right_id
    found: dict[str, Pair] = {}
    for some in chunks(ids):
        query = select(t_sync_pair).where(_P.sync == sync, column.in_(some), _P.state.in_(("paired", "stopped")))
        found |= {(row.left_id if side == "left" else row.right_id): _pair(row) for row in conn.execute(query)}
    return found


def creating(conn: Connection, sync: str, limit: int = 500) -> list[Pair]:
    """Pairs of which one side is being made, those not sent yet included, the oldest first."""
    query = select(t_sync_pair).where(_P.sync == sync, _P.state == "creating").order_by(_P.id).limit(limit)
    return [_pair(row) for row in conn.execute(query)]


def add(conn: Connection, new: Sequence[Pair], now: datetime) -> None:
    if new:
        conn.execute(
            insert(t_sync_pair),
            [
                {
                    "id": one.id,
                    "sync": one.sync,
                    "state": one.state,
                    "left_id": one.left_id,
                    "right_id": one.right_id,
                    "key": one.key,
                    "sent_at": one.sent_at,
                    "base": packed(one.base or {}),
                    "flips": {},
                    "made_at": now,
                }
                for one in new
            ],
        )


def change(conn: Connection, pair_id: str, **values: Any) -> None:
    """Sets columns; `base` as name -> Agreed."""
    change_many(conn, {pair_id: values})


def change_many(conn: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Pair -> columns to set."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for pair_id, values in changes.items():
        row = {f"b_{name}": _as_stored(name, value) for name, value in values.items()}
        alike[tuple(sorted(values))].append({"b_pair": pair_id, **row})
    for names, rows in alike.items():
        conn.execute(_changing(names), rows)


def _as_stored(name: str, value: Any) -> Any:
    if name == "base":
        return packed(value)
    if name == "flips":
        return {field: [list(one) for one in writes] for field, writes in value.items()}
    return value


@cache
def _changing(names: tuple[str, ...]) -> Update:
    """Built once: it takes longer to build than to execute."""
    values = {name: bindparam(f"b_{name}", type_=t_sync_pair.c[name].type) for name in names}
    return update(t_sync_pair).where(_P.id == bindparam("b_pair")).values(values)


def counts(conn: Connection, sync: str) -> dict[str, int]:
    query = select(_P.state, func.count()).where(_P.sync == sync).group_by(_P.state)
    return {row[0]: row[1] for row in conn.execute(query)}


def remove(conn: Connection, pair_id: str) -> None:
    """A pair that never came to be."""
    conn.execute(delete(t_sync_pair).where(_P.id == pair_id))
