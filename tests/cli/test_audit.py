"""`leadhub audit` against sandbox CRMs in which somebody changed things."""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.hubless import accept, folder_with_database
from tests.cli.inside import inside
from tests.support.running_hub import RunningHub, running_hub


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


def audit(hub: RunningHub, *more: str) -> tuple[int, dict[str, Any]]:
    ran = inside("audit", "--json", *more, folder=hub.folder)
    return ran.status, json.loads(ran.out)


def test_what_a_person_broke_in_the_crm_is_found_with_the_lead_it_concerns(hub: RunningHub) -> None:
    names = ("gone", "double", "lonely", "orphan", "fine")
    ids = {
        name: hub.send(name=name, phone=f"+7 916 123-45-0{number}", utm_source="yandex")
        for number, name in enumerate(names)
    }
    hub.wait_until_delivered()
    assert audit(hub)[0] == 0
    deals: dict[str, dict[str, Any]] = hub.sandbox.layers["amocrm"].vendor.deals  # type: ignore[attr-defined]
    by_name = {name: next(one for one in deals.values() if name in one["name"]) for name in names}
    del deals[str(by_name["gone"]["id"])]
    twin = deepcopy(by_name["double"])
    twin["id"] = max(map(int, deals)) + 1
    deals[str(twin["id"])] = twin
    by_name["lonely"]["_embedded"]["contacts"] = []
    by_name["orphan"]["responsible_user_id"] = 0
    status, answer = audit(hub)
    assert status == 1
    assert answer["fine"] is False
    assert {(one["problem"], one["lead_id"]) for one in answer["findings"]} == {
        ("absent", ids["gone"]),
        ("doubled", ids["double"]),
        ("no_contact", ids["lonely"]),
        ("no_responsible", ids["orphan"]),
    }
    assert next(one["others"] for one in answer["findings"] if one["problem"] == "doubled") == [str(twin["id"])]
    assert (answer["absent"], answer["doubled"], answer["no_contact"], answer["checked"]) == (1, 1, 1, 5)
    ran = inside("audit", folder=hub.folder)
    assert ran.status == 1
    assert "доставлено 5   прочитано в CRM 5   4 расхождения" in ran.out
    assert "amoCRM «sales»: нет в CRM: 1 лид" in ran.out
    assert f"{ids['gone']}  сделка {by_name['gone']['id']}" in ran.out


def test_leads_of_all_three_crms_are_read_back_in_bulk(hub: RunningHub) -> None:
    for number in range(12):
        hub.send(name=f"Лид {number}", phone=f"+7 916 222-00-{number:02}", utm_medium="cpc")
        hub.send("landing", name=f"Лид {number}", phone=f"+7 916 333-00-{number:02}")
    hub.wait_until_delivered()
    before = {name: len(layer.requests) for name, layer in hub.sandbox.layers.items()}
    status, answer = audit(hub)
    assert status == 0
    assert {name: one["checked"] for name, one in answer["connections"].items()} == {
        "sales": 12,
        "marketing": 12,
        "service": 12,
    }
    for name in ("amocrm", "bitrix24", "hubspot"):
        assert len(hub.sandbox.layers[name].requests) - before[name] < 12, f"{name}: fewer calls than leads"


def test_a_crm_that_refuses_is_told_and_the_others_are_read_all_the_same(hub: RunningHub) -> None:
    hub.send(name="Иван", phone="+7 916 123-45-67", utm_medium="cpc")
    hub.wait_until_delivered()
    hub.fault("401", "hubspot")
    status, answer = audit(hub)
    assert status == 1
    assert answer["connections"]["sales"]["checked"] == 1
    assert answer["connections"]["marketing"]["checked"] == 0
    assert answer["connections"]["marketing"]["error"]
    assert "не удалось спросить, не проверено: 1 лид" in inside("audit", folder=hub.folder).out
    hub.fault("401", "amocrm")
    ran = inside("audit", folder=hub.folder)
    assert (ran.status, "no CRM could be asked" in ran.err) == (2, True)


def test_the_ledger_says_where_each_lead_is(hub: RunningHub) -> None:
    first = hub.send(name="Иван", phone="+7 916 123-45-67", lead_uid="one")
    assert hub.send(name="Иван", phone="+7 916 123-45-67", lead_uid="one") == first
    hub.wait_until_delivered()
    again = hub.send(name="Иван", phone="+7 916 123-45-67", comment="ещё раз")
    hub.wait_until_delivered()
    spam = hub.send("landing", name="Бот", phone="+7 916 123-45-99", leadhub_hp="x")
    lost = hub.send("nowhere", name="Анна", phone="+7 916 123-45-68")
    gone = hub.send("landing", name="Тест", phone="+7 916 123-45-98", leadhub_hp="x")
    assert inside("leads", "discard", gone, "--why", "ours", folder=hub.folder).status == 0
    status, answer = audit(hub, "--ledger")
    assert status == 0
    site, landing, nowhere = (
        next(one for one in answer["ledger"] if one["source"] == name) for name in ("site", "landing", "nowhere")
    )
    assert (site["received"], site["repeats"]) == (2, 1)
    [created], [joined] = site["in_crm"], site["merged"]
    assert (created["lead_id"], joined["lead_id"]) == (first, again)
    assert created["record_id"] == joined["record_id"]
    assert [(one["lead_id"], one["why"]) for one in landing["waiting"]] == [(spam, "held as spam")]
    assert [(one["lead_id"], one["reason"]) for one in landing["discarded"]] == [(gone, "ours")]
    assert [(one["lead_id"], one["reason"]) for one in nowhere["refused"]] == [(lost, "no route matches")]
    since = datetime.fromisoformat(landing["waiting"][0]["since"]).astimezone(ZoneInfo("Europe/Moscow"))
    out = inside("audit", "--ledger", folder=hub.folder).out
    assert "site, Сегодня" in out
    assert f"в CRM: sales: 1: {created['record_id']}" in out
    assert f": отложено как спам, с {since:%H:%M:%S}" in out


def test_a_day_without_leads_is_fine(tmp_path: Any) -> None:
    folder = folder_with_database(tmp_path)
    accept(folder)
    ran = inside("audit", folder=folder)
    assert (ran.status, "all there, nothing double" in ran.out) == (0, True)
