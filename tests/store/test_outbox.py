"""Accept, claim, intend, settle: order, fences and lanes, on both databases."""

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, select

from leads.ids import new_id
from store import leases, mending, operator, outbox, reading
from store.delivery_records import AttemptRecord, Claimed, Intent, Settlement
from store.intake import Acceptance, Intake, PlannedDelivery
from store.leases import Held, LostLease
from store.tables import t_delivery, t_identity, t_lead, t_person
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock


def own(engine: Engine, clock: ManualClock, owner: str = "w1", name: str = "sales") -> Held:
    with engine.begin() as conn:
        held = leases.take(conn, name, owner, clock.now())
    assert held is not None
    return held


def accept(engine: Engine, clock: ManualClock, *phones: str, **values: object) -> list[str]:
    with engine.begin() as conn:
        items = []
        for phone in phones:
            items.append(acceptance(clock, phones=(phone,), **values))
            clock.forward(0.001)
        return [accepted.lead_id for accepted in Intake(clock).accept(conn, items)]


def claim(engine: Engine, held: Held, clock: ManualClock, limit: int = 10) -> list[Claimed]:
    with engine.begin() as conn:
        return outbox.claim(conn, held, clock.now(), limit=limit).claimed


def settlement(
    held: Held, claimed: Claimed, clock: ManualClock, state: str = "delivered", **values: object
) -> Settlement:
    base = {"record_id": f"deal-{claimed.lead.id}", "outcome": "created"} if state == "delivered" else {}
    attempt = AttemptRecord(new_id(clock), claimed.attempt, clock.now(), 12, state)
    return Settlement(
        held=held,
        delivery_id=claimed.id,
        lead_id=claimed.lead.id,
        lane=claimed.person.id,
        state=state,  # type: ignore[arg-type]
        now=clock.now(),
        attempt=attempt,
        **{**base, **values},  # type: ignore[arg-type]
    )


def settle(engine: Engine, *settlements: Settlement) -> None:
    with engine.begin() as conn:
        outbox.settle(conn, settlements)


def state_of(conn: Connection, lead_id: str) -> str:
    return str(conn.execute(select(t_delivery.c.state).where(t_delivery.c.lead_id == lead_id)).scalar_one())


def test_a_repeated_event_id_gets_the_first_leads_id(engine: Engine, clock: ManualClock) -> None:
    with engine.begin() as conn:
        intake = Intake(clock)
        one = acceptance(clock, lead_uid="e1")
        first, repeated = intake.accept(conn, [one, acceptance(clock, lead_uid="e1")])
        (again,) = intake.accept(conn, [acceptance(clock, lead_uid="e1")])
        assert (first.duplicate, repeated.duplicate, again.duplicate) == (False, True, True)
        assert first.lead_id == repeated.lead_id == again.lead_id
        assert conn.execute(select(t_lead.c.duplicates)).scalars().all() == [2]


def test_one_person_has_many_keys_and_two_persons_are_not_merged(engine: Engine, clock: ManualClock) -> None:
    with engine.begin() as conn:
        intake = Intake(clock)
        intake.accept(conn, [acceptance(clock, phones=("+79160000001",), emails=("a@example.ru",))])
        intake.accept(conn, [acceptance(clock, phones=("+79160000002",))])
        intake.accept(conn, [acceptance(clock, phones=("+79160000003",), emails=("a@example.ru",))])
        assert len(conn.execute(select(t_person)).all()) == 2
        (tied,) = intake.accept(conn, [acceptance(clock, phones=("+79160000002",), emails=("a@example.ru",))])
        row = conn.execute(select(t_lead).where(t_lead.c.id == tied.lead_id)).one()
        assert "identity_conflict" in row.flags
        owner = conn.execute(select(t_identity.c.person_id).where(t_identity.c.value == "+79160000002")).scalar_one()
        assert row.person_id == owner
        assert len(row.data["other_persons"]) == 1


