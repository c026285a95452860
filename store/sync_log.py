"""What record sync did and what it asks people: passes, writes, issues, requests."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made_with
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from store.sync_keys import chunks
from store.sync_tables import t_sync_issue, t_sync_pass, t_sync_request, t_sync_write

_I, _S, _W, _Q = t_sync_issue.c, t_sync_pass.c, t_sync_write.c, t_sync_request.c


# --- passes --------------------------------------------------------------------------------------------------------


def begin_pass(conn: Connection, **values: Any) -> None:
    conn.execute(insert(t_sync_pass).values(**values))


def change_pass(conn: Connection, pass_id: str, /, **values: Any) -> None:
    conn.execute(update(t_sync_pass).where(_S.id == pass_id).values(**values))


def drop_pass(conn: Connection, pass_id: str) -> None:
    conn.execute(delete(t_sync_pass).where(_S.id == pass_id))


def end_left_over(conn: Connection, sync: str, now: datetime) -> None:
    """Passes that died with their process."""
    where = (_S.sync == sync, _S.state == "running")
    conn.execute(update(t_sync_pass).where(*where).values(state="stopped", ended_at=now))


def last_pass(conn: Connection, sync: str, *, state: str = "", kind: str = "") -> Row[Any] | None:
    query = select(t_sync_pass).where(_S.sync == sync).order_by(_S.started_at.desc(), _S.id.desc()).limit(1)
    query = query.where(_S.state == state) if state else query
    return conn.execute(query.where(_S.kind == kind) if kind else query).first()


def pass_of(conn: Connection, pass_id: str) -> Row[Any] | None:
    return conn.execute(select(t_sync_pass).where(_S.id == pass_id)).first()


def passes(conn: Connection, sync: str, limit: int = 20) -> Sequence[Row[Any]]:
    query = select(t_sync_pass).where(_S.sync == sync).order_by(_S.started_at.desc(), _S.id.desc()).limit(limit)
    return conn.execute(query).all()


# --- writes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Intent:
    """One write about to be sent. `before`, `after`: packed values of what it changes."""

    id: str
    pass_id: str
    sync: str
    pair_id: str
    side: str
    record_id: str
    op: str
    before: Mapping[str, Any] = made_with(default_factory=dict)
    after: Mapping[str, Any] = made_with(default_factory=dict)


def intend(conn: Connection, intents: Sequence[Intent], now: datetime, state: str = "sent") -> None:
    if intents:
        names = ("id", "pass_id", "sync", "pair_id", "side", "record_id", "op", "before", "after")
        values = [{**{name: getattr(one, name) for name in names}, "state": state, "at": now} for one in intents]
        conn.execute(insert(t_sync_write), values)


_SETTLED = (
    update(t_sync_write)
    .where(_W.id == bindparam("b_id"))
    .values(state=bindparam("b_state"), error=bindparam("b_error"))
)
_SETTLED_AS = _SETTLED.values(record_id=bindparam("b_record"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write. `record_id`: of what was made, else ""."""

    write_id: str
    state: str
    record_id: str = ""
    error: str = ""


