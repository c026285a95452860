"""Open leads of Bitrix24's classic mode on the way into a CRM that has no leads."""

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError
from connectors.sandbox.base import Fault
from jobs.migrate.history import move_histories
from jobs.migrate.leads import LeadTally, move_leads
from jobs.migrate.moving import move_all
from tests.jobs.migrate.house import LATER_S, House, house, nobody


def fill(scene: Any) -> str:
    """A lead of somebody new, one of a contact that moves, one linked to it, one closed."""
    scene.box.crm.simple = False
    won = scene.put("deal", title="Крыша")
    scene.box.crm.change("deal", won, {"STAGE_ID": "WON"}, pipeline_too=False)
    known = str(scene.put("contact", first_name="Анна", phones=("+79160000001",)))
    lead = scene.put("lead", title="Окна", first_name="Игорь", phones=("+79160000002",), price="100")
    scene.put("lead", title="Двери", first_name="Анна", phones=("8 916 000-00-01",))
    linked = scene.put("lead", title="Полы")
    scene.connect("lead", linked, "contact", known)
    closed = scene.put("lead", title="Спам", first_name="Бот")
    scene.box.crm.change("lead", closed, {"STATUS_ID": "JUNK"}, pipeline_too=False)
    said = {"ENTITY_TYPE": "lead", "ENTITY_ID": lead, "COMMENT": "Ждёт звонка"}
    scene.box.crm.timeline.comment_add({"fields": said})
    return str(lead)


async def run(made: House) -> LeadTally:
    async with made.ready("bitrix24", "hubspot") as ready:
        await move_all(ready, nobody)
        tally = await move_leads(ready)
        made.clock.forward(LATER_S)
        await move_histories(ready)
        made.clock.forward(LATER_S)
        assert tally is not None
        return tally


async def test_open_leads_become_deals_with_their_people_once(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        fill(made.scenes["bitrix24"])
        box, untouched = made.scenes["hubspot"].box, made.stored("bitrix24")
        losing = [Fault("reset_after", f"/objects/2026-03/{kind}", times=1) for kind in ("notes", "deals")]
        async with made.ready("bitrix24", "hubspot") as ready:
            await move_all(ready, nobody)
            made.scenes["hubspot"].layer.faults += losing
        first, second = await run(made), await run(made)
        assert [one.hits for one in losing] == [1, 1]
        assert (first.old, first.closed, first.moved + second.moved, second.unknown) == (4, 1, 3, 0), (first, second)
        deals = {row["properties"]["dealname"]: id for id, row in box.records.live["deals"].items()}
        roof = box.records.live["deals"][deals.pop("Крыша")]["properties"]
        assert roof["dealstage"] == "closedwon", "the stages of deals are known beside those of leads"
        assert sorted(deals) == ["Двери", "Окна", "Полы"]
        people = {
            box.records.live["contacts"][who]["properties"]["firstname"]: what
            for what, id in deals.items()
            for who in box.linked("deals", id, "contacts")
        }
        assert sorted(people) == ["Анна", "Игорь"]
        assert people["Игорь"] == "Окна"
        assert all(box.linked("deals", id, "contacts") for id in deals.values())
        assert len(box.records.live["contacts"]) == 2
        windows = box.records.live["deals"][deals["Окна"]]["properties"]
        assert windows["amount"] == "100"
        (note,) = (row["properties"]["hs_note_body"] for row in box.records.live["notes"].values())
        assert "Ждёт звонка" in note
        before = made.stored("hubspot")
        third = await run(made)
        assert (third.moved, third.before) == (0, 3)
        assert made.stored("hubspot") == before
        assert made.stored("bitrix24") == untouched


async def test_leads_that_cannot_be_counted_are_not_taken_for_none(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.clock.leaps = True
        scene = made.scenes["bitrix24"]
        fill(scene)
        scene.layer.faults.append(Fault("500", "crm.lead.list"))
        with pytest.raises(ConnectorError, match="Bitrix24"):
            async with made.ready("bitrix24", "hubspot"):
                pass
