"""Two persons with contact data of their own, tied by a lead: what somebody decides; on both databases."""

import pytest
from sqlalchemy import Engine, select

from store.intake import Intake
from store.tables import t_audit_entry, t_delivery, t_identity, t_lead, t_person
from store.unclear_persons import APART, JOINED, join_persons, keep_apart, unclear
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

PHONE, EMAIL = "+79160000001", "anna@example.ru"


@pytest.fixture
def leads(engine: Engine, clock: ManualClock) -> list[str]:
    """By phone, by e-mail, and two that name both."""
    taken = []
    for phones, emails in [((PHONE,), ()), ((), (EMAIL,)), ((PHONE,), (EMAIL,)), ((PHONE,), (EMAIL,))]:
        clock.forward(1)
        with engine.begin() as conn:
            (one,) = Intake(clock).accept(conn, [acceptance(clock, phones=phones, emails=emails)])
        taken.append(one.lead_id)
    return taken


def test_who_are_joined_are_one_everywhere_and_nothing_waits_any_more(
    engine: Engine, clock: ManualClock, leads: list[str]
) -> None:
    with engine.begin() as conn:
        first, second = unclear(conn)
        assert (first.lead_id, second.lead_id) == (leads[2], leads[3])
        kept, gone = first.persons
        assert (kept.keys, gone.keys) == ((("phone", PHONE),), (("email", EMAIL),))
        assert gone.deals["sales"].lead_id == leads[1]
        assert join_persons(conn, clock, leads[2], actor="cli:anna", why="called him") == first
    with engine.begin() as conn:
        for table in (t_identity, t_lead):
            assert set(conn.execute(select(table.c.person_id)).scalars()) == {kept.id}
        assert conn.execute(select(t_person.c.merged_into).where(t_person.c.id == gone.id)).scalar_one() == kept.id
        assert set(conn.execute(select(t_delivery.c.lane)).scalars()) == {kept.id}
        entries = conn.execute(select(t_audit_entry).where(t_audit_entry.c.action == JOINED)).all()
        assert {one.subject for one in entries} == {gone.id, leads[1], leads[2]}
        assert {(one.actor, one.why) for one in entries} == {("cli:anna", "called him")}
        assert unclear(conn) == [], "the second lead tied the same two"
        assert join_persons(conn, clock, leads[2], actor="cli:anna") is None


def test_who_are_kept_apart_stay_two_and_that_lead_is_not_asked_about_again(
    engine: Engine, clock: ManualClock, leads: list[str]
) -> None:
    with engine.begin() as conn:
        assert keep_apart(conn, clock, leads[2], actor="cli:anna", why="his wife") is not None
        assert keep_apart(conn, clock, leads[2], actor="cli:anna") is None
    with engine.begin() as conn:
        assert [one.lead_id for one in unclear(conn)] == [leads[3]]
        assert set(conn.execute(select(t_person.c.merged_into)).scalars()) == {""}
        (entry,) = conn.execute(select(t_audit_entry).where(t_audit_entry.c.action == APART)).all()
        assert (entry.subject, entry.actor, entry.why) == (leads[2], "cli:anna", "his wife")
        assert unclear(conn, leads[0]) == []