def settle_writes(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    rows = [{"b_id": one.write_id, "b_state": one.state, "b_error": one.error} for one in outcomes]
    plain = [row for row, one in zip(rows, outcomes, strict=True) if not one.record_id]
    made = [{**row, "b_record": one.record_id} for row, one in zip(rows, outcomes, strict=True) if one.record_id]
    if plain:
        conn.execute(_SETTLED, plain)
    if made:
        conn.execute(_SETTLED_AS, made)


def settle_write(conn: Connection, write_id: str, state: str, *, record_id: str = "", error: str = "") -> None:
    settle_writes(conn, [Outcome(write_id, state, record_id, error)])


def unsettled(
    conn: Connection, sync: str, limit: int = 500, state: str = "sent", after: str = ""
) -> Sequence[Row[Any]]:
    where = (_W.sync == sync, _W.state == state, _W.id > after)
    query = select(t_sync_write).where(*where).order_by(_W.id).limit(limit)
    return conn.execute(query).all()


def updates_of(
    conn: Connection, sync: str, side: str, record_id: str, since: datetime, limit: int = 100
) -> Sequence[Row[Any]]:
    """What a sync wrote into one record since then, newest first."""
    where = (_W.sync == sync, _W.side == side, _W.record_id == record_id, _W.op == "update", _W.at > since)
    return conn.execute(select(t_sync_write).where(*where).order_by(_W.id.desc()).limit(limit)).all()


def writes_of(
    conn: Connection, pass_id: str, *, limit: int = 500, after: str = "", newest: bool = False
) -> Sequence[Row[Any]]:
    query = select(t_sync_write).where(_W.pass_id == pass_id).limit(limit)
    if newest:
        query = query.order_by(_W.id.desc())
        return conn.execute(query.where(_W.id < after) if after else query).all()
    return conn.execute(query.where(_W.id > after).order_by(_W.id)).all()


def tidy(conn: Connection, sync: str, now: datetime, *, keep: timedelta, limit: int = 2000) -> int:
    """Removes old writes and the passes that have none left; returns how many writes."""
    old = select(_W.id).where(_W.sync == sync, _W.at < now - keep, _W.state.notin_(("sent", "shadow"))).limit(limit)
    gone = conn.execute(delete(t_sync_write).where(_W.id.in_(old))).rowcount
    kept = select(_W.pass_id).where(_W.pass_id == _S.id).exists()
    conn.execute(delete(t_sync_pass).where(_S.sync == sync, _S.started_at < now - keep, ~kept))
    return gone


# --- issues ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issue:
    """Something for a person; see store.sync_tables."""

    kind: str
    subject: str
    pair_id: str = ""
    field: str = ""
    left_ids: tuple[str, ...] = ()
    right_ids: tuple[str, ...] = ()
    data: Mapping[str, Any] = made_with(default_factory=dict)


def raise_issue(conn: Connection, sync: str, issue_id: str, one: Issue, now: datetime) -> bool:
    """Opens it, or brings the open one of the same subject up to date; whether it is new.

    `data["names"]`: side -> record id -> how it is called; a name that was known before and is not now stays.
    """
    where = (_I.sync == sync, _I.kind == one.kind, _I.subject == one.subject, _I.state == "open")
    before = conn.execute(select(_I.data).where(*where)).scalar()
    values = {
        "pair_id": one.pair_id,
        "field": one.field,
        "left_ids": list(one.left_ids),
        "right_ids": list(one.right_ids),
        "data": {**one.data, "names": _names(one, before or {})},
        "changed_at": now,
    }
    if before is not None:
        conn.execute(update(t_sync_issue).where(*where).values(**values))
        return False
    head = {"id": issue_id, "sync": sync, "kind": one.kind, "subject": one.subject, "opened_at": now, "state": "open"}
    conn.execute(insert(t_sync_issue).values(**head, **values))
    return True


def open_issues(conn: Connection, sync: str, issues: Sequence[tuple[str, Issue]], now: datetime) -> None:
    """Of subjects of which none is open: (id, issue)."""
    if issues:
        head = {"sync": sync, "opened_at": now, "changed_at": now, "state": "open"}
        values = [
            {
                **head,
                "id": id,
                "kind": one.kind,
                "subject": one.subject,
                "pair_id": one.pair_id,
                "field": one.field,
                "left_ids": list(one.left_ids),
                "right_ids": list(one.right_ids),
                "data": {**one.data, "names": _names(one, {})},
            }
            for id, one in issues
        ]
        conn.execute(insert(t_sync_issue), values)


def close_subjects(
    conn: Connection, sync: str, now: datetime, resolution: str, kind: str, subjects: Collection[str]
) -> None:
    for some in chunks(subjects):
        where = (_I.sync == sync, _I.kind == kind, _I.subject.in_(some), _I.state == "open")
        values = {"state": "resolved", "changed_at": now, "resolution": resolution}
        conn.execute(update(t_sync_issue).where(*where).values(**values))


def _names(one: Issue, before: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    told, old = one.data.get("names", {}), before.get("names", {})
    return {
        side: {id: name for id in ids if (name := told.get(side, {}).get(id) or old.get(side, {}).get(id))}
        for side, ids in (("left", one.left_ids), ("right", one.right_ids))
    }


def close_issues(
    conn: Connection, sync: str, now: datetime, resolution: str, *, pair_id: str = "", kind: str = "", subject: str = ""
) -> int:
    where = [_I.sync == sync, _I.state == "open"]
    where += [
        column == value for column, value in ((_I.pair_id, pair_id), (_I.kind, kind), (_I.subject, subject)) if value
    ]
    values = {"state": "resolved", "changed_at": now, "resolution": resolution}
    return conn.execute(update(t_sync_issue).where(*where).values(**values)).rowcount


def issues(conn: Connection, sync: str, kinds: Collection[str] = (), limit: int = 1000) -> Sequence[Row[Any]]:
    query = select(t_sync_issue).where(_I.sync == sync, _I.state == "open").order_by(_I.opened_at, _I.id).limit(limit)
    return conn.execute(query.where(_I.kind.in_(kinds)) if kinds else query).all()


def left_out(conn: Connection, sync: str, limit: int, after: str = "") -> Sequence[Row[Any]]:
    """Fields that could not be carried over, in order of their ids."""
    where = (_I.sync == sync, _I.kind == "left_out", _I.state == "open", _I.id > after)
    return conn.execute(select(t_sync_issue).where(*where).order_by(_I.id).limit(limit)).all()


def open_of_pairs(conn: Connection, sync: str, pair_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Pair -> (kind, field) of its open issues."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for some in chunks(pair_ids):
        query = select(_I.pair_id, _I.kind, _I.field).where(_I.sync == sync, _I.state == "open", _I.pair_id.in_(some))
        for pair_id, kind, name in conn.execute(query):
            found[pair_id].append((kind, name))
    return found


def count_issues(conn: Connection, sync: str) -> dict[str, int]:
    query = select(_I.kind, func.count()).where(_I.sync == sync, _I.state == "open").group_by(_I.kind)
    return {row[0]: row[1] for row in conn.execute(query)}


def waiting(conn: Connection, kinds: Collection[str]) -> dict[str, dict[str, tuple[int, datetime]]]:
    """Sync -> kind -> how many open issues, and since when the oldest."""
    oldest = func.min(_I.opened_at, type_=_I.opened_at.type)
    query = select(_I.sync, _I.kind, func.count(), oldest).where(_I.state == "open", _I.kind.in_(kinds))
    found: dict[str, dict[str, tuple[int, datetime]]] = {}
    for sync, kind, count, since in conn.execute(query.group_by(_I.sync, _I.kind)):
        found.setdefault(sync, {})[kind] = (count, since)
    return found


def issue(conn: Connection, issue_id: str) -> Row[Any] | None:
    return conn.execute(select(t_sync_issue).where(_I.id == issue_id)).first()


# --- requests --------------------------------------------------------------------------------------------------------


def ask(
    conn: Connection, request_id: str, sync: str, now: datetime, by: str, *, full: bool, yes: bool, undo: str = ""
) -> None:
    values = {"id": request_id, "sync": sync, "asked_at": now, "asked_by": by, "full": full, "yes": yes}
    values |= {"undo": undo}
    conn.execute(insert(t_sync_request).values(**values))


def asked(conn: Connection, sync: str) -> Row[Any] | None:
    """The oldest request that no pass answers yet."""
    query = select(t_sync_request).where(_Q.sync == sync, _Q.pass_id == "").order_by(_Q.asked_at, _Q.id).limit(1)
    return conn.execute(query).first()


def answer(conn: Connection, request_id: str, pass_id: str) -> None:
    conn.execute(update(t_sync_request).where(_Q.id == request_id).values(pass_id=pass_id))


def request(conn: Connection, request_id: str) -> Row[Any] | None:
    return conn.execute(select(t_sync_request).where(_Q.id == request_id)).first()
