"""Payments and insights -> a note on the payer's deal, once per state, and the deal moves as the settings say."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from connectors.events import ParsedPayment
from jobs.config.errors import ConfigError
from jobs.talks.deal_notes import PAYMENT
from jobs.talks.payment_text import money_text, payment_note
from jobs.talks.replying import let_be, note_now
from store.conversation_tables import t_note_duty
from store.errand_tables import t_errand
from store.errands import wait_locally
from store.tables import t_touch
from tests.jobs.configs import loaded
from tests.jobs.test_path_events import MANGO, replay, samples
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

ALL = "  - {from: ['*'], to: [amo]}"
SITE = "site: {type: webform, rate_limit: off}"


def shop(payments: str = "{}") -> str:
    return f"{SITE}, shop: {{type: yookassa, payments: {payments}}}"


async def pay(h: VirtualHub, event: str = "payment.succeeded", **more: Any) -> None:
    """A notification of ЮKassa; `metadata` and the like over it."""
    thing = {
        "id": "p-1",
        "status": event.partition(".")[2],
        "amount": {"value": "12000.00", "currency": "RUB"},
        "created_at": "2026-01-05T08:00:00.000Z",
        "description": "Заказ 72",
        "metadata": {"phone": "+79161234567"},
        **more,
    }
    answer = await h.request("POST", "/in/shop", json={"type": "notification", "event": event, "object": thing})
    assert answer.status_code == 200, answer.text


def payment_notes(h: VirtualHub, connection: str = "amo") -> list[str]:
    return [note for note in h.notes(connection) if note.startswith(("Оплата", "Возврат"))]


async def noted(h: VirtualHub, count: int, connection: str = "amo") -> None:
    await h.until(lambda: len(payment_notes(h, connection)) == count, 120.0)


@virtual
async def test_a_payment_is_a_note_on_the_payers_deal_once_per_state() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await h.quiet()
        for _ in range(3):
            await pay(h)
        await noted(h, 1)
        await pay(h, "refund.succeeded", id="r-1", payment_id="p-1", amount={"value": "500.50", "currency": "RUB"})
        await noted(h, 2)
        first, second = payment_notes(h)
        assert first.splitlines()[0] == "Оплата 12\u00a0000\u00a0₽ получена"
        assert second.splitlines()[0] == "Возврат 500,50\u00a0₽"
        assert len(h.amocrm.deals) == 1
        assert [row.data["channel"] for row in h.rows(t_touch) if row.data["channel"] == "payment"] == ["payment"]


@virtual
async def test_a_payment_that_comes_before_its_lead_waits_for_it() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await pay(h)
        await h.worked_on()
        (waiting,) = h.rows(t_errand)
        assert (waiting.kind, waiting.state) == ("payment", "ready")
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await noted(h, 1)
        assert h.rows(t_errand)[0].state == "done"
        assert "errand_late" not in {one.kind for one in h.incidents()}


@virtual
async def test_a_refund_that_names_only_its_payment_goes_where_the_payment_went() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await h.quiet()
        await pay(h, "refund.succeeded", id="r-0", payment_id="p-1", amount={"value": "1.00"}, metadata={})
        await pay(h)
        await noted(h, 2)  # the refund that was quicker than its payment found it, too
        await pay(h, "refund.succeeded", id="r-1", payment_id="p-1", amount={"value": "500.50"}, metadata={})
        await noted(h, 3)
        assert {row.state for row in h.rows(t_errand)} == {"done"}
        assert len(h.amocrm.deals) == 1


@virtual
async def test_a_payment_of_nobody_known_is_shown_after_a_day_and_never_red() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await pay(h)
        h.jump(86_400.0)
        await h.until(lambda: "unclaimed" in h.open_incidents(), 1200.0)
        (waiting,) = h.rows(t_errand)
        assert waiting.state == "dead"
        assert "no lead has this phone" in waiting.last_error
        assert h.open_incidents() == {"unclaimed"}


@virtual
async def test_what_leadhub_fails_at_holds_up_no_other_payment_is_told_of_and_tried_again() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await pay(h)
        await h.worked_on()
        broken = {"payment": "of another version"}
        h.write(lambda conn: wait_locally(conn, "0", "shop", "payment", "p-0", broken, h.clock.now(), "nobody"))
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await noted(h, 1)
        await h.until(lambda: "unclaimed" in h.open_incidents(), 60.0)
        await h.until(lambda: any("leadhub сам ошибается на этом (ValidationError)" in text for text in h.told()), 60.0)
        assert h.incidents()[0].count == 1
        h.jump(86_400.0)
        await h.wait(1200.0)
        bad = h.rows(t_errand, id="0")[0]
        assert (bad.state, bad.attempts > 1) == ("ready", True)
        mended = PAYMENT.dump_python(ParsedPayment("p-2", "e-2", "succeeded", order_id=h.leads()[0].id), mode="json")
        h.write(lambda conn: conn.execute(update(t_errand).where(t_errand.c.id == "0").values(data=mended)))
        await h.until(lambda: len(payment_notes(h)) == 2, 1200.0)
        await h.until(lambda: not h.open_incidents(), 60.0)


@virtual
async def test_where_it_is_wanted_an_unknown_payer_becomes_a_lead() -> None:
    async with hub(config(ALL, sources=shop("{unknown: lead}"))) as h:
        await pay(h)
        await h.quiet()
        await noted(h, 1)
        assert [lead.lead_uid for lead in h.leads()] == ["payment:p-1"]
        assert len(h.amocrm.deals) == 1


@virtual
async def test_the_deal_moves_to_the_stage_of_the_state_and_a_late_state_moves_it_not_back() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        names = sorted(
            {
                one.name
                for line in (await h.lives["one"].hub.connections["amo"].target.metadata()).pipelines
                for one in line.stages
                if not one.closed
            }
        )  # type: ignore[union-attr]  # it runs
    paid, back = names[0], names[1]
    rules = json.dumps({"stages": [{"on": "succeeded", "stage": paid}, {"on": "refunded", "stage": back}]})
    async with hub(config(ALL, sources=shop(rules))) as h:
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await h.quiet()
        target = h.lives["one"].hub.connections["amo"].target  # type: ignore[union-attr]  # it runs
        metadata = await target.metadata()
        ids = {stage.name: stage.id for line in metadata.pipelines for stage in line.stages}

        def stage() -> str:
            return str(next(iter(h.amocrm.deals.values()))["status_id"])

        await pay(h)
        await h.until(lambda: stage() == ids[paid], 60.0)
        await pay(h, "refund.succeeded", id="r-1", payment_id="p-1")
        await h.until(lambda: stage() == ids[back], 60.0)
        await pay(h, "payment.waiting_for_capture")
        await h.wait(30.0)
        assert stage() == ids[back]
        assert len(payment_notes(h)) == 2


@virtual
async def test_a_stage_that_does_not_exist_costs_no_note_and_stays_owed() -> None:
    async with hub(config(ALL, sources=shop("{stages: [{on: succeeded, stage: Нигде}]}"))) as h:
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await h.quiet()
        await pay(h)
        await h.until(lambda: any(row.state == "dead" for row in h.rows(t_note_duty)), 120.0)
        assert 'there is no stage "Нигде"' in h.rows(t_note_duty)[0].last_error
        assert len(payment_notes(h)) == 1
        await h.until(lambda: "note_failed" in h.open_incidents(), 60.0)
        built = h.lives["one"].hub
        assert built is not None
        # What `leadhub conversations retry payment:shop:p-1` does; the note is found, the stage is still wrong.
        assert await note_now(built.db, built.gathering, "payment:shop:p-1", actor="test", clock=h.clock)
        await h.until(lambda: [row.state for row in h.rows(t_note_duty)] == ["dead"], 120.0)
        assert len(payment_notes(h)) == 1
        assert await let_be(built.db, "payment:shop:p-1", actor="test", why="позже", clock=h.clock) == 1
        await h.until(lambda: "note_failed" not in h.open_incidents(), 60.0)


def test_a_stage_change_names_a_connection_that_there_is(tmp_path: Path) -> None:
    rules = "{stages: [{on: succeeded, stage: X, connection: amoo}]}"
    with pytest.raises(ConfigError, match=r'stages\[0\]\.connection: connection "amoo" is not defined'):
        loaded(tmp_path, config(ALL, sources=shop(rules)))


@virtual
async def test_the_note_of_a_payment_survives_an_unknown_outcome_and_is_written_once() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
        await h.quiet()
        h.fault("amocrm", "reset_after", "notes", times=1)
        await pay(h)
        await noted(h, 1)
        await h.wait(120.0)
        assert len(payment_notes(h)) == 1
        assert [row.state for row in h.rows(t_note_duty)] == ["written"]


@virtual
async def test_an_order_names_the_very_lead() -> None:
    async with hub(config(ALL, sources=shop())) as h:
        first = await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67", "lead_uid": "72"})
        await h.quiet()
        await h.post("site", {"name": "Анна", "phone": "8 916 000-00-02"})
        await h.quiet()
        await pay(h, metadata={"order_id": "72", "phone": "+79160000002"})
        await noted(h, 1)
        (duty,) = h.rows(t_note_duty)
        assert duty.lead_id == first


@virtual
async def test_what_was_found_out_about_a_call_is_a_note_on_the_deal_of_the_call() -> None:
    async with hub(config(ALL, sources=f"{MANGO}, asr: {{type: call_insight}}")) as h:
        call_id = ""
        told = {"text": "Клиент просит счёт", "tags": ["счёт", "жалоба"], "score": 4.5, "source": "Речь"}
        for name in samples("mango", "in-answered"):
            await replay(h, "mango", name)
        await h.quiet()
        from store.tables import t_call

        call_id = h.rows(t_call)[0].key
        for _ in range(2):
            answer = await h.request("POST", "/in/asr", json={"call_id": call_id, **told})
            assert answer.status_code == 200
        await h.request("POST", "/in/asr", json={"call_id": "unknown", **told})
        await h.until(lambda: any("Разбор звонка: Речь" in note for note in h.notes("amo")), 120.0)
        (note,) = [note for note in h.notes("amo") if "Разбор звонка" in note]
        assert note.startswith("Разбор звонка: Речь\nОценка: 4,5\nТеги: счёт, жалоба\nКлиент просит счёт")
        assert [(row.kind, row.state) for row in h.rows(t_errand)] == [("call_insight", "ready")]
        (deal,) = h.crm("amo").deals.values()
        await h.until(lambda: {"счёт", "жалоба"} <= {tag["name"] for tag in deal["_embedded"]["tags"]}, 10.0)


# --- the words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "ru", "en"),
    [
        ("12000", "RUB", "12\u00a0000\u00a0₽", "RUB12,000"),
        ("12000.50", "USD", "12\u00a0000,50\u00a0$", "$12,000.50"),
        ("990", "", "990", "990"),
        ("5", "XYZ", "5\u00a0XYZ", "XYZ5"),
    ],
)
def test_amounts_are_written_as_people_write_them(amount: str, currency: str, ru: str, en: str) -> None:
    from decimal import Decimal

    assert money_text(Decimal(amount), currency, "ru") == ru
    assert money_text(Decimal(amount), currency, "en") == en


def test_a_payment_without_an_amount_is_told_all_the_same() -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
    note = payment_note(ParsedPayment("p", "e", "succeeded", order_id="42"), "Stripe", at, "en", UTC)
    assert note == "Payment received\nOrder: 42\nStripe, 24 Nov 2026 11:02"
