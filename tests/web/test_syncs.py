"""The page and the API of record sync over HTTP, on both databases: what is told, what a person decides, who did."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import Connection, select

from jobs.sync.service import lease_of
from store import leases, sync_log, sync_pairs, sync_records
from store.sync_log import Issue
from store.sync_pairs import Pair
from store.sync_tables import t_sync_request
from store.tables import t_audit_entry
from tests.support.quiet_hub import QuietHub, form_token, quiet_hub

SYNCS = """
syncs:
  contacts: {left: sales, right: service, object: contact}
  deals: {left: sales, right: service, object: deal, shadow: true}
"""
FAR = "http://sandbox"


@pytest_asyncio.fixture
async def quiet(tmp_path: Path, database_url: str) -> AsyncIterator[QuietHub]:
    async with quiet_hub(tmp_path, database_url, routes=SYNCS) as running:
        yield running


async def a_pass(quiet: QuietHub, sync: str = "contacts", **values: Any) -> None:
    now = quiet.clock.now()
    row = {
        "id": f"pass-{sync}-{values.get('state', 'done')}",
        "sync": sync,
        "kind": "full",
        "state": "done",
        "shadow": False,
        "request_id": "",
        "started_at": now - timedelta(seconds=10),
        "ended_at": now,
        "counts": {},
        "error": "",
        **values,
    }
    await quiet.write(lambda conn: sync_log.begin_pass(conn, **row))


async def an_issue(quiet: QuietHub, one: Issue, sync: str = "contacts") -> str:
    id = f"issue-{one.kind}"
    await quiet.write(lambda conn: sync_log.raise_issue(conn, sync, id, one, quiet.clock.now()))
    return id


async def a_conflict(quiet: QuietHub, right: str = "бухгалтер") -> str:
    def work(conn: Connection) -> None:
        if not sync_pairs.by_ids(conn, ["p1"]):
            sync_pairs.add(conn, [Pair("p1", "contacts", left_id="17", right_id="501")], quiet.clock.now())

    await quiet.write(work)
    data = {
        "left": "директор",
        "right": right,
        "marks": ["директор", right],
        "left_at": "2026-11-24T09:00:00+00:00",
        "left_by": "Анна Петрова",
        "right_by": "",
        "names": {"left": {"17": "Игорь Лавров"}},
    }
    return await an_issue(quiet, Issue("conflict", "p1:position", "p1", "position", ("17",), ("501",), data))


async def told(quiet: QuietHub) -> str:
    async with quiet.visitor() as browser:
        return (await browser.get("/syncs")).text


async def post(quiet: QuietHub, path: str, **fields: str) -> str:
    """A button of the page is pressed; what the next page says."""
    async with quiet.visitor() as browser:
        page = await browser.get("/syncs")
        done = await browser.post(path, data={"token": form_token(page), **fields})
        assert done.status_code == 303, done.text
        return (await browser.get(done.headers["location"])).text


async def entries(quiet: QuietHub) -> list[tuple[str, ...]]:
    found = t_audit_entry.c
    query = select(found.actor, found.action, found.subject)
    return [tuple(row) for row in await quiet.read(lambda conn: conn.execute(query).all())]


async def requests(quiet: QuietHub) -> list[Any]:
    return list(await quiet.read(lambda conn: conn.execute(select(t_sync_request)).all()))


async def test_each_sync_tells_its_lag_last_pass_what_is_owed_and_its_rate(quiet: QuietHub) -> None:
    assert "ещё не запускалась" in await told(quiet)
    await a_pass(quiet, counts={"create_right": 30, "update_left": 20})
    text = await told(quiet)
    assert "создано в Bitrix24 «service»: 30" in text
    assert "изменено в amoCRM «sales»: 20" in text
    assert "5 записей/с" in text
    assert "amoCRM «sales» ↔ Bitrix24 «service»" in text
    assert "уберите shadow: true" in text


async def test_the_menu_leads_to_syncs_only_where_there_are_any(tmp_path: Path, database_url: str) -> None:
    async with quiet_hub(tmp_path, database_url) as without, without.visitor() as browser:
        assert 'href="/syncs"' not in (await browser.get("/")).text
        assert "не настроены" in (await browser.get("/syncs")).text


async def test_a_conflict_shows_both_values_who_and_when_and_either_is_chosen_by_one_button(quiet: QuietHub) -> None:
    issue_id = await a_conflict(quiet)
    text = await told(quiet)
    assert "директор" in text
    assert "бухгалтер" in text
    assert "кем: Анна Петрова" in text
    assert "изменено 12:00" in text
    assert "В Bitrix24 «service» вместо «бухгалтер» будет записано «директор»" in text
    assert "/contacts/detail/17" in text
    assert "/crm/contact/details/501/" in text
    seen = text.split('name="seen" value="')[1].split('"')[0]
    assert "Решено" in await post(quiet, f"/syncs/issues/{issue_id}", choice="left", seen=seen)
    assert await entries(quiet) == [("local", "sync.left", issue_id)]
    pair = await quiet.read(lambda conn: sync_pairs.by_ids(conn, ["p1"])["p1"])
    assert pair.base is not None
    assert pair.base["position"].right == "бухгалтер"
    assert "Ходит" not in await told(quiet)
    again = await post(quiet, f"/syncs/issues/{issue_id}", choice="left")
    assert "это уже решено" in again


async def test_a_decision_about_values_that_changed_meanwhile_is_not_taken(quiet: QuietHub) -> None:
    issue_id = await a_conflict(quiet)
    seen = (await told(quiet)).split('name="seen" value="')[1].split('"')[0]
    await a_conflict(quiet, right="главный бухгалтер")
    assert "значения за это время изменились" in await post(
        quiet, f"/syncs/issues/{issue_id}", choice="right", seen=seen
    )
    assert await entries(quiet) == []


async def test_without_the_form_token_or_from_another_site_nothing_is_decided(quiet: QuietHub) -> None:
    issue_id = await a_conflict(quiet)
    async with quiet.visitor() as browser:
        page = await browser.get("/syncs")
        for fields, headers in (
            ({"choice": "left"}, {}),
            ({"choice": "left", "token": form_token(page)}, {"Origin": "https://evil.example"}),
        ):
            assert (await browser.post(f"/syncs/issues/{issue_id}", data=fields, headers=headers)).status_code == 403
            assert (await browser.post("/syncs/contacts/run", data=fields, headers=headers)).status_code == 403
    assert (await entries(quiet), await requests(quiet)) == ([], [])


async def test_unclear_matches_are_paired_by_their_ids_with_links_into_both_crms(quiet: QuietHub) -> None:
    def records(conn: Connection) -> None:
        from store.sync_records import t_sync_record

        for side, id in (("left", "17"), ("left", "18"), ("right", "501")):
            conn.execute(t_sync_record.insert().values(sync="contacts", side=side, record_id=id))

    await quiet.write(records)
    data = {"names": {"left": {"17": "Анна Орлова"}, "right": {"501": "Анна О."}}}
    issue_id = await an_issue(
        quiet, Issue("ambiguous", "left:17", left_ids=("17", "18"), right_ids=("501",), data=data)
    )
    text = await told(quiet)
    assert '<option value="17">17 Анна Орлова</option><option value="18">18</option>' in text
    assert text.count("/contacts/detail/1") == 2
    assert "/crm/contact/details/501/" in text
    wrong = await post(quiet, f"/syncs/issues/{issue_id}", choice="pair", left="99", right="501")
    assert "Не вышло" in wrong
    assert "Решено" in await post(quiet, f"/syncs/issues/{issue_id}", choice="pair", left="18", right="501")
    found = await quiet.read(lambda conn: sync_pairs.partners(conn, "contacts", "left", ["18"]))
    assert found["18"].right_id == "501"
    dirty = await quiet.read(lambda conn: sync_records.count_dirty(conn, "contacts"))
    assert dirty == 3


async def test_records_that_have_a_partner_are_shown_as_such_and_not_offered(quiet: QuietHub) -> None:
    data = {"taken": ["left:17", "right:501"]}
    await an_issue(quiet, Issue("ambiguous", "left:18", left_ids=("17", "18"), right_ids=("501", "502"), data=data))
    text = await told(quiet)
    assert text.count("(уже в паре)") == 2
    assert re.findall(r'<option value="(\d+)"', text) == ["18", "502"]
    await an_issue(quiet, Issue("ambiguous", "left:18", left_ids=("17", "18"), right_ids=("501",), data=data))
    assert "<option" not in await told(quiet)


async def test_a_pass_that_the_brake_holds_says_what_to_do_and_one_button_lets_it_through(quiet: QuietHub) -> None:
    await a_pass(quiet, state="braked", error="would change 12 of 12", counts={"would_update_right": 12, "due": 12})
    text = await told(quiet)
    assert "Остановлено до первой записи" in text
    assert "изменено в Bitrix24 «service»: 12" in text
    assert "leadhub sync plan contacts" in text
    assert "проход разрешён" in await post(quiet, "/syncs/contacts/run", yes="1")
    await post(quiet, "/syncs/contacts/run", yes="1")
    (asked,) = await requests(quiet)
    assert (asked.sync, asked.yes, asked.full, asked.asked_by) == ("contacts", True, True, "local")
    assert [action for _, action, _ in await entries(quiet)] == ["sync.allow"]
    text = await told(quiet)
    assert "проход вот-вот начнётся" in text
    assert 'value="1"' not in text


async def test_a_pass_whose_process_is_gone_is_told_as_stopped_and_not_as_running(quiet: QuietHub) -> None:
    await a_pass(quiet, state="running", ended_at=None, counts={"create_right": 3})
    assert "прервана" in await told(quiet)
    now = quiet.clock.now()
    await quiet.write(lambda conn: leases.take(conn, lease_of("contacts"), "another hub", now))
    assert ">идёт<" in await told(quiet)


async def test_a_stopped_pair_and_lost_records_have_their_buttons(quiet: QuietHub) -> None:
    await quiet.write(
        lambda conn: sync_pairs.add(
            conn, [Pair("p2", "contacts", state="stopped", left_id="1", right_id="2")], quiet.clock.now()
        )
    )
    loop = await an_issue(quiet, Issue("loop", "p2:city", "p2", "city", ("1",), ("2",), {"flips": 5}))
    why = "create contacts: HTTP 400: Bad Request"
    refused = await an_issue(quiet, Issue("refused", "left:3", left_ids=("3",), data={"why": why}))
    text = await told(quiet)
    assert "больше 5 раз за час" in text
    assert why in text
    await post(quiet, f"/syncs/issues/{loop}", choice="resume")
    assert (await quiet.read(lambda conn: sync_pairs.by_ids(conn, ["p2"])))["p2"].state == "paired"
    assert "Не вышло" in await post(quiet, f"/syncs/issues/{refused}", choice="left")
    await post(quiet, f"/syncs/issues/{refused}", choice="again")
    assert await quiet.read(lambda conn: sync_log.count_issues(conn, "contacts")) == {}


async def test_unknown_names_and_choices_are_answered_calmly(quiet: QuietHub) -> None:
    assert "Такой синхронизации уже нет" in await post(quiet, "/syncs/nothing/run")
    assert "Этой строки уже нет" in await post(quiet, "/syncs/issues/nothing", choice="left")
    assert "Этой строки уже нет" in await post(quiet, f"/syncs/issues/{await a_conflict(quiet)}", choice="both")


async def test_the_api_tells_the_same_and_takes_the_same_decisions(quiet: QuietHub) -> None:
    issue_id = await a_conflict(quiet)
    await a_pass(quiet, counts={"create_right": 3})
    async with quiet.program(await quiet.token()) as program:
        listed = (await program.get("/api/v1/syncs")).json()["syncs"]
        assert [one["sync"] for one in listed] == ["contacts", "deals"]
        assert (listed[0]["state"], listed[0]["issues"], listed[0]["last_pass"]["written"]) == (
            "ok",
            {"conflict": 1},
            3,
        )
        one = (await program.get("/api/v1/syncs/contacts")).json()
        assert [found["pass_id"] for found in one["passes"]] == ["pass-contacts-done"]
        assert (await program.get("/api/v1/syncs/nothing")).status_code == 404
        (issue,) = (await program.get("/api/v1/syncs/contacts/issues")).json()["issues"]
        assert (issue["kind"], issue["field"], issue["about"]["left"]) == ("conflict", "position", "директор")
        assert issue["left"][0]["url"].endswith("/contacts/detail/17")
        assert (issue["left"][0]["name"], issue["right"][0]["name"]) == ("Игорь Лавров", "")
        wrong = await program.post(f"/api/v1/syncs/issues/{issue_id}", json={"choice": "pair"})
        assert (wrong.status_code, "--left" in wrong.json()["error"]) == (409, True)
        done = await program.post(f"/api/v1/syncs/issues/{issue_id}", json={"choice": "right"})
        assert done.json() == {"id": issue_id, "sync": "contacts", "choice": "right"}
        assert (await program.post("/api/v1/syncs/issues/none", json={"choice": "right"})).status_code == 404
        asked = await program.post("/api/v1/syncs/contacts/run", json={"yes": True})
        again = await program.post("/api/v1/syncs/contacts/run", json={"yes": True})
        assert asked.json() == again.json()
        assert (await program.post("/api/v1/syncs/nothing/run")).status_code == 404
    assert await entries(quiet) == [("api:bi", "sync.right", issue_id), ("api:bi", "sync.allow", "contacts")]
