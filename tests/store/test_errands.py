"""Errands as rows, on both databases: owed once, claimed under a fence, settled by who holds it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from store import errands, leases
from store.engines import make_engine
from store.errands import Settlement
from store.events import Arrival
from store.intake import RawRequest
from store.leases import Held, LostLease
from store.rhythm import by_hour
from store.tables import t_event
from tests.support.manual_clock import ManualClock

NOW = datetime(2026, 11, 24, 11, 2, 30, tzinfo=UTC)
RAW = RawRequest("POST", "/in/…", {}, b"{}")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, writer=True)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def named(number: int, kind: str = "leadgen") -> Arrival:
    data = {"kind": kind, "key": str(number), "data": {"form_id": "5"}}
    return Arrival("fb", "errand", str(number), kind, NOW, data, RAW, f"id-{number}")


def held(conn: Connection, owner: str = "one") -> Held:
    found = leases.take(conn, errands.lease_of("fb"), owner, NOW)
    assert found is not None
    return found


def rows(conn: Connection) -> list[Any]:
    return errands.list_errands(conn, states=("ready", "claimed", "done", "dead", "discarded"))


def test_what_is_owed_is_claimed_oldest_first_and_settled_once(conn: Connection) -> None:
    assert errands.owe(conn, [named(1), named(2)]) == ("source:fb",)
    ours = held(conn)
    first, second = errands.claim(conn, ours, "fb", NOW, limit=5)
    assert (first.key, first.data, first.attempt) == ("1", {"form_id": "5"}, 1)
    assert errands.claim(conn, ours, "fb", NOW, limit=5) == []
    errands.settle(conn, ours, first.id, Settlement("done", NOW, lead_ids=("a", "b")))
    errands.settle(conn, ours, second.id, Settlement("ready", NOW, NOW + timedelta(hours=1), last_error="busy"))
    assert {row.key: (row.state, row.lead_ids) for row in rows(conn)} == {"1": ("done", ("a", "b")), "2": ("ready", ())}
    assert errands.next_due(conn, "fb") == NOW + timedelta(hours=1)
    with pytest.raises(LostLease):
        errands.settle(conn, ours, first.id, Settlement("done", NOW))


def test_an_earlier_holder_settles_nothing_and_the_next_takes_over(conn: Connection) -> None:
    errands.owe(conn, [named(1)])
    ours = held(conn)
    (claimed,) = errands.claim(conn, ours, "fb", NOW, limit=5)
    later = leases.take(conn, errands.lease_of("fb"), "two", NOW + timedelta(hours=1))
    assert later is not None
    with pytest.raises(LostLease):
        errands.settle(conn, ours, claimed.id, Settlement("done", NOW))
    assert errands.take_over(conn, later, "fb", NOW) == 1
    (again,) = errands.claim(conn, later, "fb", NOW, limit=5)
    assert (again.id, again.attempt) == (claimed.id, 2)


def test_what_is_owed_is_counted_by_source_with_what_the_oldest_met(conn: Connection) -> None:
    errands.owe(conn, [named(1), named(2), named(3)])
    errands.wait_locally(conn, "p", "fb", "payment", "k", {}, NOW, "nobody")
    errands.wait_locally(conn, "q", "fb", "payment", "k", {}, NOW, "nobody")
    ours = held(conn)
    first, second, _ = errands.claim(conn, ours, "fb", NOW, limit=5)
    errands.settle(conn, ours, first.id, Settlement("dead", NOW, last_error="no such lead"))
    errands.settle(conn, ours, second.id, Settlement("ready", NOW, NOW, last_error="busy"))
    (found,) = errands.owed(conn).values()
    assert (found.waiting, found.failed, found.last_error, found.failed_error) == (2, 1, "busy", "no such lead")
    (local,) = errands.owed(conn, local=True).values()
    assert (local.waiting, local.failed) == (1, 0)
    assert errands.count_by_state(conn, NOW, NOW + timedelta(days=1)) == {"claimed": 1, "dead": 1, "ready": 1}
    assert [row.id for row in errands.due_locally(conn, NOW, limit=5)] == ["p"]


def test_a_person_retries_and_discards_what_nobody_is_at(conn: Connection) -> None:
    clock = ManualClock(NOW)
    errands.owe(conn, [named(1), named(2)])
    ours = held(conn)
    first, _ = errands.claim(conn, ours, "fb", NOW, limit=5)
    errands.settle(conn, ours, first.id, Settlement("dead", NOW, last_error="no"))
    assert errands.failed_errands(conn) == ["id-1"]
    done = errands.retry(conn, ["id-1", "id-2", "x"], actor="t", clock=clock)
    assert (done.changed, done.refused) == (["id-1"], {"id-2": "claimed", "x": "no such errand"})
    assert done.connections == {"source:fb"}
    assert errands.discard(conn, ["id-1"], why="проверка", actor="t", clock=clock).changed == ["id-1"]
    assert errands.discard(conn, ["id-1"], why="проверка", actor="t", clock=clock).refused == {"id-1": "discarded"}
    assert errands.errand_json(rows(conn)[0])["state"] in ("pending", "discarded")


def test_events_are_counted_by_the_hour(conn: Connection) -> None:
    for number, minutes in enumerate((0, 10, 70)):
        row = {"source": "fb", "kind": "call", "data": {}, "received_at": NOW + timedelta(minutes=minutes)}
        key = "a" if number < 2 else "b"
        conn.execute(t_event.insert().values(id=str(number), key=key, dedup_key=str(number), **row))
    hours = by_hour(conn, "fb", NOW - timedelta(hours=1))
    assert hours == {NOW.replace(minute=0, second=0): 1, NOW.replace(hour=12, minute=0, second=0): 1}
