"""What a person decides about an open issue of a sync."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row

from jobs.refusals import Refusal
from jobs.sync.model import SIDES
from leads.clock import Clock
from leads.ids import new_id
from leads.merge import Agreed
from store import sync_log, sync_pairs, sync_records
from store.operator import record_action
from store.sync_pairs import Pair

DECIDED: Final = "#decided"
"""Never the mark of a value: a base that says that the chosen side has changed, so that it goes over."""
Choice = Literal["left", "right", "pair", "apart", "resume", "again", "done"]
MAY: Final = {
    "conflict": ("left", "right"),
    "ambiguous": ("pair", "apart"),
    "loop": ("resume",),  # without going on it would stay stopped, and nobody would know
    "unknown": ("again", "done"),
    "refused": ("again", "done"),
    "left_out": ("done",),  # jobs.sync.again tries it
    "deleted": ("done",),
    "merged": ("done",),
}


class CannotResolve(Refusal):
    """Says for people why not, and what is possible."""


def resolve(
    conn: Connection, clock: Clock, issue: Row[Any], choice: Choice, actor: str, ids: Sequence[str] = ()
) -> None:
    """`ids`: with pair, the left and the right record. Takes effect with the next pass. Raises CannotResolve."""
    allowed = MAY.get(issue.kind, ("done",))
    if issue.state != "open":
        raise CannotResolve("it is decided already", "это уже решено")
    if choice not in allowed:
        ways = ", ".join(f"--{one}" for one in allowed)
        raise CannotResolve(f"{issue.kind}: possible are {ways}", f"здесь возможно: {ways}")
    match choice:
        case "left" | "right":
            _prefer(conn, issue, choice)
        case "pair":
            _pair(conn, clock, issue, ids)
        case "apart":
            for side, some in (("left", issue.left_ids), ("right", issue.right_ids)):
                sync_records.set_apart(conn, issue.sync, side, some)
        case "resume":
            sync_pairs.change(conn, issue.pair_id, state="paired", flips={})
            _look_again(conn, issue)
        case "again":
            _again(conn, issue)
        case "done":
            pass
    sync_log.close_issues(conn, issue.sync, clock.now(), choice, kind=issue.kind, subject=issue.subject)
    record_action(conn, clock, actor=actor, action=f"sync.{choice}", subject=issue.id)


def as_changed(agreed: Agreed, side: str) -> Agreed:
    """As if this side alone had changed since."""
    return Agreed(DECIDED, agreed.right) if side == "left" else Agreed(agreed.left, DECIDED)


def _prefer(conn: Connection, issue: Row[Any], side: str) -> None:
    pair = sync_pairs.by_ids(conn, [issue.pair_id]).get(issue.pair_id)
    marks = issue.data.get("marks")
    if pair is None or marks is None:
        raise CannotResolve("the pair is not there any more", "этой пары больше нет")
    left, right = (tuple(one) if isinstance(one, list) else one for one in marks)
    sync_pairs.change(conn, pair.id, base={**(pair.base or {}), issue.field: as_changed(Agreed(left, right), side)})
    _look_again(conn, issue)


def _look_again(conn: Connection, issue: Row[Any]) -> None:
    for side, row in sync_records.of_pairs(conn, issue.sync, [issue.pair_id]).get(issue.pair_id, {}).items():
        sync_records.mark_dirty(conn, issue.sync, side, [row.record_id])


def _pair(conn: Connection, clock: Clock, issue: Row[Any], ids: Sequence[str]) -> None:
    if len(ids) != 2 or ids[0] not in issue.left_ids or ids[1] not in issue.right_ids:
        left, right = ", ".join(issue.left_ids), ", ".join(issue.right_ids)
        raise CannotResolve(
            f"name one record of each side: left {left}; right {right}",
            f"назовите по одной записи каждой стороны: слева {left}; справа {right}",
        )
    for side, id in zip(("left", "right"), ids, strict=True):
        row = sync_records.rows(conn, issue.sync, side, [id]).get(id)
        if row is None or row.state != "alive" or row.pair_id:
            where = "слева" if side == "left" else "справа"
            told = f"записи {id} {where} больше нет, или у неё уже есть пара"
            raise CannotResolve(f"{side} {id} is gone or has a partner already", told)
    pair_id = new_id(clock)
    sync_pairs.add(conn, [Pair(pair_id, issue.sync, left_id=ids[0], right_id=ids[1])], clock.now())
    for side, some, id in (("left", issue.left_ids, ids[0]), ("right", issue.right_ids, ids[1])):
        sync_records.set_pair(conn, issue.sync, side, id, pair_id)
        sync_records.mark_dirty(conn, issue.sync, side, some)


def try_left_out_again(conn: Connection, sync: str, issues: Sequence[Row[Any]]) -> None:
    """What could not be carried over is due once more: the mapping, or what the CRMs have, may have been mended."""
    tried = [one for one in issues if one.pair_id and one.data.get("source")]
    pairs = sync_pairs.by_ids(conn, {one.pair_id for one in tried})
    bases = {id: dict(pair.base or {}) for id, pair in pairs.items()}
    for one in tried:
        base = bases.get(one.pair_id, {})
        if one.field in base:
            base[one.field] = as_changed(base[one.field], one.data["source"])
    for id, base in bases.items():
        sync_pairs.change(conn, id, base=base)
    for side in SIDES:
        ends = [getattr(pair, f"{side}_id") for pair in pairs.values()]
        sync_records.mark_dirty(conn, sync, side, [id for id in ends if id])


def _again(conn: Connection, issue: Row[Any]) -> None:
    if issue.kind == "unknown":
        sync_pairs.remove(conn, issue.pair_id)
    for side, some in (("left", issue.left_ids), ("right", issue.right_ids)):
        for id in some:
            if issue.kind == "unknown":
                sync_records.set_pair(conn, issue.sync, side, id, "")
        sync_records.mark_dirty(conn, issue.sync, side, some)
