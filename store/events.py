"""What came in beside leads, append-only, and the calls that their events make."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from leads.calls import Call, CallEvent, call_of, judged, waits_until
from leads.clock import Clock
from leads.ids import new_id
from store.intake import RawRequest
from store.prepared import Prepared, Rows, among
from store.tables import t_call, t_event, t_raw_request


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as intake hands it over. `event_key` tells it from others of its subject; `data` is what it says.

    `id` is "" until it is stored.
    """

    source: str
    kind: str
    key: str
    event_key: str
    received_at: datetime
    data: dict[str, Any]
    raw: RawRequest
    id: str = ""

    @property
    def dedup_key(self) -> str:
        return f"{self.source}:{self.kind}:{self.key}:{self.event_key}"


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call as stored. `lead_id` is "" while it has made no lead; `about` is what its events know of the client.

    `is_new`: no event of it was known before.
    """

    id: str
    source: str
    key: str
    received_at: datetime
    lead_id: str
    call: Call
    about: dict[str, Any]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call whose last event has not come in time. `id` is ours, `key` the vendor's."""

    id: str
    source: str
    key: str
    received_at: datetime


_KNOWN = Prepared(select(t_event.c.dedup_key).where(among(t_event.c.dedup_key, "keys")))
_NEW_EVENT = Prepared(insert(t_event))
_NEW_RAW = Prepared(insert(t_raw_request))


def append(conn: Connection, arrivals: Sequence[Arrival], clock: Clock) -> list[Arrival]:
    """Stores what is new and returns it, each with its id: a repeat leaves no trace."""
    if not arrivals:
        return []
    known = set(_KNOWN.scalars(conn, {"keys": [one.dedup_key for one in arrivals]}))
    fresh: list[Arrival] = []
    for one in arrivals:
        if one.dedup_key not in known:
            known.add(one.dedup_key)
            fresh.append(replace(one, id=new_id(clock)))
    if fresh:
        _NEW_EVENT.run_many(conn, [_event_row(one) for one in fresh])
        _NEW_RAW.run_many(conn, [_raw_row(one) for one in fresh])
    return fresh


def _event_row(one: Arrival) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source,
        "kind": one.kind,
        "key": one.key,
        "dedup_key": one.dedup_key,
        "received_at": one.received_at,
        "data": one.data,
    }


def _raw_row(one: Arrival) -> dict[str, Any]:
    raw = one.raw
    return {
        "lead_id": one.id,
        "method": raw.method,
        "url": raw.url,
        "headers": raw.headers,
        "body": raw.body,
        "remote_ip": raw.remote_ip,
    }


_OF_SUBJECT = Prepared(
    select(t_event.c.id, t_event.c.received_at, t_event.c.data)
    .where(
        t_event.c.source == bindparam("of_source"),
        t_event.c.kind == bindparam("of_kind"),
        t_event.c.key == bindparam("of_key"),
    )
    .order_by(t_event.c.id)
)


def events_of(conn: Connection, source: str, kind: str, key: str) -> Rows:
    """Rows with `id`, `received_at` and `data`, in the order in which they came."""
    return _OF_SUBJECT.all(conn, {"of_source": source, "of_kind": kind, "of_key": key})


_STORED_CALL = Prepared(
    select(t_call).where(t_call.c.source == bindparam("of_source"), t_call.c.key == bindparam("of_key"))
)
_NEW_CALL = Prepared(insert(t_call))
_CHANGED_CALL = Prepared(update(t_call).where(t_call.c.id == bindparam("of_id")))


def fold_calls(
    conn: Connection, subjects: Iterable[tuple[str, str]], clock: Clock, *, judge: bool = False
) -> list[KnownCall]:
    """Makes the calls (source, call id) of their events anew and returns them.

    `judge`: those are ended whose last event has not come in time. Not while events are taken in: the next one may be
    stored already and waits for its turn.
    """
    return [_fold(conn, source, key, clock, judge) for source, key in dict.fromkeys(subjects)]


def _fold(conn: Connection, source: str, key: str, clock: Clock, judge: bool) -> KnownCall:
    rows = events_of(conn, source, "call", key)
    last_at = max(row.received_at for row in rows)
    call = call_of(CallEvent.from_json(row.data["call"]) for row in rows)
    if judge:
        call = judged(call, clock.now() - last_at)
    values: dict[str, Any] = {
        "changed_at": clock.now(),
        "waits_until": waits_until(call, last_at),
        "client": call.client,
        "data": call.to_json(),
    }
    stored = _STORED_CALL.first(conn, {"of_source": source, "of_key": key})
    about: dict[str, Any] = {}
    for row in rows:
        about |= {name: value for name, value in row.data.get("about", {}).items() if value}
    if stored is None:
        call_id, received_at = new_id(clock), rows[0].received_at
        row_of = {"id": call_id, "source": source, "key": key, "received_at": received_at, **values}
        _NEW_CALL.run(conn, row_of)
        return KnownCall(call_id, source, key, received_at, "", call, about, is_new=True)
    _CHANGED_CALL.run(conn, {"of_id": stored.id, **values})
    return KnownCall(stored.id, source, key, stored.received_at, stored.lead_id, call, about)


_TO_JUDGE = Prepared(
    select(t_call.c.id, t_call.c.source, t_call.c.key, t_call.c.received_at)
    .where(t_call.c.waits_until <= bindparam("now", type_=t_call.c.waits_until.type))
    .order_by(t_call.c.waits_until)
    .limit(bindparam("at_most"))
)


def calls_to_judge(conn: Connection, now: datetime, *, limit: int) -> list[WaitingCall]:
    """The longest due first."""
    return [WaitingCall(*row) for row in _TO_JUDGE.all(conn, {"now": now, "at_most": limit})]


def judged_elsewhere(conn: Connection, call: WaitingCall) -> None:
    """It is not among `calls_to_judge` any more, unless another event of it comes."""
    conn.execute(update(t_call).where(t_call.c.id == call.id).values(waits_until=None))


def became_lead(conn: Connection, call_id: str, lead_id: str) -> None:
    _CHANGED_CALL.run(conn, {"of_id": call_id, "lead_id": lead_id})
