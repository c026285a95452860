"""`leadhub mapping try / test` and `leadhub fields`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.inside import inside
from tests.support.running_hub import RunningHub, running_hub

CONFIG = """\
hub: {locale: ru, timezone: Europe/Moscow, default_region: RU}
connections: {sales: {type: amocrm, base_url: "http://127.0.0.1:1", access_token: abcdefgh}}
sources: {site: {type: webform, title: Сайт}}
routes: [{from: site, to: sales}]
"""
MAPPING = """\
extends: amocrm-leads
dictionaries:
  cities: {msk: Москва, spb: Санкт-Петербург}
contact:
  phones: ["{{ lead.extra['Телефон жены'] }}"]
deal:
  tags: [сайт, "{{ lead.utm_source }}"]
  fields:
    "Город": {path: lead.extra.city, transform: [strip, {map: cities, default: другой}]}
    "Монтаж": {path: lead.extra.day, transform: {date: {to: date}}, on_missing: report}
"""
EXAMPLE = """\
- name: from Moscow
  mapping: amocrm-leads
  at: 2026-11-24T14:02:00+03:00
  lead: {name: Иван, phone: 8 916 123-45-67, "Телефон жены": +7 916 765-43-21, city: " MSK", day: 01.12.2026}
  expect:
    contact: {name: Иван, phones: ["+79161234567", "+79167654321"]}
    deal: {fields: {"Город": Москва, "Монтаж": "2026-12-01"}, price: null, tags: [сайт]}
    problems: []
- name: contacts go to HubSpot
  mapping: sync/amocrm-hubspot-contact
  left: {first_name: Иван, emails: [Ivan@Example.ru], "Город": Казань}
  expect: {right: {first_name: Иван, emails: [ivan@example.ru], city: Казань}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings" / "tests").mkdir(parents=True)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "mappings" / "amocrm-leads.yaml").write_text(MAPPING)
    (tmp_path / "mappings" / "tests" / "windows.yaml").write_text(EXAMPLE)
    return tmp_path


def lead_file(folder: Path, **fields: str) -> str:
    file = folder / "lead.json"
    file.write_text(json.dumps({"name": "Иван", "phone": "89161234567", **fields}))
    return str(file)


def test_the_phones_of_the_lead_itself_are_shown_too(folder: Path) -> None:
    ran = inside("mapping", "try", "amocrm-leads", "--file", lead_file(folder), folder=folder)
    assert ran.out.startswith("contact.phones")
    assert ran.out.splitlines()[0].endswith("+79161234567")
    assert ran.out.splitlines()[1].strip() == "самого лида"


def test_a_mapping_of_a_sync_is_not_tried_with_a_lead(folder: Path) -> None:
    ran = inside("mapping", "try", "sync/amocrm-hubspot-contact", "--file", lead_file(folder), folder=folder)
    assert (ran.status, "leadhub mapping test" in ran.err) == (2, True)


def test_each_value_is_shown_with_the_line_it_came_from(folder: Path) -> None:
    file = lead_file(folder, city="spb", day="01.12.2026")
    ran = inside("mapping", "try", "amocrm-leads", "--file", file, "--json", folder=folder)
    assert ran.status == 0, ran.err
    values = {one["target"]: one for one in json.loads(ran.out)["values"]}
    city = values['deal.fields["Город"]']
    assert city == {"target": 'deal.fields["Город"]', "value": "Санкт-Петербург", "line": 9, "column": 5} | {
        "file": "mappings/amocrm-leads.yaml"
    }
    assert values["contact.name"]["file"] == "presets/amocrm-leads.yaml"
    assert values["note"]["file"] == "presets/texts/enquiry.ru.yaml"
    shown = inside("mapping", "try", "amocrm-leads", "--file", file, folder=folder)
    assert "Санкт-Петербург" in shown.out
    assert "mappings/amocrm-leads.yaml:9" in shown.out


def test_what_cannot_be_computed_is_told_and_the_rest_is_there(folder: Path) -> None:
    file = lead_file(folder, day="soon")
    ran = inside("mapping", "try", "amocrm-leads", "--file", file, folder=folder)
    assert ran.status == 1
    assert ran.err == 'mappings/amocrm-leads.yaml:10  deal.fields["Монтаж"]: is not a date that can be read\n'
    assert "contact.name" in ran.out
    missing = inside("mapping", "try", "amocrm-leads", "--file", lead_file(folder), folder=folder)
    assert missing.err == 'mappings/amocrm-leads.yaml:10  deal.fields["Монтаж"]: is required and empty\n'


def test_examples_that_come_out_as_expected_are_fine(folder: Path) -> None:
    ran = inside("mapping", "test", folder=folder)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "2 of 2 examples come out as expected (10 values).\n"


def test_a_difference_is_shown_with_both_lines_and_ends_with_1(folder: Path) -> None:
    (folder / "mappings" / "tests" / "windows.yaml").write_text(EXAMPLE.replace('"Город": Москва', '"Город": Тверь'))
    ran = inside("mapping", "test", folder=folder)
    assert ran.status == 1
    assert ran.out == (
        f"{folder}/mappings/tests/windows.yaml:7:30  from Moscow: deal.fields.Город\n"
        '    expected  "Тверь"\n'
        '    got       "Москва"   (mappings/amocrm-leads.yaml:9)\n'
        "1 of 2 examples come out as expected (10 values).\n"
    )
    found = json.loads(inside("mapping", "test", "--json", folder=folder).out)
    assert [(one["target"], one["got"]) for one in found["differences"]] == [("deal.fields.Город", '"Москва"')]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mapping: amocrm-leads\n", "expect: is required: what shall come out"),
        ("mapping: amocrm-leads\nexpects: {}\nexpect: {}\n", "expects: unknown part\n    allowed: name, mapping, lead"),
        ("expect: {}\n", "mapping: is required"),
        ("mapping: nowhere\nexpect: {note: x}\n", "nowhere  there is no such mapping"),
        ("mapping: sync/nowhere\nexpect: {note: x}\n", 'mapping: there is no mapping "nowhere"'),
        ("- a\n", "[0]: is an example"),
    ],
)
def test_an_example_that_cannot_be_understood_is_told_with_its_place(folder: Path, text: str, said: str) -> None:
    (folder / "mappings" / "tests" / "bad.yaml").write_text(text)
    ran = inside("mapping", "test", folder=folder)
    assert ran.status == 2
    assert said in ran.err


