"""Sources in API and console: what came, what was refused, and the button that runs it again."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.alerts.words import Style
from jobs.sources.report import Refusal, SourceLine
from leads.ids import new_id
from store import inbox
from store.inbox import Pending
from store.tables import t_audit_entry
from tests.support.quiet_hub import QuietHub, form_token, quiet_hub

TOKEN = "tok-of-the-calls-1"
SOURCES = f"""
  calls: {{type: mango, title: Линия, vpbx_api_key: key-of-mango-1, vpbx_api_salt: salt-of-mango-1, url_token: {TOKEN}}}
  forms: {{type: cf7, url_token: tok-of-forms-1}}
  bare: {{type: cf7}}
  box: {{type: imap, host: mail.example.com, user: u, password: p}}
"""
IVAN = {"your-name": "Иван", "your-tel": "8 916 123-45-67"}


@pytest.fixture
async def hub(tmp_path: Path, database_url: str) -> AsyncIterator[QuietHub]:
    async with quiet_hub(tmp_path, database_url, hub="  public_url: http://127.0.0.1:9", sources=SOURCES) as quiet:
        yield quiet


async def refuse(hub: QuietHub, path: str = "/in/forms/wrong-token", **fields: str) -> None:
    async with hub.visitor("203.0.113.7") as sender:
        answer = await sender.post(path, json={**IVAN, **fields})
    assert answer.status_code == 403
    hub.clock.forward(1.0)


async def test_the_api_lists_every_source_with_what_is_wrong(hub: QuietHub) -> None:
    await hub.send("site", name="Анна", phone="8 926 765-40-21")
    await refuse(hub)
    await refuse(hub)
    async with hub.program(await hub.token()) as bi:
        found = {one["name"]: one for one in (await bi.get("/api/v1/sources")).json()["sources"]}
    assert list(found) == ["site", "landing", "nowhere", "calls", "forms", "bare", "box"]
    assert found["box"]["address"] == "", "nothing is sent here"
    calls = found["calls"]
    assert (calls["title"], calls["vendor"], calls["type"], calls["group"]) == (
        "Линия",
        "Mango Office",
        "mango",
        "telephony",
    )
    assert calls["address"] == "http://127.0.0.1:9/in/calls/***"
    assert calls["proofs"] == [
        {"kind": "signature", "setting": "vpbx_api_salt"},
        {"kind": "token", "setting": "url_token"},
    ]
    assert found["site"]["today"] == {"leads": 1, "calls": 0, "messages": 0, "payments": 0, "notices": 0}
    assert found["site"]["last_at"] is not None
    assert (found["site"]["open"], found["bare"]["open"]) == (False, True)
    forms = found["forms"]
    assert forms["only_refuses"] is True
    assert (forms["refused"]["count"], forms["refused"]["kept"]) == (2, 2)
    (reason,) = forms["refused"]["reasons"]
    assert (reason["status"], reason["trouble"], reason["count"]) == (403, "token", 2)
    assert re.match(r"2 × 403 с \d\d:\d\d: в адресе нет нашего токена", forms["hints"][0])


def test_refusals_that_mean_the_same_are_told_in_one_line() -> None:
    at = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    reasons = ((400, "the body is empty", 1), (413, "larger than 1000000 bytes", 1), (400, "the JSON has no fields", 2))
    refusals = tuple(
        Refusal(status, reason, count, at + timedelta(minutes=number), at + timedelta(minutes=number))
        for number, (status, reason, count) in enumerate(reasons)
    )
    line = SourceLine("site", "", "webform", "", "", "", (), False, None, {}, refusals)
    assert line.hints(Style("en"), at + timedelta(hours=1)) == [
        "3 × 400 since 08:00: the request cannot be read: is `type` of the source right?",
        "1 × 413 since 08:01: the request is larger than hub.max_body",
    ]


async def test_refused_requests_are_listed_and_run_again_by_the_api(hub: QuietHub) -> None:
    await refuse(hub)
    async with hub.program(await hub.token()) as bi:
        assert (await bi.get("/api/v1/sources/nobody/refused")).status_code == 404
        assert (await bi.post("/api/v1/sources/nobody/rerun")).status_code == 404
        (one,) = (await bi.get("/api/v1/sources/forms/refused")).json()["requests"]
        assert (one["status"], one["kept"], one["remote_ip"]) == (403, True, "203.0.113.7")
        assert "8916***4567" in one["look"]
        (again,) = (await bi.post("/api/v1/sources/forms/rerun", json={"ids": [one["id"]]})).json()["requests"]
        assert (again["outcome"], again["reason"]) == ("refused", "the token in the address is wrong or missing")
        assert (await bi.post("/api/v1/sources/forms/rerun", json={"since": "tomorrow"})).status_code == 422


async def test_the_page_lets_go_of_what_cannot_be_worked_on_for_a_reason(hub: QuietHub) -> None:
    one = Pending(1, new_id(hub.clock), "calls", hub.clock.now(), b"broken")
    await hub.write(lambda conn: inbox.add(conn, [one]))
    await hub.write(lambda conn: inbox.failed(conn, one, "ValueError", hub.clock.now()))
    async with hub.visitor() as anna:
        page = await anna.get("/sources")
        assert "ещё не обработано: ValueError, попыток: 1" in page.text
        asked = {"token": form_token(page), "id": one.id}
        answer = await anna.post("/sources/calls/discard", data=asked, follow_redirects=True)
        assert "Напишите, почему" in answer.text
        assert one.id in answer.text
        answer = await anna.post("/sources/calls/discard", data={**asked, "why": "проба"}, follow_redirects=True)
        assert "1 запрос снят." in answer.text
        assert one.id not in answer.text


async def test_the_page_shows_sources_and_runs_them_again(hub: QuietHub) -> None:
    await refuse(hub)
    async with hub.visitor() as anna:
        page = await anna.get("/sources")
        assert page.status_code == 200
        for text in (
            "Линия",
            "Mango Office",
            "http://127.0.0.1:9/in/calls/***",
            "Отклонено сегодня",
            "8916***4567",
        ):
            assert text in page.text
        assert TOKEN not in page.text
        done = await anna.post("/sources/forms/rerun", data={"token": form_token(page)}, follow_redirects=True)
        assert "Впущено 0 из 1." in done.text
        gone = await anna.post("/sources/nobody/rerun", data={"token": form_token(page)}, follow_redirects=True)
        assert "Такого источника уже нет." in gone.text
        english = await anna.get("/sources?lang=en")
        assert "checks: nothing, the hub asks the vendor itself" in english.text
        assert "checks: signature, token in the address" in english.text
    actions = await hub.read(lambda conn: [row.action for row in conn.execute(t_audit_entry.select())])
    assert actions == ["source.rerun"]


async def test_a_test_from_the_page_says_what_stands_at_the_public_address(hub: QuietHub) -> None:
    """Nobody listens there: the hub itself is tried as well."""
    async with hub.visitor() as anna:
        token = form_token(await anna.get("/sources"))
        done = await anna.post("/sources/forms/test", data={"token": token}, follow_redirects=True)
        assert "http://127.0.0.1:9/in/forms" in done.text
        assert TOKEN not in done.text


async def test_changes_need_the_pages_own_token(hub: QuietHub) -> None:
    async with hub.visitor() as anna:
        for path in ("/sources/forms/rerun", "/sources/forms/test"):
            assert (await anna.post(path, data={"token": "guess"})).status_code == 403