def test_leads_of_one_person_are_claimed_one_after_the_other(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    first, second, other = accept(engine, clock, "+79160000001", "+79160000001", "+79160000002")
    claimed = claim(engine, held, clock)
    assert [one.lead.id for one in claimed] == [first, other]
    assert claim(engine, held, clock) == []
    settle(engine, settlement(held, claimed[0], clock))
    assert [one.lead.id for one in claim(engine, held, clock)] == [second]


def test_a_dead_letter_lets_the_next_of_the_person_go(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    first, second = accept(engine, clock, "+79160000001", "+79160000001")
    (claimed,) = claim(engine, held, clock)
    settle(engine, settlement(held, claimed, clock, "dead", last_error="refused"))
    assert [one.lead.id for one in claim(engine, held, clock)] == [second]
    with engine.begin() as conn:
        assert conn.execute(select(t_lead.c.status).where(t_lead.c.id == first)).scalar_one() == "failed"


def test_a_retry_keeps_its_place_before_later_leads(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    first, _ = accept(engine, clock, "+79160000001", "+79160000001")
    (claimed,) = claim(engine, held, clock)
    due = clock.now() + timedelta(seconds=5)
    settle(engine, settlement(held, claimed, clock, "ready", due_at=due))
    assert claim(engine, held, clock) == []
    clock.forward(6)
    (again,) = claim(engine, held, clock)
    assert (again.lead.id, again.attempt) == (first, 2)


def test_fresh_leads_go_before_the_backlog(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    old = accept(engine, clock, *(f"+7916000{number:04d}" for number in range(20)))
    clock.forward(outbox.FRESH_S + 1)
    (fresh,) = accept(engine, clock, "+79169999999")
    claimed = [one.lead.id for one in claim(engine, held, clock, limit=5)]
    assert claimed == [fresh, *old[:4]]


def test_who_looks_only_for_fresh_leads_is_not_kept_busy_by_the_backlog(engine: Engine, clock: ManualClock) -> None:
    """Backlog that has no place yet is due all the time: to come back for it at once would be to turn in circles."""
    held = own(engine, clock)
    accept(engine, clock, "+79161234501")
    clock.forward(60)
    with engine.begin() as conn:
        looked = outbox.claim(conn, held, clock.now(), limit=10, fresh_only=True)
        assert (looked.claimed, looked.next_due) == ([], None)
        looked = outbox.claim(conn, held, clock.now(), limit=10)
    assert len(looked.claimed) == 1


def test_an_owner_that_lost_its_lease_can_neither_send_nor_settle(engine: Engine, clock: ManualClock) -> None:
    first = own(engine, clock, "w1")
    accept(engine, clock, "+79160000001")
    (claimed,) = claim(engine, first, clock)
    clock.forward(leases.TTL_S + 1)
    second = own(engine, clock, "w2")
    assert second.fence > first.fence
    with engine.begin() as conn:
        assert mending.take_over(conn, second, clock.now()) == 1
    for work in (
        lambda conn: outbox.intend(conn, [Intent(first, claimed.id, {})]),
        lambda conn: outbox.settle(conn, [settlement(first, claimed, clock)]),
        lambda conn: outbox.claim(conn, first, clock.now(), limit=1),
        lambda conn: leases.renew(conn, first, clock.now()),
    ):
        with pytest.raises(LostLease), engine.begin() as conn:
            work(conn)
    (again,) = claim(engine, second, clock)
    assert again.id == claimed.id


def test_a_lease_is_not_taken_while_it_lasts(engine: Engine, clock: ManualClock) -> None:
    own(engine, clock, "w1")
    with engine.begin() as conn:
        assert leases.take(conn, "sales", "w2", clock.now()) is None
    clock.jump(-3600)  # the clock jumps back: an end an hour ahead is not believed
    with engine.begin() as conn:
        assert leases.take(conn, "sales", "w2", clock.now()) is not None


def test_what_was_being_sent_survives_the_owner(engine: Engine, clock: ManualClock) -> None:
    first = own(engine, clock, "w1")
    accept(engine, clock, "+79160000001")
    (claimed,) = claim(engine, first, clock)
    with engine.begin() as conn:
        outbox.intend(conn, [Intent(first, claimed.id, {"deal": {"sent_at": 5}})])
    clock.forward(leases.TTL_S + 1)
    second = own(engine, clock, "w2")
    with engine.begin() as conn:
        mending.take_over(conn, second, clock.now())
    (again,) = claim(engine, second, clock)
    assert again.progress == {"deal": {"sent_at": 5}}


def test_retrying_twice_makes_one_delivery_due(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    (lead_id,) = accept(engine, clock, "+79160000001")
    (claimed,) = claim(engine, held, clock)
    settle(engine, settlement(held, claimed, clock, "dead", last_error="refused"))
    clock.forward(5 * 86400)
    with engine.begin() as conn:
        assert operator.failed_leads(conn) == [lead_id]
        for _ in range(2):
            assert operator.retry(conn, [lead_id], actor="ops", clock=clock).changed == [lead_id]
    (again,) = claim(engine, held, clock)
    assert again.age_from == clock.now()
    settle(engine, settlement(held, again, clock))
    with engine.begin() as conn:
        assert operator.retry(conn, [lead_id], actor="ops", clock=clock).refused == {lead_id: "delivered"}
        assert operator.retry(conn, ["nope"], actor="ops", clock=clock).refused == {"nope": "no such lead"}
        story = reading.story(conn, lead_id)
    assert story is not None
    assert [action.action for action in story.actions] == ["lead.retry", "lead.retry"]
    assert [attempt.outcome for attempt in story.attempts] == ["dead", "delivered"]


def test_a_lead_is_not_discarded_while_it_is_being_written(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    (lead_id,) = accept(engine, clock, "+79160000001")
    (claimed,) = claim(engine, held, clock)
    with engine.begin() as conn:
        assert lead_id in operator.discard(conn, lead_id, why="test", actor="ops", clock=clock).refused
    settle(engine, settlement(held, claimed, clock, "ready", due_at=clock.now()))
    with engine.begin() as conn:
        assert operator.discard(conn, lead_id, why="spam", actor="ops", clock=clock).changed == [lead_id]
        assert conn.execute(select(t_lead.c.status, t_lead.c.status_why)).one() == ("discarded", "spam")
    assert claim(engine, held, clock) == []


def test_a_lead_is_delivered_when_it_reached_every_connection(engine: Engine, clock: ManualClock) -> None:
    sales, b24 = own(engine, clock), own(engine, clock, name="b24")
    with engine.begin() as conn:
        (accepted,) = Intake(clock).accept(conn, [acceptance(clock, to=("sales", "b24"))])
    clock.forward(0.2)
    settle(engine, settlement(sales, claim(engine, sales, clock)[0], clock))
    with engine.begin() as conn:
        assert reading.count_by_status(conn, clock.now() - timedelta(1), clock.now()) == {"pending": 1}
    settle(engine, settlement(b24, claim(engine, b24, clock)[0], clock))
    with engine.begin() as conn:
        assert reading.count_by_status(conn, clock.now() - timedelta(1), clock.now()) == {"delivered": 1}
        assert reading.latency(conn, clock.now() - timedelta(1), clock.now()).seconds == (0.2, 0.2)
    assert accepted.connections == ("sales", "b24")


def test_waiting_behind_nobody_is_found_and_freed(engine: Engine, clock: ManualClock) -> None:
    accept(engine, clock, "+79160000001")
    with engine.begin() as conn:
        conn.execute(t_delivery.update().values(state="waiting"))
        assert mending.free_stuck_lanes(conn, clock.now()) == 1
        assert mending.free_stuck_lanes(conn, clock.now()) == 0
        assert conn.execute(select(t_delivery.c.state)).scalar_one() == "ready"


def test_the_ready_queue_is_read_by_its_partial_index(engine: Engine, clock: ManualClock) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by statistics: the benchmark with a million rows shows it there")
    held = own(engine, clock)
    accept(engine, clock, "+79160000001")
    statements: list[str] = []
    with engine.begin() as conn:
        driver = conn.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_trace_callback(statements.append)
        outbox.claim(conn, held, clock.now(), limit=5)
        driver.set_trace_callback(None)
        claims = [sql for sql in statements if sql.startswith("SELECT") and "'ready'" in sql]
        assert len(claims) == 2
        for sql in claims:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
            searches = [row[3] for row in plan if " delivery " in row[3]]
            assert len(searches) == 3, plan
            assert all("ix_delivery_ready" in search for search in searches), plan


def test_an_import_does_not_hold_up_the_fresh_lead_of_a_person_who_stands_in_it(
    engine: Engine, clock: ManualClock
) -> None:
    def bulk(phone: str) -> Acceptance:
        planned = PlannedDelivery("sales", priority=outbox.BULK)
        return replace(acceptance(clock, phones=(phone,)), deliveries=(planned,))

    held = own(engine, clock)
    with engine.begin() as conn:
        rows = [bulk("+79160000001"), bulk("+79160000002"), bulk("+79160000002")]
        _, first, second = Intake(clock).accept(conn, rows)
    clock.forward(60.0)
    (fresh,) = accept(engine, clock, "+79160000002")
    for expected in (first.lead_id, second.lead_id, fresh):
        (claimed,) = claim(engine, held, clock, limit=1)
        assert claimed.lead.id == expected
        settle(engine, settlement(held, claimed, clock))
