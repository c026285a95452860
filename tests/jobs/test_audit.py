"""What the audit compares, how slowly it asks, and what the ledger adds up to."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from connectors.base import FoundDeal
from connectors.registry import CONNECTORS
from jobs.audit import compare, slowed
from jobs.ledger import ledger
from store.db import InlineDatabase
from store.intake import Intake
from store.refused import RefusedRow, keep_refused
from store.tables import t_delivery, t_lead
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock


@dataclass(frozen=True)
class Row:
    lead_id: str = "lead-1"
    connection: str = "sales"
    record_id: str = "10"
    outcome: str = "created"
    assigned_to: str = ""


DEAL = FoundDeal("10", "lead-1", has_contact=True, has_source=True, responsible="7", contact_id="5")


def problems(row: Row, *found: FoundDeal, always_responsible: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.problem, one.others) for one in compare([row], found, always_responsible=always_responsible)]


def test_a_deal_as_it_should_be_is_no_finding() -> None:
    assert problems(Row(), DEAL) == []
    assert problems(Row(), replace(DEAL, key="")) == [], "an account without our field has no keys at all"


def test_a_deal_that_is_not_there_is_absent() -> None:
    assert problems(Row()) == [("absent", ())]
    assert problems(Row(), replace(DEAL, id="11")) == [("absent", ("11",))], "and where its key is now"


def test_a_second_record_with_the_key_of_a_lead_is_a_double() -> None:
    assert problems(Row(), DEAL, replace(DEAL, id="11")) == [("doubled", ("11",))]
    assert problems(Row(), DEAL, DEAL) == [], "the same record read twice is one"
    joined = Row(outcome="joined")
    assert problems(joined, replace(DEAL, key="lead-0"), replace(DEAL, id="11")) == [("doubled", ("11",))]
    assert problems(Row(), replace(DEAL, id="11"), replace(DEAL, id="12")) == [
        ("absent", ("11", "12")),
        ("doubled", ("11", "12")),
    ]


def test_what_a_seller_needs_must_be_on_the_deal() -> None:
    assert problems(Row(), replace(DEAL, has_contact=False)) == [("no_contact", ())]
    assert problems(Row(), replace(DEAL, has_source=False)) == [("no_source", ())]


def test_a_joined_deal_need_not_have_our_source() -> None:
    assert problems(Row(outcome="joined"), replace(DEAL, has_source=False)) == []


def test_a_responsible_user_is_missed_where_there_must_be_one() -> None:
    nobody = replace(DEAL, responsible="")
    assert problems(Row(), nobody) == []
    assert problems(Row(assigned_to="7"), nobody) == [("no_responsible", ())]
    assert problems(Row(), nobody, always_responsible=True) == [("no_responsible", ())]


@given(st.permutations(list(range(6))), st.sets(st.integers(0, 5)))
def test_the_order_of_what_was_read_changes_nothing(order: list[int], missing: set[int]) -> None:
    rows = [Row(f"lead-{number}", record_id=str(number)) for number in range(6)]
    deals = [replace(DEAL, id=str(number), key=f"lead-{number}") for number in order if number not in missing]
    found = compare(rows, deals, always_responsible=True)
    assert {one.lead_id for one in found} == {f"lead-{number}" for number in missing}
    assert {one.problem for one in found} <= {"absent"}


SETTINGS: dict[str, dict[str, Any]] = {
    "amocrm": {"base_url": "https://example.amocrm.ru", "access_token": "sandbox"},
    "bitrix24": {"webhook_url": "https://example.bitrix24.ru/rest/1/secret/"},
    "hubspot": {"access_token": "sandbox"},
}


@pytest.mark.parametrize("kind", sorted(CONNECTORS))
def test_the_audit_asks_at_most_a_fifth_of_what_the_vendor_allows(kind: str) -> None:
    connector = CONNECTORS[kind]
    settings = connector.settings.model_validate(SETTINGS[kind])
    full = connector.capabilities(settings).max_rate
    slow = connector.capabilities(slowed(connector, settings)).max_rate
    if full.leak_per_s:
        assert slow.leak_per_s == pytest.approx(full.leak_per_s / 5)
        assert slow.calls <= full.calls / 5
    else:
        assert slow.calls / slow.per_s == pytest.approx(full.calls / full.per_s / 5)
    kept = slowed(connector, settings).model_dump()
    assert {**kept, "rate": None} == {**settings.model_dump(), "rate": None}


async def test_the_ledger_of_a_day_holds_every_lead_once(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    intake = Intake(clock)
    states = ["delivered", "joined", "dead", "ready", "held", "discarded"]
    items = [acceptance(clock, phones=(f"+7916123456{number}",)) for number in range(len(states))]
    unrouted = replace(
        acceptance(clock, to=(), source="other", phones=("+79161234599",)), status="failed", status_why="no route"
    )
    await db.write(lambda conn: intake.accept(conn, [*items, unrouted]))

    def settle(conn: Connection) -> None:
        for item, state in zip(items, states, strict=True):
            values = {"state": state, "last_error": "why", "record_id": "10", "outcome": "created"}
            if state == "joined":
                values |= {"state": "delivered", "outcome": "joined"}
            conn.execute(update(t_delivery).where(t_delivery.c.lead_id == item.lead.id).values(**values))
        conn.execute(update(t_lead).where(t_lead.c.id == items[0].lead.id).values(duplicates=2))
        away = RefusedRow("r1", "site", clock.now(), "2026-11-24", 401, "the key is wrong", "POST", "203.0.113.7", 0)
        keep_refused(conn, [away])

    await db.write(settle)
    today = date(2026, 11, 24)
    lines = await db.read(lambda conn: ledger(conn, today, ZoneInfo("Europe/Moscow"), ["site", "quiet"]))
    by_source = {line.source: line for line in lines}
    assert sorted(by_source) == ["other", "quiet", "site"]
    site = by_source["site"]
    assert (site.received, site.repeats) == (6, 2)
    parts = {
        "in_crm": site.in_crm,
        "merged": site.merged,
        "refused": site.refused,
        "waiting": site.waiting,
        "discarded": site.discarded,
    }
    assert {name: len(entries) for name, entries in parts.items()} == {
        "in_crm": 1,
        "merged": 1,
        "refused": 1,
        "waiting": 2,
        "discarded": 1,
    }
    everywhere = [entry["lead_id"] for entries in parts.values() for entry in entries]
    assert sorted(everywhere) == sorted(item.lead.id for item in items)
    assert site.turned_away == [{"at": clock.now().isoformat(), "status": 401, "reason": "the key is wrong"}]
    assert [one["reason"] for one in by_source["other"].refused] == ["no route"]
    assert by_source["quiet"].received == 0
    yesterday = await db.read(lambda conn: ledger(conn, date(2026, 11, 23), ZoneInfo("Europe/Moscow"), []))
    assert yesterday == []
    await db.close()
