"""Moves between the real connectors over their sandboxes: everything is there once, and the old CRM is untouched."""

import re
from pathlib import Path

import pytest

from connectors.errors import PermanentError
from connectors.records import Change, LinkChange, NewRecord
from connectors.sandbox.base import Fault
from jobs.migrate.guarding import OldCrmTouched
from jobs.migrate.moving import move_all
from mappings.problems import MappingError
from tests.jobs.migrate.house import OLD, PEOPLE, fill, house, nobody

PAIRS = [("amocrm", "hubspot"), ("hubspot", "bitrix24"), ("bitrix24", "amocrm")]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=" to ".join)
async def test_everything_is_moved_with_its_links_and_a_second_run_writes_nothing(
    source: str, target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes[source], made.scenes[target]
        fill(old)
        untouched = made.stored(source)
        passes, tallies = await made.run(source, target)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [one.old for one in tallies] == [one.there for one in tallies] == [PEOPLE // 2, PEOPLE, PEOPLE]
        assert [new.count(one.object) for one in tallies] == [PEOPLE // 2, PEOPLE, PEOPLE]
        assert [one.links_there for one in tallies] == [0, PEOPLE // 2, PEOPLE + PEOPLE // 2]
        assert made.stored(source) == untouched
        before = made.stored(target)
        passes, tallies = await made.run(source, target)
        assert made.stored(target) == before
        assert made.stored(source) == untouched
        assert [one.found for one in tallies] == [{}, {}, {}]


async def test_the_port_of_the_old_crm_cannot_write(tmp_path: Path) -> None:
    async with house(tmp_path) as made, made.ready("amocrm", "hubspot") as ready:
        fill(made.scenes["amocrm"], people=2)
        before = made.stored("amocrm")
        for step in ready.move.steps:
            port, about = ready.source(step).port, step.object
            for call in (
                port.create(about, [NewRecord("key", {"title": "x"})]),
                port.update(about, [Change("1", {"title": "x"})]),
                port.archive(about, ["1"]),
                port.delete(about, ["1"]),
                port.tag(about, ["1"], "x"),
                port.link(about, [LinkChange("1", "contact", "2")]),
            ):
                with pytest.raises(OldCrmTouched):
                    await call
        assert made.stored("amocrm") == before
        assert issubclass(OldCrmTouched, PermanentError)


async def test_a_sample_is_the_same_each_time_and_the_rest_follows(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["amocrm"], made.scenes["hubspot"]
        fill(old)
        for _ in range(2):
            _, tallies = await made.run("amocrm", "hubspot", sample=4)
            assert [one.found for one in tallies] == [{}, {}, {}]
            assert [new.count(about) for about in ("company", "contact", "deal")] == [4, 4, 4]
        _, tallies = await made.run("amocrm", "hubspot")
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [new.count(about) for about in ("company", "contact", "deal")] == [PEOPLE // 2, PEOPLE, PEOPLE]


async def test_answers_that_are_lost_and_runs_that_are_cut_off_make_nothing_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["bitrix24"], made.scenes["amocrm"]
        fill(old)
        for about in ("company", "contact", "deal"):
            new.lose_answer(about, "create")
            new.layer.faults.append(Fault("503", "POST /api/v4/", times=1))
            await made.run("bitrix24", "amocrm")
        _, tallies = await made.run("bitrix24", "amocrm")
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [new.count(one.object) for one in tallies] == [PEOPLE // 2, PEOPLE, PEOPLE]


async def test_a_corrected_dictionary_is_told_again_where_nobody_has_changed_anything(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["amocrm"], made.scenes["hubspot"]
        for number in range(2):
            old.put("deal", title=f"Сделка {number}", price="100")
        await made.run("amocrm", "hubspot")
        deals = new.box.records.live["deals"]
        edited = next(id for id, one in deals.items() if one["properties"]["dealname"] == "Сделка 1")
        new.box.records.update("deals", new.box.records.get("deals", edited), {"dealstage": "contractsent"})
        file = made.folder / "mappings" / "sync" / "migrate-amocrm-hubspot-deal.yaml"
        text = file.read_text(encoding="utf-8")
        first = '"Воронка/Первичный контакт": "Продажи/'
        assert f"{first}Новая заявка" in text
        file.write_text(text.replace(f"{first}Новая заявка", f"{first}Квалификация"), encoding="utf-8")
        _, tallies = await made.run("amocrm", "hubspot")
        stages = {one["properties"]["dealname"]: one["properties"]["dealstage"] for one in deals.values()}
        assert stages == {"Сделка 0": "qualifiedtobuy", "Сделка 1": "contractsent"}
        assert tallies[2].found == {"stages": 1, "fields": 1}, "what somebody changed there is told"


async def test_a_name_in_the_dictionary_that_a_crm_does_not_have_stops_the_move(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.scenes["amocrm"].put("deal", title="Сделка", price="100")
        await made.run("amocrm", "hubspot", sample=1)
        file = made.folder / "mappings" / "sync" / "migrate-amocrm-hubspot-deal.yaml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("Продажи/Новая заявка", "Продажи/Новая завка"), encoding="utf-8")
        with pytest.raises(MappingError) as caught:
            await made.run("amocrm", "hubspot")
        (first, *_) = caught.value.problems
        assert (first.message, first.line > 1) == ('HubSpot "hubspot" has no stage "Продажи/Новая завка"', True)
        assert 'Did you mean "Продажи/Новая заявка"' in first.hint


async def test_what_stands_in_the_new_crm_is_completed_and_never_overwritten(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["amocrm"], made.scenes["hubspot"]
        mail = ("anna@example.ru",)
        old.put("contact", first_name="Анна", last_name="Орлова", emails=mail, phones=("+79160000001",))
        there = new.put("contact", first_name="Аня", emails=mail, phones=("+79160000002",))
        _, tallies = await made.run("amocrm", "hubspot")
        held = new.box.records.get("contacts", there)["properties"]
        assert (held["firstname"], held["lastname"]) == ("Аня", "Орлова")
        assert [held["phone"], held["mobilephone"]] == ["+79160000002", "+79160000001"]
        assert new.count("contact") == 1
        assert (tallies[1].found, dict(tallies[1].kept)) == ({}, {"first_name": 1})


async def test_created_and_closed_dates_stages_and_users_go_along(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["hubspot"], made.scenes["amocrm"]
        deal = old.put("deal", title="Окна", price="1500.40", responsible="80510101")
        old.box.records.update(
            "deals",
            old.box.records.get("deals", deal),
            {"dealstage": "closedwon", "closedate": OLD.isoformat(), "createdate": OLD.isoformat()},
        )
        _, tallies = await made.run("hubspot", "amocrm")
        (held,) = new.box.deals.values()
        assert (held["status_id"], held["responsible_user_id"]) == (142, 1010101)
        assert held["created_at"] == held["closed_at"] == int(OLD.timestamp())
        (money,) = tallies[2].money.values()
        assert (str(money.old), str(money.expected), str(money.new)) == ("1500.4", "1500", "1500")
        assert tallies[2].found == {}


async def test_values_without_a_counterpart_and_missing_links_are_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes["amocrm"], made.scenes["hubspot"]
        contact = old.put("contact", first_name="Анна", emails=("a@example.ru",), responsible="1010102")
        deal = old.put("deal", title="Окна", price="10")
        old.connect("deal", deal, "contact", contact)
        async with made.ready("amocrm", "hubspot") as ready:
            await move_all(ready, nobody)
        (there,), (person,) = new.box.records.live["deals"], new.box.records.live["contacts"]
        new.connect("deal", there, "contact", person, off=True)
        _, tallies = await made.run("amocrm", "hubspot")
        assert tallies[1].unmapped == {("responsible", "boris.smirnov@example.ru"): 1}
        assert tallies[1].found == {"unmapped": 1}
        assert tallies[2].found == {"links": 1}
        assert tallies[2].orphans == [{"id": deal, "to": "contact", "to_id": contact, "why": "not linked"}]


async def test_between_two_portals_numbers_of_the_old_one_s_records_go_nowhere(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.scenes["portal"].put("contact", first_name="Чужая", phones=("+79990000000",))
        fill(made.scenes["bitrix24"], 4)
        _, tallies = await made.run("bitrix24", "portal")
        assert [one.found for one in tallies] == [{}, {}, {}]
        texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "mappings" / "sync").glob("*.yaml")]
        assert not [line for text in texts for line in text.splitlines() if re.match("  (CONTACT|COMPANY)_IDS?:", line)]


async def test_sums_of_three_decimals_are_rounded_and_no_thousands(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        for price in ("12.345", "1234.567", "0.001"):
            made.scenes["hubspot"].put("deal", title="Окна", price=price)
        _, tallies = await made.run("hubspot", "bitrix24")
        assert [one.found for one in tallies] == [{}, {}, {}]
        prices = [row["OPPORTUNITY"] for row in made.scenes["bitrix24"].box.crm.boxes["deal"].records.values()]
        assert sorted(prices) == ["0.00", "12.35", "1234.57"]


async def test_deals_in_archived_pipelines_and_not_sorted_yet_go_where_the_dictionary_says(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        old = made.scenes["amocrm"].box
        for title, status in (("Архив", 77000022), ("Новое", 77000010)):
            deal = old.put("leads", {"name": title})
            pipeline = 7700002 if title == "Архив" else 7700001
            old.stores["leads"].records[deal] |= {"status_id": status, "pipeline_id": pipeline}
        old.pipelines[1]["is_archive"] = True
        _, tallies = await made.run("amocrm", "hubspot")
        assert [one.found for one in tallies] == [{}, {}, {}]
        stages = {old for old, _ in tallies[2].stages}
        assert stages == {"Повторные продажи/В работе", "Воронка/Неразобранное"}


async def test_nothing_is_put_into_archived_pipelines_nor_among_what_is_not_sorted_yet(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        new = made.scenes["amocrm"].box
        new.pipelines[0]["is_archive"] = True
        made.scenes["hubspot"].put("deal", title="Окна")
        _, tallies = await made.run("hubspot", "amocrm")
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [becomes for _, becomes in tallies[2].stages] == ["Повторные продажи/Новая заявка"]
        file = tmp_path / "mappings" / "sync" / "migrate-hubspot-amocrm-deal.yaml"
        text = file.read_text(encoding="utf-8")
        assert "Воронка/" not in text
        assert "Неразобранное" not in text
        file.write_text(
            text.replace(': "Повторные продажи/Новая заявка"', ': "Повторные продажи/Неразобранное"', 1), "utf-8"
        )
        with pytest.raises(MappingError, match="has no stage"):
            await made.run("hubspot", "amocrm")
