"""Two known persons become one: order, what is under way, contacts, races; on both databases."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from store import mending
from store.conversation_tables import t_conversation
from store.delivery_records import Claimed
from store.intake import Acceptance, Accepted, Intake
from store.leases import Held
from store.tables import t_audit_entry, t_delivery, t_identity, t_lead, t_link, t_person, t_touch
from store.ties import TIED, Tie
from tests.store.test_outbox import claim, own, settle, settlement
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

CHAT = (("telegram", "77"),)
PHONE = "+79160000001"


def written(clock: ManualClock, **values: Any) -> Acceptance:
    """In a chat, without any contact data."""
    clock.forward(1)
    return acceptance(clock, source="tg", phones=(), messengers=CHAT, **values)


def called(clock: ManualClock, **values: Any) -> Acceptance:
    clock.forward(1)
    return acceptance(clock, **{"phones": (PHONE,), **values})


def shared(clock: ManualClock, **values: Any) -> Acceptance:
    """In the chat, with the phone."""
    clock.forward(1)
    return acceptance(clock, **{"source": "tg", "phones": (PHONE,), "messengers": CHAT, **values})


def take(engine: Engine, clock: ManualClock, *items: Acceptance, told: list[Tie] | None = None) -> list[Accepted]:
    """Each in a transaction of its own."""

    def tell(_conn: Connection, tie: Tie) -> tuple[str, ...]:
        if told is not None:
            told.append(tie)
        return ("told",)

    taken = []
    for item in items:
        with engine.begin() as conn:
            taken += Intake(clock, tell).accept(conn, [item])
    return taken


def states(engine: Engine) -> list[tuple[int, str]]:
    """(place, state), the oldest lead first; all in one lane."""
    with engine.connect() as conn:
        rows = conn.execute(select(t_delivery).order_by(t_delivery.c.created_at)).all()
        assert len({row.lane for row in rows}) == 1
        return [(row.place, row.state) for row in rows]


def deliver(engine: Engine, clock: ManualClock, held: Held, one: Claimed) -> None:
    links = (("contact", one.person.id, f"contact of {one.lead.source}"),)
    settle(engine, settlement(held, one, clock, links=links))


def test_everything_of_who_was_known_by_a_messenger_alone_is_the_other_persons(
    engine: Engine, clock: ManualClock
) -> None:
    told: list[Tie] = []
    first, known = take(engine, clock, written(clock), called(clock))
    tied, again = take(engine, clock, shared(clock, lead_uid="s"), shared(clock, lead_uid="s"), told=told)
    assert (tied.duplicate, again.duplicate, tied.connections) == (False, True, ("sales", "told"))
    with engine.connect() as conn:
        for table in (t_identity, t_touch, t_lead):
            assert len(set(conn.execute(select(table.c.person_id)).scalars())) == 1
        kept = conn.execute(select(t_lead.c.person_id).where(t_lead.c.id == known.lead_id)).scalar_one()
        (gone,) = conn.execute(select(t_person.c.id).where(t_person.c.merged_into == kept)).scalars()
        subjects = conn.execute(select(t_audit_entry.c.subject).where(t_audit_entry.c.action == TIED)).scalars().all()
        assert set(subjects) == {gone, first.lead_id, tied.lead_id}
        entry = conn.execute(select(t_audit_entry.c.data).where(t_audit_entry.c.subject == gone)).scalar_one()
        assert entry["keys"] == [["messenger:telegram", "77"]]
        assert not any("identity_conflict" in flags for flags in conn.execute(select(t_lead.c.flags)).scalars())
    (tie,) = told
    assert (tie.gone, tie.kept) == (gone, kept)
    assert (tie.gone_deals["sales"].lead_id, tie.kept_deals["sales"].lead_id) == (first.lead_id, known.lead_id)
    assert states(engine) == [(1, "ready"), (2, "waiting"), (3, "waiting")]


def test_all_in_one_transaction_of_many_leads(engine: Engine, clock: ManualClock) -> None:
    items = [written(clock), called(clock), shared(clock), called(clock), written(clock)]
    with engine.begin() as conn:
        assert len(Intake(clock).accept(conn, items)) == 5
    assert states(engine) == [(1, "ready"), *((place, "waiting") for place in (2, 3, 4, 5))]


@pytest.mark.parametrize(
    "values", [{"emails": ("a@example.ru",)}, {"external_id": "u-5"}, {"phones": ("+79160000002",)}]
)
def test_with_contact_data_on_both_sides_a_person_decides(
    engine: Engine, clock: ManualClock, values: dict[str, Any]
) -> None:
    told: list[Tie] = []
    take(engine, clock, called(clock), shared(clock, **{"phones": (), **values}))
    (tied,) = take(engine, clock, shared(clock), told=told)
    with engine.connect() as conn:
        assert set(conn.execute(select(t_person.c.merged_into)).scalars()) == {""}
        flags = conn.execute(select(t_lead.c.flags).where(t_lead.c.id == tied.lead_id)).scalar_one()
    assert (told, "identity_conflict" in flags) == ([], True)


def test_of_three_persons_two_with_contact_data_nobody_becomes_another(engine: Engine, clock: ManualClock) -> None:
    told: list[Tie] = []
    take(engine, clock, written(clock), called(clock), called(clock, phones=(), emails=("a@example.ru",)))
    take(engine, clock, shared(clock, emails=("a@example.ru",)), told=told)
    assert told == []


def test_what_may_be_spam_ties_nobody(engine: Engine, clock: ManualClock) -> None:
    told: list[Tie] = []
    take(engine, clock, written(clock), called(clock))
    spam = shared(clock)
    held = tuple(replace(one, state="held") for one in spam.deliveries)
    take(engine, clock, replace(spam, deliveries=held), told=told)
    assert told == []


def test_leads_of_both_go_in_the_order_in_which_they_came(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    leads = take(engine, clock, written(clock), called(clock), written(clock), called(clock), shared(clock))
    seen = []
    while claimed := claim(engine, held, clock):
        (one,) = claimed
        seen.append(one.lead.id)
        deliver(engine, clock, held, one)
    assert seen == [one.lead_id for one in leads]


def test_what_is_under_way_is_settled_and_the_next_goes_after_both(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    _, _, waiting = take(engine, clock, written(clock), called(clock), written(clock))
    chat, call = claim(engine, held, clock)
    (tied,) = take(engine, clock, shared(clock))
    assert states(engine) == [(1, "claimed"), (2, "claimed"), (3, "waiting"), (4, "waiting")]
    deliver(engine, clock, held, call)
    assert claim(engine, held, clock) == []
    deliver(engine, clock, held, chat)
    with engine.begin() as conn:
        assert mending.free_stuck_lanes(conn, clock.now()) == 0
        links = {row.our_id: row.vendor_id for row in conn.execute(select(t_link))}
    assert links == {call.person.id: "contact of site", chat.person.id: "contact of tg"}
    (third,) = claim(engine, held, clock)
    assert (third.lead.id, third.person.contact_id) == (waiting.lead_id, "contact of site")
    deliver(engine, clock, held, third)
    (last,) = claim(engine, held, clock)
    assert last.lead.id == tied.lead_id


def test_what_is_under_way_and_fails_waits_for_its_turn(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    take(engine, clock, written(clock), called(clock))
    chat, call = claim(engine, held, clock)
    take(engine, clock, shared(clock))
    due = clock.now() + timedelta(seconds=5)
    settle(engine, settlement(held, call, clock, "ready", due_at=due))
    settle(engine, settlement(held, chat, clock, "ready", due_at=due))
    assert states(engine) == [(1, "ready"), (2, "waiting"), (3, "waiting")]
    clock.forward(6)
    (again,) = claim(engine, held, clock)  # the chat's, which came first; its contact was made for who went
    assert (again.id, again.person.id) == (chat.id, call.person.id)
    settle(engine, settlement(held, again, clock, links=(("contact", chat.person.id, "contact of tg"),)))
    (next_one,) = claim(engine, held, clock)
    assert (next_one.id, next_one.person.contact_id) == (call.id, "contact of tg")
    settle(engine, settlement(held, next_one, clock, links=(("contact", call.person.id, "contact of site"),)))
    (last,) = claim(engine, held, clock)
    assert last.person.contact_id == "contact of site"
    settle(engine, settlement(held, last, clock, links=(("contact", chat.person.id, "contact of tg"),)))
    take(engine, clock, called(clock))
    (after,) = claim(engine, held, clock)
    assert after.person.contact_id == "contact of site"


def test_the_contact_of_the_chat_is_his_where_he_had_none(engine: Engine, clock: ManualClock) -> None:
    held = own(engine, clock)
    take(engine, clock, written(clock), called(clock, to=("b24",)))
    (chat,) = claim(engine, held, clock)
    deliver(engine, clock, held, chat)
    take(engine, clock, shared(clock))
    (next_one,) = claim(engine, held, clock)
    assert next_one.person.contact_id == "contact of tg"
    assert next_one.person.last_deal_id == f"deal-{chat.lead.id}"


def test_a_conversation_goes_with_its_person(engine: Engine, clock: ManualClock) -> None:
    (first,) = take(engine, clock, written(clock))
    now = clock.now()
    with engine.begin() as conn:
        person = conn.execute(select(t_lead.c.person_id)).scalar_one()
        values = {"id": "c", "source": "tg", "chat_id": "77", "channel": "telegram", "started_at": now, "last_at": now}
        conn.execute(t_conversation.insert().values(**values, person_id=person, lead_id=first.lead_id))
    take(engine, clock, called(clock), shared(clock))
    with engine.connect() as conn:
        kept = conn.execute(select(t_identity.c.person_id).where(t_identity.c.value == PHONE)).scalar_one()
        assert conn.execute(select(t_conversation.c.person_id)).scalar_one() == kept != person


def test_a_message_that_comes_in_the_same_moment_is_the_other_persons(engine: Engine, clock: ManualClock) -> None:
    """Of two processes: one has read whose the chat is when the other makes it somebody else's."""
    take(engine, clock, written(clock), called(clock))
    tying, late = shared(clock), written(clock)
    failed: list[BaseException] = []

    def come() -> None:
        try:
            with engine.begin() as conn:
                Intake(clock).accept(conn, [replace(late, dedup_keys=("u:tg:late",))])
        except BaseException as error:
            failed.append(error)

    with engine.begin() as conn:
        Intake(clock).accept(conn, [tying])
        if conn.dialect.name != "postgresql":
            pytest.skip("SQLite has one writer: nothing happens in the same moment")
        other = threading.Thread(target=come)
        other.start()
        other.join(0.5)  # it waits for our lock
        assert other.is_alive()
    other.join(20)
    assert not failed
    assert [state for _, state in states(engine)] == ["ready", "waiting", "waiting", "waiting"]
