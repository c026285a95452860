"""Incidents as rows: one open at a time per key, what was said is remembered, the end is told once."""

from datetime import timedelta

from sqlalchemy import Connection

from leads.ids import new_id
from leads.incidents import Observation, Sent
from store import incidents
from store.engines import make_engine
from tests.support.manual_clock import ManualClock


def see(conn: Connection, clock: ManualClock, **values: object) -> str:
    base: dict[str, object] = {"kind": "connection_down", "connection": "sales", "cause": "http_503", "count": 1}
    seen = Observation(**{**base, **values})  # type: ignore[arg-type]
    return incidents.observe(conn, seen, clock.now(), new_id(clock)).id


def test_an_incident_lives_from_its_first_sign_to_its_end(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        first = see(conn, clock)
        clock.forward(30)
        assert see(conn, clock, count=12) == first
        (open_now,) = incidents.open_incidents(conn)
        assert (open_now.count, open_now.cause) == (12, "http_503")
        assert see(conn, clock, connection="b24") != first

        now = clock.now()
        incidents.mark_sent(conn, first, "ops", Sent("open", now, now, message_id="7", chat_id="-1"))
        assert incidents.resolve(conn, open_now.key, clock.now(), {"delivered": 12})
        assert not incidents.resolve(conn, open_now.key, clock.now())

        dirty = {one.id: one for one in incidents.list_dirty(conn, ["ops"], clock.now())}
        assert dirty[first].sent["ops"].message_id == "7"
        assert dirty[first].data["delivered"] == 12
        incidents.mark_sent(conn, first, "ops", Sent("over", now, now))
        assert first not in {one.id for one in incidents.list_dirty(conn, ["ops"], clock.now())}
    engine.dispose()


def test_a_person_may_mute_and_take_it(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        one = see(conn, clock)
        until = clock.now() + timedelta(hours=1)
        incidents.mute(conn, one, until, clock.now())
        incidents.acknowledge(conn, one, "anna", clock.now())
        (found,) = incidents.open_incidents(conn)
        assert (found.muted_until, found.acked_by) == (until, "anna")
    engine.dispose()


def test_old_ones_are_forgotten(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        see(conn, clock)
        (one,) = incidents.open_incidents(conn)
        incidents.resolve(conn, one.key, clock.now())
        clock.forward(incidents.KEPT.total_seconds() + 60)
        assert incidents.forget_old(conn, clock.now()) == 1
        assert incidents.list_dirty(conn, ["ops"], clock.now()) == []
    engine.dispose()
