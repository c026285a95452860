"""Classic leads that were moved while they were open and became deals in the old CRM after that: still one deal."""

from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.base import Fault
from jobs.migrate.comparing import Tally, survey
from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import move_histories
from jobs.migrate.leads import LeadTally, finish_leads, move_leads
from jobs.migrate.moving import move_all
from tests.jobs.migrate.house import LATER_S, House, house, nobody
from tests.jobs.migrate.moved import AT, SECOND_NAME, put_call, put_note, put_task, same_people, seen

TARGETS = ["hubspot", "amocrm", "portal"]
WON = {"hubspot": "closedwon", "amocrm": 142, "portal": "WON"}


def fill(made: House) -> tuple[str, str]:
    """An open lead of somebody new and its contact to be, with a note."""
    same_people(made)
    scene = made.scenes["bitrix24"]
    scene.box.crm.simple = False
    lead = str(scene.put("lead", title="Окна", first_name="Игорь", phones=("+79160000002",), price="100"))
    put_note(made, "bitrix24", "lead", lead, "Ждёт звонка")
    return lead, "+79160000002"


def convert(made: House, lead: str, phone: str = "", **fields: Any) -> str:
    """As the button does: a contact and a deal of the lead. Returns the deal."""
    scene = made.scenes["bitrix24"]
    box = scene.box.crm
    row = box.record("lead", lead)
    if phone:
        contact = str(scene.put("contact", first_name="Игорь", phones=(phone,)))
        box.change("lead", lead, {"CONTACT_ID": contact}, pipeline_too=False)
    before = set(box.boxes["deal"].records)
    box._convert(row)
    (deal,) = set(box.boxes["deal"].records) - before
    box.change("deal", deal, fields, pipeline_too=True)
    if phone:
        scene.connect("deal", deal, "contact", contact)
    made.clock.forward(LATER_S)
    return str(deal)


async def run(made: House, target: str) -> tuple[LeadTally, list[Tally], Any]:
    async with made.ready("bitrix24", target) as ready:
        await finish_leads(ready)
        passes = await move_all(ready, nobody)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        leads = await move_leads(ready)
        made.clock.forward(LATER_S)
        histories = await move_histories(ready)
        made.clock.forward(LATER_S)
        tallies = await survey(ready, both=True)
        await compare_histories(ready, histories)
        assert leads is not None
        return leads, tallies, histories


def deals(made: House, crm: str) -> dict[str, dict[str, Any]]:
    """Id -> title, stage, price, as text."""
    box = made.scenes[crm].box
    if crm == "hubspot":
        rows = {id: row["properties"] for id, row in box.records.live["deals"].items()}
        names = ("dealname", "dealstage", "amount")
    elif crm == "amocrm":
        rows, names = box.stores["leads"].records, ("name", "status_id", "price")
    else:
        rows, names = box.crm.boxes["deal"].records, ("TITLE", "STAGE_ID", "OPPORTUNITY")
    title, stage, price = names
    return {str(id): {"title": row[title], "stage": row[stage], "price": row.get(price)} for id, row in rows.items()}


