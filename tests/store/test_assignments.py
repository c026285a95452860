"""Turns are taken and stored in one transaction: fair over restarts and workers."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from leads.ids import new_id
from store import assignments, leases
from store.assignments import Choice, LoadFacts
from store.engines import make_engine
from store.intake import Intake
from store.leases import Held, LostLease
from store.tables import t_assignment, t_delivery
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

USERS = ("101", "102", "103")


def next_turn(facts: LoadFacts) -> Choice:
    turn = facts.state.get("turn", 0)
    return Choice(USERS[turn % 3], "in turn", {"reason": "round_robin"}, {"turn": turn + 1})


def assign(
    conn: Connection, held: Held, clock: ManualClock, delivery_id: str, person: str = "p", lead_id: str = "lead"
) -> Choice:
    return assignments.assign(
        conn,
        held,
        pool="sales/all",
        assignment_id=new_id(clock),
        delivery_id=delivery_id,
        lead_id=lead_id,
        person_id=person,
        since=clock.now() - timedelta(days=1),
        now=clock.now(),
        decide=next_turn,
    )


def test_turns_go_on_where_another_worker_stopped(database_url: str) -> None:
    clock = ManualClock()
    engines = [make_engine(database_url, writer=True) for _ in range(2)]
    chosen = []
    for number in range(30):
        engine = engines[number % 2]
        with engine.begin() as conn:
            held = leases.take(conn, "sales", f"worker {number % 2}", clock.now())
            assert held is not None
            chosen.append(assign(conn, held, clock, f"d{number}").user_id)
            leases.release(conn, held, clock.now())
    assert Counter(chosen) == dict.fromkeys(USERS, 10)
    with engines[0].connect() as conn:
        assert len(conn.execute(select(t_assignment)).all()) == 30
    for engine in engines:
        engine.dispose()


def test_load_and_the_persons_last_user_are_known(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    seen: list[LoadFacts] = []
    with engine.begin() as conn:
        Intake(clock).accept(conn, [acceptance(clock, phones=("+79160000001",)), acceptance(clock)])
        rows = conn.execute(
            select(t_delivery.c.id, t_delivery.c.lane, t_delivery.c.lead_id).order_by(t_delivery.c.id)
        ).all()
        held = leases.take(conn, "sales", "w", clock.now())
        assert held is not None
        assign(conn, held, clock, *rows[0])

        def look(facts: LoadFacts) -> Choice:
            seen.append(facts)
            return next_turn(facts)

        assignments.assign(
            conn,
            held,
            pool="sales/all",
            assignment_id=new_id(clock),
            delivery_id="another delivery of the same person",
            lead_id="lead",
            person_id=rows[0].lane,
            since=clock.now() - timedelta(days=1),
            now=clock.now(),
            decide=look,
        )
    assert seen[0].previous_user == "101"
    assert seen[0].load == {"101": 1}
    engine.dispose()


def test_who_lost_the_lease_takes_no_turn(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        old = leases.take(conn, "sales", "w1", clock.now())
        clock.forward(leases.TTL_S + 1)
        assert leases.take(conn, "sales", "w2", clock.now()) is not None
    assert old is not None
    with pytest.raises(LostLease), engine.begin() as conn:
        assign(conn, old, clock, "d")
    engine.dispose()
