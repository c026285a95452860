"""The door for leads, as senders meet it: what is taken, what is refused, and what is kept meanwhile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.pace import NORMAL
from store.refused_tables import t_refused_request
from store.tables import t_audit_entry, t_raw_request
from tests.support.databases import new_postgres
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

IVAN = {"name": "Иван Петров", "phone": "8 (916) 123-45-67", "comment": "Нужны 3 окна"}


async def sent(h: VirtualHub, **kwargs: Any) -> httpx.Response:
    return await h.request("POST", "/in/site", **kwargs)


# --- what is understood ---------------------------------------------------------------------------------------


@virtual
async def test_json_form_and_multipart_say_the_same() -> None:
    async with hub() as h:
        forms: list[dict[str, Any]] = [
            {"json": {**IVAN, "lead_uid": "1"}},
            {"data": {**IVAN, "lead_uid": "2"}},
            {"data": {**IVAN, "lead_uid": "3"}, "files": {"plan": ("plan.pdf", b"%PDF", "application/pdf")}},
        ]
        for form in forms:
            answer = await sent(h, **form)
            assert answer.status_code == 202
            assert answer.json()["status"] == "accepted"
            await h.wait(0.01)
        for lead in h.leads():
            assert (lead.name, lead.phones, lead.data["comment"]) == ("Иван Петров", ("+79161234567",), "Нужны 3 окна")
        assert h.leads()[2].data["extra"] == {"plan (file)": "plan.pdf (4 bytes)"}
        await h.quiet()
        assert len(h.amocrm.contacts) == 1


@virtual
async def test_a_form_in_windows_1251_is_read_and_flagged() -> None:
    async with hub() as h:
        body = "name=Иван&phone=+79161234567&comment=Окна".encode("cp1251").replace(b"+", b"%2B")
        answer = await sent(h, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
        lead = h.lead(answer.json()["lead_id"])
        assert (lead.name, lead.data["comment"], lead.flags) == ("Иван", "Окна", ("charset_guessed",))


@virtual
async def test_the_request_is_kept_as_it_came() -> None:
    async with hub() as h:
        body = b'{"name": "Ivan",  "phone": "89161234567"}'
        headers = {"content-type": "application/json", "user-agent": "a site", "cookie": "session=secret"}
        answer = await sent(h, content=body, headers=headers, ip="203.0.113.9")
        (raw,) = h.rows(t_raw_request, lead_id=answer.json()["lead_id"])
        assert raw.body == body
        assert raw.remote_ip == "203.0.113.9"
        assert raw.headers == {"content-type": "application/json", "user-agent": "a site"}


# --- the same lead again ----------------------------------------------------------------------------------------


@virtual
async def test_a_repeated_lead_uid_answers_the_first_id_however_late() -> None:
    async with hub() as h:
        first = await h.post("site", {**IVAN, "lead_uid": "order-1"})
        h.jump(3 * 86_400.0)
        for _ in range(2):
            again = await sent(h, json={**IVAN, "comment": "edited", "size": "XL", "lead_uid": "order-1"})
            assert again.json() == {"lead_id": first, "status": "duplicate"}
        await sent(h, json={**IVAN, "lead_uid": "order-1"})
        await h.quiet()
        assert h.lead(first).duplicates == 3
        (kept,) = h.rows(t_audit_entry, subject=first)  # what differs, once; the lead itself stays as it was
        assert (kept.action, kept.data) == ("lead.sent_again", {"comment": "edited", "extra.size": "XL"})
        assert len(h.amocrm.deals) == 1


@virtual
async def test_a_repeated_idempotency_key_answers_the_first_id() -> None:
    async with hub() as h:
        first = (await sent(h, json=IVAN, headers={"idempotency-key": "k-1"})).json()["lead_id"]
        again = await sent(h, json={**IVAN, "comment": "x"}, headers={"idempotency-key": "k-1"})
        other = await sent(h, json=IVAN, headers={"idempotency-key": "k-2"})
        assert again.json() == {"lead_id": first, "status": "duplicate"}
        assert other.json()["status"] == "accepted"


@virtual
async def test_the_same_lead_uid_at_another_source_is_another_lead() -> None:
    async with hub(config("  - {from: ['*'], to: [amo]}", sources="site: {type: webform}, shop: {type: webform}")) as h:
        first = await h.post("site", {**IVAN, "lead_uid": "1"})
        assert await h.post("shop", {**IVAN, "lead_uid": "1"}) != first


@virtual
async def test_equal_content_is_a_repeat_inside_the_window_and_a_lead_after_it() -> None:
    async with hub() as h:
        first = await h.post("site", IVAN)
        await h.wait(59.0)
        inside = await sent(h, json=IVAN)
        await h.wait(2.0)
        after = await sent(h, json=IVAN)
        assert inside.json() == {"lead_id": first, "status": "duplicate"}
        assert after.json()["status"] == "accepted"


@virtual
async def test_without_a_window_each_request_is_a_lead() -> None:
    async with hub(config(sources="site: {type: webform, dedup_window: 0s}")) as h:
        first = await h.post("site", IVAN)
        await h.wait(0.01)
        assert await h.post("site", IVAN) != first


# --- leads that are doubtful -------------------------------------------------------------------------------------


@virtual
async def test_a_lead_without_any_contact_is_kept_flagged_and_delivered() -> None:
    async with hub() as h:
        lead_id = await h.post("site", {"name": "Иван", "comment": "перезвоните"})
        await h.quiet()
        assert h.lead(lead_id).flags == ("no_contact",)
        assert h.delivery(lead_id).state == "delivered"
        assert "нет ни телефона, ни почты" in h.notes("amo")[0]


@virtual
async def test_what_the_honeypot_caught_is_held_told_of_and_sent_when_a_person_releases_it() -> None:
    async with hub() as h:
        lead_id = await h.post("site", {**IVAN, "leadhub_hp": "http://spam.test"})
        await h.wait(30.0)
        assert h.lead(lead_id).flags == ("spam_honeypot",)
        assert h.delivery(lead_id).state == "held"
        assert h.lead(lead_id).status == "pending"
        assert not h.amocrm.deals
        assert h.told() == [
            "🟡 1 заявка похожа на спам и отложена\nС 11:00\nПросмотрите и отправьте настоящие: leadhub leads list"
        ]
        await h.retry(lead_id)
        await h.quiet()
        assert len(h.amocrm.deals) == 1
        await h.wait(30.0)
        assert h.told()[0].startswith("🟢 Отложенные заявки просмотрены")


@virtual
async def test_a_held_lead_that_a_person_discards_never_goes_out() -> None:
    async with hub() as h:
        lead_id = await h.post("site", {**IVAN, "leadhub_hp": "x"})
        await h.discard(lead_id, "spam")
        await h.wait(60.0)
        assert (h.lead(lead_id).status, h.lead(lead_id).status_why) == ("discarded", "spam")
        assert not h.amocrm.deals
        assert h.open_incidents() == set()


@virtual
async def test_a_held_lead_does_not_stop_the_person_s_real_one() -> None:
    async with hub() as h:
        held = await h.post("site", {**IVAN, "leadhub_hp": "x"})
        real = await h.post("site", IVAN)
        await h.until(lambda: h.delivery(real).state == "delivered", 5.0)
        assert h.delivery(held).state == "held"


@virtual
async def test_leads_over_the_rate_of_one_address_are_kept_and_held() -> None:
    async with hub(config(sources="site: {type: webform, rate_limit: 3/m}")) as h:
        ids = [await h.post("site", {**IVAN, "lead_uid": str(number)}, ip="198.51.100.1") for number in range(5)]
        other = await h.post("site", {**IVAN, "lead_uid": "x"}, ip="198.51.100.2")
        assert [h.lead(lead_id).flags for lead_id in ids] == [(), (), (), ("spam_rate",), ("spam_rate",)]
        assert [h.delivery(lead_id).state for lead_id in ids[3:]] == ["held", "held"]
        assert h.lead(other).flags == ()
        await h.wait(61.0)
        later = await h.post("site", {**IVAN, "lead_uid": "later"}, ip="198.51.100.1")
        assert h.lead(later).flags == ()


@virtual
async def test_the_sender_s_address_is_taken_from_a_proxy_only_when_that_is_trusted() -> None:
    trusting = config(hub="trusted_proxies: [10.0.0.0/8], ")
    forwarded = {"x-forwarded-for": "192.0.2.66, 198.51.100.1, 10.0.0.5"}
    for text, peer, expected in (
        (trusting, "10.0.0.9", "198.51.100.1"),
        (trusting, "203.0.113.7", "203.0.113.7"),
        (config(), "10.0.0.9", "10.0.0.9"),
        (config(), "127.0.0.1", "10.0.0.5"),
        (config(hub="trusted_proxies: [], "), "127.0.0.1", "127.0.0.1"),
    ):
        async with hub(text) as h:
            lead_id = await h.post("site", IVAN, ip=peer, headers=forwarded)
            assert h.rows(t_raw_request, lead_id=lead_id)[0].remote_ip == expected


# --- what is refused ---------------------------------------------------------------------------------------------


@virtual
async def test_an_unknown_source_is_404() -> None:
    async with hub() as h:
        answer = await h.request("POST", "/in/nowhere", json=IVAN)
        assert (answer.status_code, answer.json()) == (404, {"error": "unknown source"})


@virtual
async def test_a_body_over_the_limit_is_read_to_its_end_and_413_whether_its_length_is_told_or_not() -> None:
    taken: list[int] = []

    async def in_pieces() -> Any:
        for number in range(9):
            yield b"x" * 500
            taken.append(number)

    async with hub(config(hub="max_body: 1000, ")) as h:
        told = await sent(h, content=b"x" * 1001, headers={"content-type": "text/plain"})
        untold = await sent(h, content=in_pieces(), headers={"content-type": "text/plain"})
        assert "content-length" not in untold.request.headers
        assert (told.status_code, untold.status_code) == (413, 413)
        assert len(taken) == 9
        assert told.json() == {"error": "the request is larger than 1000 bytes"}
        assert h.leads() == []


@virtual
async def test_a_body_whose_last_piece_goes_over_the_limit_is_answered_at_once() -> None:
    async def in_one_piece() -> Any:
        yield b"x" * 1001

    async with hub(config(hub="max_body: 1000, ")) as h:
        begun = h.clock.now()
        answer = await sent(h, content=in_one_piece(), headers={"content-type": "text/plain"})
        assert answer.status_code == 413
        assert (h.clock.now() - begun).total_seconds() < 1


@virtual
async def test_a_wrong_key_is_401_and_what_came_is_kept_for_a_week_without_secrets() -> None:
    tidy = replace(NORMAL, tidy_s=5.0)
    async with hub(config(sources="site: {type: webform, key: the-key-of-the-site}"), pace=tidy) as h:
        refused = await h.request("POST", "/in/site?key=wrong-secret", json=IVAN, headers={"cookie": "secret=1"})
        assert (refused.status_code, refused.json()) == (401, {"error": "the key is wrong or missing"})
        (row,) = h.rows(t_refused_request)
        assert (row.status, row.source, row.remote_ip) == (401, "site", "203.0.113.7")
        assert "Иван Петров" in row.look
        assert "wrong-secret" not in f"{row}"
        assert h.leads() == []
        for right in (
            {"headers": {"x-leadhub-key": "the-key-of-the-site"}},
            {"params": {"key": "the-key-of-the-site"}},
        ):
            assert (await sent(h, json=IVAN, **right)).status_code == 202  # type: ignore[arg-type]  # what httpx takes
        h.jump(8 * 86_400.0)
        await h.wait(6.0)
        assert h.rows(t_refused_request) == []


@virtual
async def test_a_request_that_cannot_be_read_is_400_and_kept() -> None:
    async with hub() as h:
        answer = await sent(h, content=b"", headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert [row.status for row in h.rows(t_refused_request)] == [400]


# --- browsers ------------------------------------------------------------------------------------------------------


@virtual
async def test_a_browser_may_ask_before_it_sends_and_errors_can_be_read_too() -> None:
    shop = "https://shop.example"
    async with hub(config(sources=f"site: {{type: webform, cors_origins: ['{shop}'], key: the-key-of-the-site}}")) as h:
        asked = {"origin": shop, "access-control-request-method": "POST"}
        before = await h.request("OPTIONS", "/in/site", headers=asked)
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == shop
        assert "Idempotency-Key" in before.headers["access-control-allow-headers"]
        refused = await sent(h, json=IVAN, headers={"origin": shop})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, shop)
        too_large = await sent(h, content=b"x" * 1_000_001, headers={"origin": shop})
        assert (too_large.status_code, too_large.headers["access-control-allow-origin"]) == (413, shop)
        stranger = await h.request("OPTIONS", "/in/site", headers={**asked, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


@virtual
async def test_a_plain_form_is_sent_on_only_to_hosts_that_the_settings_name() -> None:
    settings = "site: {type: webform, redirect: 'https://shop.example/thanks', redirect_hosts: [www.shop.example]}"
    browser = {"sec-fetch-mode": "navigate", "accept": "text/html", "referer": "https://shop.example/form"}
    async with hub(config(sources=settings)) as h:
        for number, (wanted, location) in enumerate(
            [
                ("", "https://shop.example/thanks"),
                ("https://www.shop.example/ok", "https://www.shop.example/ok"),
                ("/ok", "https://shop.example/ok"),
                ("https://evil.example/", "https://shop.example/thanks"),
                ("//evil.example", "https://shop.example/thanks"),
                ("javascript:alert(1)", "https://shop.example/thanks"),
            ]
        ):
            form = {**IVAN, "lead_uid": str(number), **({"_redirect": wanted} if wanted else {})}
            answer = await sent(h, data=form, headers=browser)
            assert (answer.status_code, answer.headers["location"]) == (303, location), wanted
        assert len(h.leads()) == 6
        script = await sent(h, data=IVAN, headers={"accept": "application/json"})
        assert script.status_code == 202


# --- the database is away ---------------------------------------------------------------------------------------


@virtual
async def test_while_the_database_is_away_leads_are_taken_into_the_spool_and_come_in_oldest_first() -> None:
    async with hub() as h:
        await h.post("site", {**IVAN, "lead_uid": "before"})
        await h.quiet()
        h.world.database_down = True
        answered = []
        for number in range(5):
            guest = {"name": f"Гость {number}", "phone": f"+7916000000{number}", "lead_uid": f"u{number}"}
            answered.append(await h.post("site", guest))
            await h.wait(0.01)
        ready = await h.request("GET", "/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"ready": False, "database": False, "spool_records": 5}
        numbers = await h.request("GET", "/metrics")
        assert numbers.status_code == 200
        assert "\nleadhub_spool_records 5.0\n" in numbers.text
        assert "\nleadhub_database_up 0.0\n" in numbers.text
        assert len(h.leads()) == 1
        await h.wait(30.0)
        assert h.told()[0].startswith("🔴 База данных не пишется, лиды идут в запасной файл\nС 11:00 · в файле 5 лидов")
        h.world.database_down = False
        await h.until(lambda: len(h.leads()) == 6, 5.0)
        assert [lead.id for lead in h.leads()[1:]] == answered
        assert all(lead.spooled for lead in h.leads()[1:])
        await h.quiet()
        assert set(h.keys("amo")[1:]) == set(answered)
        ready = await h.request("GET", "/readyz")
        assert ready.json() == {"ready": True, "database": True, "spool_records": 0}
        await h.wait(60.0)
        assert any(text.startswith("🟢 База данных снова пишется") for text in h.told())


@virtual
async def test_a_repeat_that_came_while_the_database_was_away_is_recognised() -> None:
    async with hub() as h:
        known = await h.post("site", {**IVAN, "lead_uid": "known"})
        await h.quiet()
        h.world.database_down = True
        await h.post("site", {**IVAN, "lead_uid": "known"})
        await h.wait(0.01)
        new = await h.post("site", {**IVAN, "lead_uid": "new"})
        for comment in (IVAN["comment"], "edited"):
            again = await sent(h, json={**IVAN, "comment": comment, "lead_uid": "new"})
            assert again.json() == {"lead_id": new, "status": "duplicate"}
        h.world.database_down = False
        await h.until(lambda: len(h.leads()) == 2, 5.0)
        await h.quiet()
        assert [lead.id for lead in h.leads()] == [known, new]
        assert len(h.amocrm.deals) == 1  # the second joined the first as a note
        assert h.lead(known).duplicates == 1
        assert [row.data for row in h.rows(t_audit_entry, subject=new)] == [{"comment": "edited"}]


@virtual
async def test_what_a_killed_hub_left_in_the_spool_is_taken_in_by_the_next() -> None:
    async with hub() as h:
        h.world.database_down = True
        lead_id = await h.post("site", IVAN)
        await h.kill()
        h.world.database_down = False
        await h.start()
        await h.until(lambda: h.leads(), 5.0)
        assert [lead.id for lead in h.leads()] == [lead_id]


@virtual
async def test_503_only_when_neither_database_nor_spool_can_be_written() -> None:
    async with hub() as h:
        h.world.database_down = True
        h.break_spool()
        answer = await sent(h, json=IVAN, headers={"origin": "https://shop.example"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        h.world.database_down = False
        await h.wait(2.0)
        assert (await sent(h, json=IVAN)).status_code == 202


# --- no route -----------------------------------------------------------------------------------------------------


@virtual
async def test_a_lead_that_no_route_takes_is_shown_told_of_and_goes_out_once_there_is_one() -> None:
    lost = config("  - {from: [site], when: \"lead.utm_source == 'yandex'\", to: [amo]}")
    async with hub(lost) as h:
        lead_id = await h.post("site", IVAN)
        assert (h.lead(lead_id).status, h.lead(lead_id).status_why) == ("failed", "no route matches")
        await h.wait(30.0)
        assert h.told()[0].startswith("🔴 Есть лиды, для которых нет маршрута\nС 11:00 · 1 лид принят и сохранён")
        assert (await h.retry(lead_id)).refused == {lead_id: "unrouted"}
        await h.restart(config())
        await h.retry(lead_id)
        await h.quiet()
        assert h.keys("amo") == [lead_id]
        assert h.lead(lead_id).status == "delivered"
        await h.wait(60.0)
        assert "🟢 Лидов без маршрута больше нет" in h.told()[-1]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_both_databases_keep_leads_alike(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = new_postgres(request.getfixturevalue("postgres_server")) if kind == "postgresql" else ""

    @virtual
    async def story() -> None:
        async with hub(database=url) as h:
            first = await h.post("site", {**IVAN, "lead_uid": "1"})
            assert (await sent(h, json={**IVAN, "lead_uid": "1"})).json() == {"lead_id": first, "status": "duplicate"}
            h.world.database_down = True
            spooled = await h.post("site", {**IVAN, "lead_uid": "2"})
            h.world.database_down = False
            await h.until(lambda: len(h.leads()) == 2, 5.0)
            await h.quiet()
            assert [lead.id for lead in h.leads()] == [first, spooled]
            assert (len(h.amocrm.deals), len(h.notes("amo"))) == (1, 2)

    story()
