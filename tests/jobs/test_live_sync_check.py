"""`check --live` of syncs against the sandbox CRMs over real HTTP: what a mapping names and a CRM does not have."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.hubspot import HubSpotSandbox
from jobs.config.errors import ConfigError
from jobs.config.loading import load
from jobs.live_check import Checked, NoTokens
from jobs.sync_check import check_syncs
from tests.jobs.test_live_check import NoonClock
from tests.support.vendor_server import serve

CONFIG = """\
connections:
  sales: {{type: amocrm, base_url: "{amocrm}", access_token: sandbox}}
  hs: {{type: hubspot, base_url: "{hubspot}", access_token: sandbox}}
syncs:
  people: {{left: sales, right: hs, object: contact, mapping: own{more}}}
  deals: {{left: sales, right: hs, object: deal}}
"""


class World:
    def __init__(self, folder: Path, urls: dict[str, str], layers: dict[str, FaultLayer]) -> None:
        self.folder, self.urls, self.layers = folder, urls, layers

    async def check(self, mapping: str, more: str = "") -> dict[str, Checked]:
        (self.folder / "mappings/sync").mkdir(parents=True, exist_ok=True)
        (self.folder / "mappings/sync/own.yaml").write_text(mapping, encoding="utf-8")
        (self.folder / "config.yaml").write_text(CONFIG.format(**self.urls, more=more), encoding="utf-8")
        checked = await check_syncs(load(Path("config.yaml"), {}), NoonClock(), lambda _name: NoTokens())
        return {one.connection: one for one in checked}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.chdir(tmp_path)
    clock = NoonClock()
    layers = {
        "amocrm": FaultLayer(AmocrmSandbox(clock, rate=None), clock),
        "hubspot": FaultLayer(HubSpotSandbox(clock, rate=None), clock),
    }
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(serve(layer)) for name, layer in layers.items()}
        yield World(tmp_path, urls, layers)


async def test_what_is_shipped_fits_both_crms(world: World) -> None:
    checked = await world.check("extends: amocrm-hubspot-contact\n")
    assert [(name, one.problems) for name, one in checked.items()] == [("people", ()), ("deals", ())]
    assert checked["people"].summary.startswith("the mapping fits, ")


async def test_fields_of_both_sides_that_are_not_there_are_all_named(world: World) -> None:
    mapping = """\
extends: amocrm-hubspot-contact
fields:
  town: {left: "Гоород", right: citty}
  "Должност": jobtitle
"""
    problems = (await world.check(mapping))["people"].problems
    assert [one.render().split("\n")[0] for one in problems] == [
        'mappings/sync/own.yaml:3:3  fields.town: amoCRM "sales" has no field "Гоород"',
        'mappings/sync/own.yaml:3:3  fields.town: HubSpot "hs" has no field "citty"',
        'mappings/sync/own.yaml:4:3  fields["Должност"]: amoCRM "sales" has no field "Должност"',
    ]
    assert 'Did you mean "Должность"?' in problems[2].hint


async def test_choices_users_stages_and_fields_of_conditions_are_looked_up(world: World) -> None:
    mapping = """\
extends: amocrm-hubspot-contact
fields:
  responsible: {map: {anna.petrova@example.ru: nobody@example.com}}
  lifecycle:
    left: "Должность"
    right: lifecyclestage
    when: left["Тип клента"] == 'Новый'
    map: {директор: customer, бухгалтер: buyer}
  position: null
"""
    checked = await world.check(mapping, ", left_when: left.citti == 'Казань'")
    assert [one.render().split("\n")[0] for one in checked["people"].problems] == [
        'mappings/sync/own.yaml:3:23  fields.responsible.map["anna.petrova@example.ru"]: '
        'HubSpot "hs" has no active user "nobody@example.com"',
        'mappings/sync/own.yaml:8:31  fields.lifecycle.map["бухгалтер"]: "buyer" is not one of the values of '
        '"lifecyclestage" in HubSpot "hs"',
        'mappings/sync/own.yaml:4:3  fields.lifecycle: amoCRM "sales" has no field "Тип клента"',
        'config.yaml:5:78  syncs.people.left_when: amoCRM "sales" has no field "citti"',
    ]


async def test_a_crm_that_does_not_answer_is_not_checked_and_no_mistake_of_the_mapping(world: World) -> None:
    world.layers["hubspot"].faults.append(Fault("503"))
    checked = await world.check("extends: amocrm-hubspot-contact\n")
    assert checked["people"].problems == ()
    assert "not checked" in checked["people"].summary


async def test_a_condition_of_one_side_cannot_read_the_other(world: World) -> None:
    with pytest.raises(ConfigError) as error:
        await world.check("extends: amocrm-hubspot-contact\n", ", left_when: right.city == 'Казань'")
    assert str(error.value).startswith(
        "config.yaml:5:78  syncs.people.left_when: is asked of one record alone and cannot read right\n"
        "    write it with left"
    )