def test_it_needs_one_lead_and_a_mapping_that_exists(folder: Path) -> None:
    assert inside("mapping", "try", "amocrm-leads", folder=folder).status == 2
    file = lead_file(folder)
    ran = inside("mapping", "try", "amocrm-lead", "--file", file, folder=folder)
    assert (ran.status, 'Did you mean "amocrm-leads"?' in ran.err) == (2, True)
    nowhere = inside("mapping", "try", "amocrm-leads", "--file", "nowhere.yaml", folder=folder)
    assert (nowhere.status, "такого файла нет" in nowhere.err) == (2, True)


# --- with a hub and its sandbox CRMs ---------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), locale="en") as running:
        yield running


def test_a_lead_that_came_in_can_be_tried_by_any_mapping(hub: RunningHub) -> None:
    sent = httpx.post(f"{hub.url}/in/site", json={"name": "Мария", "phone": "+79161234567"}, timeout=120).json()
    ran = inside("mapping", "try", "hubspot-leads", "--lead", sent["lead_id"], "--json", folder=hub.folder)
    assert ran.status == 0, ran.err
    values: dict[str, Any] = {one["target"]: one["value"] for one in json.loads(ran.out)["values"]}
    assert values["contact.name"] == "Мария"
    unknown = inside("mapping", "try", "hubspot-leads", "--lead", "nobody", folder=hub.folder)
    assert (unknown.status, unknown.err) == (1, "leadhub: there is no lead nobody\n")


@pytest.mark.parametrize("connection", ["sales", "service", "marketing"])
def test_fields_of_each_crm_are_listed_with_stages_and_users(hub: RunningHub, connection: str) -> None:
    ran = inside("fields", connection, "--json", folder=hub.folder)
    assert ran.status == 0, ran.err
    rows = json.loads(ran.out)
    assert {row["object"] for row in rows} == {"contact", "company", "deal"}
    stage = next(row for row in rows if row["type"] == "stage")
    assert any("/" in name for name in stage["values"])
    phones = next(row for row in rows if row["attribute"] == "phones" and row["object"] == "contact")
    assert (phones["type"], phones["several"]) == ("phone", True)
    shown = inside("fields", connection, "contact", folder=hub.folder)
    assert shown.status == 0
    assert "phone" in shown.out
    assert "deal" not in {line.split()[0] for line in shown.out.splitlines()[1:]}


def test_fields_of_what_is_not_there_are_not_listed(hub: RunningHub) -> None:
    assert 'Did you mean "sales"?' in inside("fields", "sale", folder=hub.folder).err
    assert "there are: contact, company, deal, lead" in inside("fields", "sales", "tasks", folder=hub.folder).err
    leads = inside("fields", "marketing", "lead", folder=hub.folder)
    assert (leads.status, leads.err) == (1, "leadhub: the CRM has no leads\n")
