"""`leadhub leads`: list, show, retry, discard."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.cli.hubless import CONFIG, accept, folder_with_database
from tests.cli.inside import inside
from tests.support.running_hub import RunningHub, running_hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_with_database(tmp_path)


def listed(folder: Path, *more: str) -> list[dict[str, Any]]:
    ran = inside("leads", "list", "--json", *more, folder=folder)
    assert ran.status == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def shown(folder: Path, lead_id: str) -> dict[str, Any]:
    ran = inside("leads", "show", lead_id, "--json", folder=folder)
    assert ran.status == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def is_now(lead_id: str, status: str) -> Callable[[Connection], bool]:
    return lambda conn: conn.exec_driver_sql("SELECT status FROM lead WHERE id = ?", (lead_id,)).scalar() == status


def test_a_delivered_lead_is_listed_and_shown_with_everything(hub: RunningHub) -> None:
    fields = {"name": "Иван Петров", "phone": "8 (916) 123-45-67", "comment": "Три окна", "utm_source": "Yandex"}
    lead_id = hub.send(**fields, lead_uid="form-1")
    hub.wait_for(is_now(lead_id, "delivered"))
    lead = next(one for one in listed(hub.folder) if one["id"] == lead_id)
    promised = {
        *("id", "source", "received_at", "lead_uid", "name", "phones", "emails", "utm", "first_touch", "last_touch"),
        *("person_id", "flags", "status", "deliveries"),
    }
    assert promised <= set(lead)
    assert (lead["lead_uid"], lead["phones"], lead["status"]) == ("form-1", ["+79161234567"], "delivered")
    assert lead["utm"] == {"utm_source": "yandex"}
    assert lead["first_touch"]["utm"] == lead["last_touch"]["utm"] == lead["utm"]
    [delivery] = lead["deliveries"]
    assert (delivery["connection"], delivery["state"], delivery["attempts"]) == ("sales", "delivered", 1)
    assert delivery["record_id"] in {str(one) for one in hub.sandbox.layers["amocrm"].vendor.deals}  # type: ignore[attr-defined]
    assert delivery["contact_id"]
    story = shown(hub.folder, lead_id)
    assert promised | {"raw", "timeline"} <= set(story)
    assert "form-1" in story["raw"]["body"]
    assert story["timeline"][0]["event"] == "received"
    attempt = next(one for one in story["timeline"] if one["event"] == "attempt")
    assert attempt["outcome"] == "created"
    assert attempt["took_ms"] > 0
    assert any(call["method"] == "POST" and call["status"] == 200 for call in attempt["calls"])


def test_the_story_as_text_tells_what_came_what_was_tried_and_where_it_is(hub: RunningHub) -> None:
    lead_id = hub.send(name="Анна", phone="+7 916 123-45-68", comment="Балкон", Budget="50 000")
    hub.wait_for(is_now(lead_id, "delivered"))
    record = shown(hub.folder, lead_id)["deliveries"][0]["record_id"]
    out = inside("leads", "show", lead_id[:23], folder=hub.folder).out
    for part in ("Анна   дошёл", "+79161234568", "Балкон", "50 000", f"amoCRM «sales»: доставлен, сделка {record}"):
        assert part in out
    assert "попытка 1: создано" in out
    assert "POST /in/… от 127.0.0.1" in out
    assert "/api/v4/leads" in out


def test_the_filters_of_list(folder: Path) -> None:
    first = accept(folder, name="Иван Петров", phones=("+79161234567",), comment="Нужны окна", flags=("bad_email",))
    second = accept(
        folder, name="Anna Clark", phones=("+447700900123",), emails=("anna@example.com",), source="landing"
    )
    by = {
        ("--search", "петров"): [first],
        ("--search", "916 123-45-67"): [first],
        ("--search", "8 (916) 123 45 67"): [first],
        ("--search", "ОКНА"): [first],
        ("--search", "окна"): [first],
        ("--search", "anna@ex"): [second],
        ("--search", "100%"): [],
        ("--flag", "bad_email"): [first],
        ("--flag", "bad"): [],
        ("--source", "landing"): [second],
        ("--status", "pending"): [second, first],
        ("--status", "failed"): [],
        ("--status", "owed"): [second, first],
        ("--connection", "sales"): [second, first],
        ("--connection", "other"): [],
        ("--day", "2020-01-01"): [],
        ("--limit", "1"): [second],
    }
    assert {how: [one["id"] for one in listed(folder, *how)] for how in by} == by


def test_the_list_as_text_is_short_and_says_when_there_is_more(folder: Path) -> None:
    assert inside("leads", "list", folder=folder).out == "No such leads.\n"
    for number in range(3):
        accept(folder, phones=(f"+7916123456{number}",))
    out = inside("leads", "list", "--limit", "2", folder=folder).out
    assert out.count("+7916123456") == 2
    assert out.rstrip().endswith("--limit, or --search")
    assert out.count("sales: waiting") == 2
    assert "more" not in inside("leads", "list", folder=folder).out


def test_ids_may_be_shortened_while_they_are_clear(folder: Path) -> None:
    one, two = accept(folder), accept(folder, phones=("+79161234568",))
    assert shown(folder, one[:23])["id"] == one
    short = inside("leads", "show", one[:7], folder=folder)
    assert (short.status, "at least 8 characters" in short.err) == (1, True)
    common = "".join(a for a, b in zip(one, two, strict=True) if one.startswith(a) or a == b)[:8]
    if two.startswith(common):
        both = inside("leads", "show", common, folder=folder)
        assert both.status == 1
        assert one in both.err
        assert two in both.err


@pytest.mark.parametrize("command", [["show"], ["retry"], ["discard", "--why", "x"]])
def test_an_unknown_id_is_said_so(folder: Path, command: list[str]) -> None:
    ran = inside("leads", command[0], "00000000-0000", *command[1:], folder=folder)
    assert ran.status == 1
    assert "00000000-0000: no such lead" in ran.err


def test_a_lead_held_as_spam_is_released_by_retry(hub: RunningHub) -> None:
    lead_id = hub.send(name="Пётр", phone="+7 916 123-45-69", leadhub_hp="http://spam.example")
    assert listed(hub.folder, "--flag", "spam_honeypot")[0]["deliveries"][0]["state"] == "held"
    assert inside("leads", "retry", lead_id, folder=hub.folder).status == 0
    hub.wait_for(is_now(lead_id, "delivered"))
    again = inside("leads", "retry", lead_id, folder=hub.folder)
    assert (again.status, "it is delivered already" in again.err) == (0, True)
    assert "lead.retry" in [one["event"] for one in shown(hub.folder, lead_id)["timeline"]]


def test_what_failed_is_delivered_once_after_retry_however_often_it_is_pressed(hub: RunningHub) -> None:
    lead_id = hub.send(name="Мария", phone="+7 916 123-45-70")
    hub.wait_for(is_now(lead_id, "delivered"))
    failing = hub.send(name="Ольга", phone="+7 916 123-45-71", leadhub_hp="x")
    hub.write(lambda conn: _die(conn, failing))
    for _ in range(3):
        assert inside("leads", "retry", "--all-failed", folder=hub.folder).status == 0
    hub.wait_for(is_now(failing, "delivered"))
    deals = hub.sandbox.layers["amocrm"].vendor.deals  # type: ignore[attr-defined]
    assert sum("Ольга" in deal["name"] for deal in deals.values()) == 1
    assert inside("leads", "retry", "--all-failed", folder=hub.folder).out == "поставлено в очередь: 0 лидов\n"


def _die(conn: Connection, lead_id: str) -> None:
    conn.exec_driver_sql("UPDATE delivery SET state = 'dead', last_error = 'no' WHERE lead_id = ?", (lead_id,))
    conn.exec_driver_sql("UPDATE lead SET status = 'failed' WHERE id = ?", (lead_id,))


def test_an_unrouted_lead_goes_where_a_new_route_says(hub: RunningHub) -> None:
    lead_id = hub.send("nowhere", name="Павел", phone="+7 916 123-45-72")
    [lead] = listed(hub.folder, "--status", "failed")
    assert (lead["id"], lead["status_why"], lead["deliveries"]) == (lead_id, "no route matches", [])
    ran = inside("leads", "retry", lead_id, folder=hub.folder)
    assert (ran.status, "no route takes it" in ran.err) == (1, True)
    config = hub.folder / "config.yaml"
    before = config.read_text()
    config.write_text(before + "  - {from: [nowhere], to: [sales]}\n")
    try:
        assert inside("leads", "retry", lead_id, folder=hub.folder).status == 0
        hub.wait_for(is_now(lead_id, "delivered"))
        assert inside("leads", "retry", lead_id, folder=hub.folder).status == 0
        assert len(shown(hub.folder, lead_id)["deliveries"]) == 1
    finally:
        config.write_text(before)


def test_discarding_needs_a_reason_and_keeps_it(folder: Path) -> None:
    lead_id = accept(folder)
    bare = inside("leads", "discard", lead_id, folder=folder)
    assert (bare.status, "needs a reason" in bare.err) == (2, True)
    assert inside("leads", "discard", lead_id, "--why", "a test of ours", folder=folder).out == "discarded: 1 lead\n"
    lead = shown(folder, lead_id)
    assert (lead["status"], lead["status_why"]) == ("discarded", "a test of ours")
    done = lead["timeline"][-1]
    assert (done["event"], done["why"], done["actor"].startswith("cli")) == ("lead.discard", "a test of ours", True)
    assert inside("status", folder=folder).status == 0
    again = inside("leads", "discard", lead_id, "--why", "x", folder=folder)
    assert (again.status, "it is discarded already" in again.err) == (0, True)
    assert shown(folder, lead_id)["status_why"] == "a test of ours"
    retried = inside("leads", "retry", lead_id, folder=folder)
    assert (retried.status, "it was discarded" in retried.err) == (1, True)


def test_retry_does_not_guess_which_leads_are_meant(folder: Path) -> None:
    assert inside("leads", "retry", folder=folder).status == 2
    assert inside("leads", "retry", "x", "--all-failed", folder=folder).status == 2
    assert inside("leads", "list", "--status", "lost", folder=folder).status == 2


def test_names_that_look_like_markup_are_shown_as_they_are(folder: Path) -> None:
    lead_id = accept(folder, name="[bold]Иван[/bold]", comment="[link=http://x]y[/link]")
    assert "[bold]Иван[/bold]" in inside("leads", "list", folder=folder).out
    out = inside("leads", "show", lead_id, folder=folder).out
    assert "[bold]Иван[/bold]" in out
    assert "[link=http://x]y[/link]" in out


def test_every_lead_is_in_the_json_however_many_there_are(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path, CONFIG)
    ids = [accept(folder, phones=(f"+7916{number:07d}",)) for number in range(60)]
    assert sorted(one["id"] for one in listed(folder)) == sorted(ids)