@pytest.mark.parametrize("target", TARGETS)
async def test_the_one_deal_stays_and_follows_the_old_one(target: str, tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead, phone = fill(made)
        await run(made, target)
        (own,) = deals(made, target)
        deal = convert(made, lead, phone, STAGE_ID="WON", OPPORTUNITY="250", TITLE="Окна, договор")
        put_note(made, "bitrix24", "deal", deal, "Подписали")
        untouched = made.stored("bitrix24")
        leads, tallies, histories = await run(made, target)
        ((id, is_now),) = deals(made, target).items()
        assert id == own
        assert (is_now["title"], float(is_now["price"])) == ("Окна, договор", 250.0)
        assert is_now["stage"] == WON[target]
        assert sorted(one.text.split("\n")[-1] for one in seen(made, target, "note")) == ["Ждёт звонка", "Подписали"]
        assert all(one.on == ("deal", own) for one in seen(made, target, "note"))
        assert (leads.old, leads.before, leads.moved, leads.closed) == (1, 1, 0, 0)
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [(one.old, one.there) for one in tallies] == [(0, 0), (1, 1), (1, 1)]
        assert sum(sides.absent for one in histories for sides in one.kinds.values()) == 0
        before = made.stored(target)
        await run(made, target)
        assert made.stored(target) == before
        assert made.stored("bitrix24") == untouched


async def test_what_somebody_has_changed_in_the_new_deal_stays(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead, phone = fill(made)
        await run(made, "hubspot")
        (own,) = deals(made, "hubspot")
        box = made.scenes["hubspot"].box.records
        box.update("deals", box.get("deals", own), {"dealstage": "contractsent"})
        convert(made, lead, phone, STAGE_ID="WON", OPPORTUNITY="250")
        _, tallies, _ = await run(made, "hubspot")
        ((id, is_now),) = deals(made, "hubspot").items()
        assert (id, is_now["stage"], float(is_now["price"])) == (own, "contractsent", 250.0)
        assert tallies[2].found == {"stages": 1, "fields": 1}


async def test_a_deal_whose_lead_s_copy_was_removed_is_made_as_any_other(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead, phone = fill(made)
        await run(made, "hubspot")
        (own,) = deals(made, "hubspot")
        made.scenes["hubspot"].remove("deal", own)
        convert(made, lead, phone, STAGE_ID="WON")
        leads, tallies, _ = await run(made, "hubspot")
        ((id, is_now),) = deals(made, "hubspot").items()
        assert (id != own, is_now["stage"]) == (True, "closedwon")
        assert (leads.before, leads.closed_since) == (1, 1)
        assert [one.found for one in tallies] == [{}, {}, {}]
        before = made.stored("hubspot")
        await run(made, "hubspot")
        assert made.stored("hubspot") == before


async def test_a_lead_that_became_a_lead_stays_beside_the_deal_and_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.scenes["portal"].box.crm.simple = False
        lead, phone = fill(made)
        await run(made, "portal")
        convert(made, lead, phone, STAGE_ID="WON")
        leads, tallies, _ = await run(made, "portal")
        assert (leads.before, leads.closed_since, leads.closed_ids) == (1, 1, [lead])
        assert [one["stage"] for one in deals(made, "portal").values()] == ["WON"]
        assert [one.found for one in tallies] == [{}, {}, {}]


async def test_of_two_deals_that_came_out_of_one_lead_one_is_its_copy(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        lead, phone = fill(made)
        await run(made, "hubspot")
        (own,) = deals(made, "hubspot")
        convert(made, lead, phone, TITLE="Первая")
        convert(made, lead, TITLE="Вторая")
        await run(made, "hubspot")
        there = deals(made, "hubspot")
        assert sorted(one["title"] for one in there.values()) == ["Вторая", "Первая"]
        assert there[own]["title"] == "Первая"


@pytest.mark.parametrize("target", TARGETS)
async def test_what_stood_around_a_lead_that_was_a_deal_before_the_move_goes_to_that(
    target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        lead, phone = fill(made)
        put_task(made, "bitrix24", "lead", lead, "Замерить", due=AT, done=True)
        put_call(made, "bitrix24", "lead", lead, phone=phone, seconds=54)
        deal = convert(made, lead, phone, STAGE_ID="WON")
        put_note(made, "bitrix24", "deal", deal, "Подписали")
        untouched = made.stored("bitrix24")
        for _ in range(2):
            leads, tallies, histories = await run(made, target)
            assert (leads.closed, leads.moved, leads.before, leads.closed_since) == (1, 0, 0, 0)
            assert [one.found for one in tallies] == [{}, {}, {}]
            (own,) = deals(made, target)
            found = {kind: seen(made, target, kind) for kind in ("note", "task", "call")}
            assert {kind: len(some) for kind, some in found.items()} == {"note": 2, "task": 1, "call": 1}
            assert all(one.on == ("deal", own) for some in found.values() for one in some)
            assert {one.by for some in found.values() for one in some} == {SECOND_NAME}
            assert sum(sides.absent for one in histories for sides in one.kinds.values()) == 0
        assert made.stored("bitrix24") == untouched


async def test_a_lead_whose_deal_was_made_without_an_answer_and_that_was_converted_then_is_one_deal(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as made:
        made.clock.leaps = True
        lead, phone = fill(made)
        lost = Fault("reset_after", "/objects/2026-03/deals", times=1)
        async with made.ready("bitrix24", "hubspot") as ready:
            await move_all(ready, nobody)
            made.scenes["hubspot"].layer.faults.append(lost)
            told = await move_leads(ready)
        assert told is not None
        assert (lost.hits, told.unknown) == (1, 1)
        (own,) = deals(made, "hubspot")
        convert(made, lead, phone, STAGE_ID="WON")
        leads, tallies, _ = await run(made, "hubspot")
        ((id, is_now),) = deals(made, "hubspot").items()
        assert (id, is_now["stage"]) == (own, "closedwon")
        assert (leads.before, leads.closed, leads.closed_since) == (1, 0, 0)
        assert [one.found for one in tallies] == [{}, {}, {}]
