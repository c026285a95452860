"""Leads through a CRM's bad days: refusals, limits, outages, restarts; who is told, and what arrives when."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.amocrm import CONNECTOR as AMOCRM
from store.tables import t_follow_up
from tests.support.hub_on_virtual_time import CONNECTIONS, DAY, PATIENT, UNHURRIED, VirtualHub, config, hub, virtual

PHONE = "+79161234567"


def guest(number: int, **more: Any) -> dict[str, Any]:
    return {"name": f"Гость {number}", "phone": f"+7916{number:07d}", "lead_uid": f"uid-{number}", **more}


async def warm(h: VirtualHub) -> None:
    """One lead went well: the account is known."""
    await h.post("site", guest(9_999_999))
    await h.quiet()


# --- refused for good, refused for the token -------------------------------------------------------------------


@virtual
async def test_a_lead_that_is_refused_for_good_waits_for_a_person_and_later_leads_of_the_person_go_on() -> None:
    async with hub(config("  - {from: [site], to: [hs], repeat: {do: new_deal}}")) as h:
        await warm(h)
        real = h.hubspot.records.create

        def refuse(type_: str, *args: Any) -> Any:
            from connectors.sandbox.hubspot_errors import RefusedError

            if type_ == "deals":
                raise RefusedError(400, "This account may not have more deals")
            return real(type_, *args)

        h.hubspot.records.create = refuse  # type: ignore[method-assign]  # the account's own trouble
        first = await h.post("site", {"phone": PHONE, "comment": "1"})
        await h.until(lambda: h.delivery(first).state == "dead", 30.0)
        assert h.lead(first).status == "failed"
        await h.wait(6.0)
        assert h.told()[0].startswith("🔴 1 лид не дошёл: HubSpot «hs»\n")
        assert h.told()[0].endswith("Исправьте причину и повторите: leadhub leads retry --all-failed")
        h.hubspot.records.create = real  # type: ignore[method-assign]  # mended
        second = await h.post("site", {"phone": PHONE, "comment": "2"})
        await h.until(lambda: h.delivery(second).state == "delivered", 10.0)
        assert h.delivery(first).state == "dead"
        await h.retry(first)
        await h.quiet()
        assert sorted(h.keys("hs")[1:]) == sorted([first, second])
        await h.wait(60.0)
        assert "🟢 HubSpot «hs»: недошедших лидов больше нет" in h.told()[-1]


@virtual
async def test_a_portal_whose_disk_is_full_is_an_outage_and_leads_flow_when_there_is_room() -> None:
    async with hub(config("  - {from: [site], to: [b24]}"), pace=PATIENT) as h:
        await warm(h)
        h.bitrix24.crm.full = True
        ids = [await h.post("site", guest(number)) for number in range(3)]
        await h.wait(300.0)
        assert {h.delivery(lead_id).state for lead_id in ids} == {"ready"}
        assert any("disk space" in text for text in h.told())
        h.bitrix24.crm.full = False
        await h.quiet()
        assert {h.delivery(lead_id).state for lead_id in ids} == {"delivered"}


@virtual
async def test_a_refused_token_spends_no_attempts_is_told_of_and_leads_flow_as_soon_as_it_works() -> None:
    async with hub() as h:
        await warm(h)
        h.amocrm.token = "another"
        ids = [await h.post("site", guest(number)) for number in range(3)]
        await h.wait(300.0)
        assert all(h.delivery(lead_id).attempts <= 1 for lead_id in ids)
        assert h.told()[0].startswith("🔴 Токен amoCRM «amo» отозван\n")
        assert "ждут 3 лида" in h.told()[0]
        h.amocrm.token = "sandbox"
        assert await h.quiet() < 17.0
        await h.wait(20.0)
        assert any("Дошли все 3 лида" in text for text in h.told())
        assert h.open_incidents() == set()


@virtual
async def test_signing_in_again_lets_leads_flow_at_once() -> None:
    oauth = (
        "oauth: {client_id: sandbox-client, client_secret: sandbox-secret, redirect_uri: 'http://127.0.0.1:8080/oauth'}"
    )
    connections = f"connections: {{amo: {{type: amocrm, base_url: 'http://amo.test', {oauth}}}}}"
    async with hub(config(connections=connections)) as h:
        lead_id = await h.post("site", guest(1))
        await h.wait(120.0)
        assert h.delivery(lead_id).state == "ready"
        assert h.owner("amo").breaker.state == "unauthorized"
        await h.sign_in()
        assert await h.quiet() < 17.0


# --- limits -----------------------------------------------------------------------------------------------------


@virtual
async def test_being_told_to_slow_down_is_obeyed_to_the_second() -> None:
    async with hub() as h:
        await warm(h)
        h.amocrm.retry_after_s = 20
        h.fault("amocrm", "429", times=1)
        began = h.now_s
        lead_id = await h.post("site", guest(1))
        await h.quiet()
        calls = [at for at, _, _ in h.world.layers["amocrm"].requests if at >= began]
        assert calls[1] - calls[0] >= 20.0
        assert h.now_s - began < 25.0
        assert h.delivery(lead_id).attempts == 1  # no fault of the lead's


@virtual
async def test_the_vendor_s_limit_is_kept_with_a_hundred_leads_at_once() -> None:
    async with hub() as h:
        await warm(h)
        for number in range(100):
            await h.post("site", guest(number))
        await h.quiet()
        assert len(h.amocrm.deals) == 101
        times = [at for at, _, _ in h.world.layers["amocrm"].requests]

        def most_within(seconds: float) -> int:
            return max(sum(1 for at in times if start <= at < start + seconds) for start in times)

        # The way to the vendor is not equally long for all calls: an eighth may catch up with the seven before it.
        assert most_within(1.0) <= 8
        assert most_within(10.0) <= 70


# --- the breaker -------------------------------------------------------------------------------------------------


@virtual
async def test_a_crm_that_is_down_is_only_probed_and_leads_flow_within_seconds_of_its_return() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        for number in range(30):
            await h.post("site", guest(number))
        await h.until(lambda: h.owner("amo").breaker.state == "down", 60.0)
        await h.wait(60.0)
        before = len(h.world.layers["amocrm"].requests)
        await h.wait(600.0)
        assert len(h.world.layers["amocrm"].requests) - before < 60
        h.calm()
        await h.until(lambda: len(h.amocrm.deals) > 1, 17.0)
        await h.quiet()
        assert len(h.amocrm.deals) == 31


@virtual
async def test_a_crm_that_reads_but_does_not_write_is_not_stormed() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        for path in ("POST /api/v4/contacts", "POST /api/v4/leads"):
            h.fault("amocrm", "500", path)
        for number in range(100):
            await h.post("site", guest(number))
        await h.wait(120.0)
        before = len(h.world.layers["amocrm"].requests)
        await h.wait(600.0)
        assert len(h.world.layers["amocrm"].requests) - before < 600
        assert len(h.incidents("connection_down")) == 1  # one trouble, not one for each try
        h.calm()
        await h.until(lambda: len(h.amocrm.deals) > 1, 30.0)
        await h.quiet()
        assert len(h.amocrm.deals) == 101


@virtual
async def test_one_lead_that_the_crm_chokes_on_does_not_keep_the_others_waiting() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        poison = await h.post("site", guest(1))
        h.fault("amocrm", "500", "POST /api/v4/contacts")
        await h.until(lambda: h.owner("amo").breaker.down, 900.0)
        h.calm()
        await h.quiet()
        assert h.delivery(poison).state == "delivered"


# --- outages -----------------------------------------------------------------------------------------------------


@virtual
async def test_the_end_of_an_outage_says_how_long_it_was_and_how_many_arrived() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        for number in range(57):
            await h.post("site", guest(number))
        await h.wait(29 * 60.0)
        (open_text,) = h.told()
        assert open_text.startswith("🔴 amoCRM «amo» не принимает лиды\nС 11:00 · ждут 57 лидов, старший 2")
        assert "Причина: CRM отвечает 503 (их сторона)." in open_text
        h.calm()
        await h.quiet()
        await h.wait(60.0)
        assert len(h.telegram.chat_messages(-100123)) == 2
        over = h.told()[1]
        assert over.startswith(
            "🟢 amoCRM «amo» снова принимает\nНе работала 11:00–11:29. Дошли все 57 лидов, последний в "
        )
        assert over.endswith("Потерь нет.")
        assert h.telegram.chat_messages(-100123)[1].reply_to


@virtual
async def test_an_outage_that_becomes_another_or_ends_with_a_restart_is_over_as_well() -> None:
    async with hub() as h:
        await warm(h)
        h.amocrm.token = "another"
        await h.post("site", guest(1))
        await h.until(lambda: "token_refused" in h.open_incidents(), 60.0)
        h.fault("amocrm", "503")
        await h.until(lambda: "connection_down" in h.open_incidents(), 60.0)
        assert [one.recovered_at is None for one in h.incidents("token_refused")] == [False]
        await h.kill()
        h.calm()
        h.amocrm.token = "sandbox"
        await h.start()
        await h.quiet()
        await h.wait(60.0)
        assert h.open_incidents() == set()


@virtual
async def test_an_outage_longer_than_a_lead_may_wait_costs_no_lead_and_gives_none_up() -> None:
    async with hub(config(hub="max_age: 1h, "), pace=UNHURRIED) as h:
        await warm(h)
        h.fault("amocrm", "down")
        ids = []
        for number in range(36):
            ids.append(await h.post("site", guest(number)))
            await h.wait(105.0)  # 63 minutes in all
        assert {row.state for row in h.owed()} == {"ready"}
        assert h.incidents("lead_failed") == []
        h.calm()
        h.fault("amocrm", "500", "POST /api/v4/leads", times=4)  # it comes back limping
        await h.until(lambda: not h.owed(), 900.0)
        assert sorted(h.keys("amo")[1:]) == sorted(ids)
        assert {h.lead(lead_id).status for lead_id in ids} == {"delivered"}
        await h.wait(600.0)
        assert any(text.startswith("🟢 amoCRM «amo» снова принимает") and "36" in text for text in h.told())


@virtual
async def test_a_hub_that_starts_anew_in_a_long_outage_gives_no_lead_up() -> None:
    async with hub(pace=UNHURRIED) as h:
        await warm(h)
        h.fault("amocrm", "down")
        ids = [await h.post("site", guest(number)) for number in range(20)]
        await h.wait(10.0)
        await h.kill()
        await h.wait(4 * DAY)
        await h.start()
        await h.wait(3600.0)
        assert {row.state for row in h.owed()} == {"ready"}
        assert len(h.owed()) == 20
        h.calm()
        await h.until(lambda: not h.owed(), 900.0)
        assert sorted(h.keys("amo")[1:]) == sorted(ids)


@virtual
async def test_a_lead_that_alone_does_not_arrive_is_given_up_at_the_end_of_its_age_and_told_of() -> None:
    async with hub(config(hub="max_age: 1h, "), pace=PATIENT) as h:
        await warm(h)
        lead_id = await h.post("site", {"phone": PHONE})
        h.fault("amocrm", "500", "POST /api/v4/contacts")
        await h.until(lambda: h.delivery(lead_id).state == "dead", 2 * 3600.0)
        row = h.delivery(lead_id)
        assert row.error_kind == "gave_up"
        assert row.settled_at - h.lead(lead_id).received_at >= timedelta(hours=1)
        await h.wait(120.0)
        assert any(text.startswith("🔴 1 лид не дошёл: amoCRM «amo»") for text in h.told())
        h.calm()
        await h.retry(lead_id)
        await h.quiet()
        assert h.lead(lead_id).status == "delivered"


# --- who goes first ------------------------------------------------------------------------------------------------


@virtual
async def test_a_fresh_lead_goes_before_a_backlog_of_five_hundred() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        for number in range(500):
            await h.post("site", guest(number))
        await h.wait(60.0)
        h.calm()
        await h.until(lambda: len(h.amocrm.deals) > 20, 60.0)
        fresh = await h.post("site", {"phone": PHONE, "name": "Свежий"})
        took = await h.until(lambda: fresh in h.keys("amo"), 10.0)
        assert took < 3.0
        assert len(h.owed()) > 300


@virtual
async def test_bulk_work_never_delays_a_fresh_lead() -> None:
    async with hub(pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        for number in range(300):
            await h.post("site", guest(number))
        from store.outbox import BULK
        from store.tables import t_delivery

        h.write(
            lambda conn: conn.execute(t_delivery.update().where(t_delivery.c.state == "ready").values(priority=BULK))
        )
        h.calm()
        await h.until(lambda: len(h.amocrm.deals) > 20, 60.0)
        fresh = await h.post("site", {"phone": PHONE})
        assert await h.until(lambda: fresh in h.keys("amo"), 10.0) < 3.0


@virtual
async def test_a_fresh_lead_of_a_person_of_the_import_does_not_wait_for_the_import() -> None:
    from store.outbox import BULK
    from store.tables import t_delivery

    async with hub(config("  - {from: [site], to: [amo], repeat: {do: new_deal}}"), pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        ids = [await h.post("site", guest(number, lead_uid=f"a{number}")) for number in range(300)]
        await h.post("site", guest(299, lead_uid="b299"))
        h.write(lambda conn: conn.execute(t_delivery.update().values(priority=BULK)))
        h.calm()
        await h.until(lambda: len(h.amocrm.deals) > 20, 60.0)
        fresh = await h.post("site", guest(299, lead_uid="c299"))
        assert await h.until(lambda: fresh in h.keys("amo"), 60.0) < 8.0
        made = h.keys("amo")
        assert made.index(ids[299]) < made.index(fresh)
        assert len(h.owed()) > 200


# --- people are told -----------------------------------------------------------------------------------------------


@virtual
async def test_a_lead_that_is_late_is_told_of_after_a_minute_and_so_is_its_end() -> None:
    async with hub() as h:
        await warm(h)
        h.fault("amocrm", "500", "POST /api/v4/leads", times=4)
        h.fault("amocrm", "slow", "/api/v4/contacts", delay_s=24.0)
        await h.post("site", guest(1))
        await h.wait(55.0)
        assert h.told() == []
        await h.until(lambda: h.told(), 15.0)
        assert h.told()[0].startswith("🔴 1 лид ещё не дошёл: amoCRM «amo»\nСтарший ждёт 1 мин, с 11:00.")
        h.calm()
        await h.quiet()
        await h.wait(40.0)
        assert "🟢 amoCRM «amo»: опоздавшие лиды дошли" in h.told()[-1]


@virtual
async def test_a_flood_block_is_named_as_what_leads_wait_for_and_they_go_when_it_is_over() -> None:
    async with hub() as h:
        await warm(h)
        h.amocrm.blocked = True
        ids = [await h.post("site", guest(number)) for number in range(2)]
        await h.wait(70.0)
        assert {h.delivery(lead_id).last_error for lead_id in ids} == {"find contact: HTTP 403: blocked as a flood"}
        assert "Причина: CRM заблокировала запросы как слишком частые (снимает её поддержка)" in h.told()[0]
        h.amocrm.blocked = False
        assert await h.quiet() < 300.0
        assert set(ids) <= set(h.keys("amo"))


@virtual
async def test_a_lead_whose_deal_is_there_is_not_late_while_its_note_is_looked_for() -> None:
    async with hub(config("  - {from: [site], to: [b24]}")) as h:
        await warm(h)
        h.fault("bitrix24", "500", "crm.timeline.comment.add", times=1)
        lead_id = await h.post("site", guest(1))
        await h.wait(62.0)
        assert lead_id in h.keys("b24")
        assert h.delivery(lead_id).state == "ready"
        await h.quiet()
        await h.wait(10.0)
        assert h.told() == []
        row = h.delivery(lead_id)
        assert (row.arrived_at - row.created_at).total_seconds() < 5.0


@virtual
async def test_a_lead_that_waits_for_too_long_is_told_to_sales_once_and_still_owed() -> None:
    text = config("  - {from: [site], to: [amo, hs]}", hub="fallback: {after: 10m, to: [ops]}, ")
    async with hub(text, pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "503")
        h.fault("hubspot", "503")
        lead_id = await h.post("site", {"name": "Иван", "phone": PHONE, "comment": "Нужны окна"})
        await h.wait(9 * 60.0)
        assert not any("позвоните сами" in text for text in h.told())
        await h.wait(3 * 60.0)
        told = [text for text in h.told() if "позвоните сами" in text]
        assert len(told) == 1
        assert "Иван" in told[0]
        assert "+7 916 123-45-67" in told[0]
        assert "Нужны окна" in told[0]
        await h.wait(600.0)
        assert len([text for text in h.told() if "позвоните сами" in text]) == 1
        assert {row.state for row in h.deliveries(lead_id=lead_id)} == {"ready"}
        h.calm()
        await h.quiet()
        assert lead_id in h.keys("amo")
        assert lead_id in h.keys("hs")


@virtual
async def test_a_restart_with_leads_owed_is_told_of_and_over_when_they_have_arrived() -> None:
    async with hub() as h:
        await warm(h)
        h.fault("amocrm", "hang", delay_s=20.0)
        for number in range(3):
            await h.post("site", guest(number))
        await h.wait(1.0)
        await h.kill()
        await h.wait(300.0)
        await h.start()
        await h.wait(15.0)
        assert h.told()[0].startswith("🟡 leadhub перезапущен, в пути 3 лида\nНе работал 11:00–11:05.")
        h.calm()
        await h.quiet()
        await h.wait(30.0)
        assert h.told()[0].startswith("🟢 leadhub перезапущен, все лиды дошли")
        assert len(h.amocrm.deals) == 4


@virtual
async def test_what_was_said_to_be_sent_together_waits_together_after_a_kill() -> None:
    async with hub() as h:
        await warm(h)
        h.fault("amocrm", "hang", match="POST /api/v4/contacts", delay_s=60.0)
        lead = await h.post("site", guest(1))
        await h.until(lambda: "contact" in h.delivery(lead).progress, 5.0)
        assert {"contact", "deal"} <= h.delivery(lead).progress.keys()
        assert "task" not in h.delivery(lead).progress
        await h.kill()
        h.calm()
        await h.wait(60.0)
        await h.start()
        assert await h.until(lambda: h.delivery(lead).state == "delivered", 120.0) < 45.0  # amoCRM's recipe: 35 s
        assert len(h.amocrm.contacts) == len(h.amocrm.deals) == 2


@virtual
async def test_a_double_that_shows_later_is_told_of_until_a_person_removes_one() -> None:
    capabilities = AMOCRM.capabilities(AMOCRM.settings(base_url="http://amo.test", access_token="x"))
    assert capabilities.recheck_s, "amoCRM's recipe looks once more after a repeated write"
    async with hub(pace=PATIENT) as h:
        await warm(h)
        h.fault("amocrm", "504_late", "POST /api/v4/leads", times=1, delay_s=1500.0)
        lead_id = await h.post("site", guest(1))
        await h.quiet(3600.0)
        assert h.delivery(lead_id).state == "delivered"
        if not h.rows(t_follow_up, kind="recheck"):
            pytest.skip("nothing was sent twice")
        await h.until(lambda: h.keys("amo").count(lead_id) == 2, 1600.0)
        await h.until(lambda: "lead_doubled" in h.open_incidents(), 2 * 3600.0)
        await h.wait(70.0)
        one, two = [record for record, key in zip(h.deal_ids("amo"), h.keys("amo"), strict=True) if key == lead_id]
        text = next(text for text in h.told() if "записан дважды" in text)
        assert text.startswith("🟡 amoCRM «amo»: 1 лид записан дважды\n")
        assert f"Записи: {one}, {two}" in text
        h.amocrm.delete_deal(two)
        await h.until(lambda: "lead_doubled" not in h.open_incidents(), 2 * 3600.0)
        await h.wait(70.0)
        assert any(text.startswith("🟢 amoCRM «amo»: двойных записей больше нет") for text in h.told())


@pytest.mark.parametrize(("fault", "kind"), [("down", "connection_down"), ("401", "token_refused")])
@virtual
async def test_what_a_process_told_of_a_connection_is_taken_back_by_the_next_one_though_no_lead_comes(
    fault: Any, kind: str
) -> None:
    async with hub(config("  - {from: [site], to: [hs]}")) as h:
        await warm(h)
        h.fault("hubspot", fault)
        lead_id = await h.post("site", guest(1))
        await h.until(lambda: kind in h.open_incidents(), 120.0)
        await h.discard(lead_id)
        await h.restart()
        await h.wait(60.0)
        assert kind in h.open_incidents()
        await h.kill()
        h.calm()
        await h.start()
        await h.until(lambda: kind not in h.open_incidents(), 300.0)
        assert h.owner("hs").breaker.state == "ok"
        await h.post("site", guest(2))
        await h.quiet(10.0)


@virtual
async def test_leads_owed_to_a_connection_that_is_taken_out_of_the_configuration_are_told_of() -> None:
    """It was renamed, or removed with leads waiting: nobody delivers them, whatever was told before."""
    both = "  - {from: [site], to: [hs]}"
    async with hub(config(both)) as h:
        await warm(h)
        h.fault("hubspot", "down")
        lead_id = await h.post("site", guest(1))
        await h.until(lambda: "connection_down" in h.open_incidents(), 120.0)
        await h.wait(60.0)
        h.calm()
        kept = [line for line in CONNECTIONS.splitlines() if not line.strip().startswith("hs:")]
        await h.restart(config("  - {from: [site], to: [amo]}", connections="\n".join(kept)))
        await h.until(lambda: "connection_missing" in h.open_incidents(), 60.0)
        await h.until(lambda: "connection_down" not in h.open_incidents(), 60.0)
        await h.wait(70.0)
        told = "\n".join(h.told())
        assert "🔴 Лиды ждут «hs», но этого подключения больше нет в config.yaml" in told
        assert "🟢 HubSpot «hs» больше нет в config.yaml" in told
        assert "снова принимает" not in told
        assert h.lead(lead_id).status == "pending"

        await h.restart(config(both))
        await h.quiet()
        assert lead_id in h.keys("hs")
        await h.until(lambda: "connection_missing" not in h.open_incidents(), 60.0)
