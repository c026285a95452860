"""`check --live` against the sandbox CRMs over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from jobs.config.loading import Settings, load
from jobs.live_check import Checked, NoTokens, check_connections
from leads.clock import SystemClock
from tests.support.vendor_server import serve

CONFIG = """\
connections:
  sales: {{type: amocrm, base_url: "{amocrm}", access_token: {token}}}
  b24: {{type: bitrix24, webhook_url: "{bitrix24}/rest/1/sandbox/"}}
  hs: {{type: hubspot, base_url: "{hubspot}", access_token: sandbox}}
sources:
  site: {{type: webform}}{more}
routes:
  - from: [site]
    to: [sales, b24, hs]
  - from: [site]
    to: [sales]
    mapping: own
    assign: {{users: {users}}}
"""


class NoonClock(SystemClock):
    """Time goes on for the limiters; only the hour shown is always the same."""

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 11, 2, tzinfo=UTC)


class World:
    """Three sandbox CRMs and a configuration that points at them."""

    def __init__(self, folder: Path, urls: dict[str, str], layers: dict[str, FaultLayer]) -> None:
        self.folder, self.urls, self.layers = folder, urls, layers

    def settings(
        self, *, mapping: str = "deal: {}\n", users: str = "[1010101]", token: str = "sandbox", more: str = ""
    ) -> Settings:
        text = CONFIG.format(**self.urls, users=users, token=token, more=more)
        (self.folder / "mappings").mkdir(exist_ok=True)
        own = self.folder / "mappings/own.yaml"
        own.write_text(mapping, encoding="utf-8")
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        return load(Path("config.yaml"), {})

    async def check(self, settings: Settings) -> dict[str, Checked]:
        checked = await check_connections(settings, NoonClock(), lambda _name: NoTokens())
        return {one.connection: one for one in checked}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.chdir(tmp_path)
    clock = NoonClock()
    layers = {
        "amocrm": FaultLayer(AmocrmSandbox(clock, rate=None), clock),
        "bitrix24": FaultLayer(Bitrix24Sandbox(clock, rate=None), clock),
        "hubspot": FaultLayer(HubSpotSandbox(clock, rate=None), clock),
    }
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(serve(layer)) for name, layer in layers.items()}
        yield World(tmp_path, urls, layers)


async def test_all_is_well_with_what_is_shipped(world: World) -> None:
    checked = await world.check(world.settings())
    assert [(name, one.problems) for name, one in checked.items()] == [("sales", ()), ("b24", ()), ("hs", ())]
    assert checked["sales"].summary.startswith("the token works")
    assert "leadhub setup sales makes them" in checked["sales"].summary


async def test_what_the_crm_does_not_have_is_named_with_line_and_nearest(world: World) -> None:
    mapping = """\
deal:
  pipeline: Воронка
  stage: Переговры
  fields:
    "Тип обьекта": Дом
    "Тип объекта": "{{ lead.form }}"
    "Адрес объекта": {value: "{{ lead.extra.address }}", optional: true}
"""
    sales = (await world.check(world.settings(mapping=mapping, users="[1010101, вера кузнецова]")))["sales"]
    where = 'in amoCRM "sales" (checked live, 11:02)'
    assert [problem.render().split("\n")[0] for problem in sales.problems] == [
        f'mappings/own.yaml:5:5  deal.fields["Тип обьекта"]: no such field of a deal {where}',
        f'mappings/own.yaml:3:10  deal.stage: no stage "Переговры" in pipeline "Воронка" {where}',
    ]
    assert 'nearest: "Тип объекта" (id 620001, select)' in sales.problems[0].hint
    assert 'Did you mean "Переговоры"?' in sales.problems[1].hint


async def test_an_unknown_pipeline_hides_no_unknown_stage(world: World) -> None:
    sales = (await world.check(world.settings(mapping="deal:\n  pipeline: Воронкаа\n  stage: Переговры\n")))["sales"]
    where = 'in amoCRM "sales" (checked live, 11:02)'
    assert [problem.render().split("\n")[0] for problem in sales.problems] == [
        f'mappings/own.yaml:2:13  deal.pipeline: no pipeline "Воронкаа" {where}',
        f'mappings/own.yaml:3:10  deal.stage: no stage "Переговры" {where}',
    ]


async def test_users_that_are_unknown_or_gone_are_named_where_they_are_written(world: World) -> None:
    vendor = world.layers["amocrm"].vendor
    vendor.users[2]["rights"]["is_active"] = False  # type: ignore[attr-defined]  # the sandbox's own state
    users = "[boris.smirnov@example.ru, 1010103, Анна Петрва]"
    sales = (await world.check(world.settings(users=users)))["sales"]
    assert [problem.render() for problem in sales.problems] == [
        'config.yaml:13:48  routes[1].assign.users[1]: the user "1010103" is not active '
        'in amoCRM "sales" (checked live, 11:02)',
        'config.yaml:13:57  routes[1].assign.users[2]: no user "Анна Петрва" in amoCRM "sales" (checked live, 11:02)\n'
        '    active: Анна Петрова, Борис Смирнов. Did you mean "Анна Петрова"?',
    ]


NAMED_IN_SOURCES = """
  ats:
    type: asterisk
    extensions: {"101": 1010102, "103": Вера Кузнецва, "104": 1010103, "105": OWNER}
  kassa:
    type: yookassa
    shop_id: "1"
    trusted_ip: yookassa
    payments:
      stages:
        - {on: succeeded, stage: contractsent}
        - {on: succeeded, stage: Переговоры, connection: hs}
        - {on: refunded, stage: Переговоры, pipeline: Возвраты, connection: sales}"""


async def test_users_and_stages_that_sources_name_must_be_known_to_one_of_their_crms(world: World) -> None:
    amocrm: Any = world.layers["amocrm"].vendor
    hubspot: Any = world.layers["hubspot"].vendor
    amocrm.users[2]["rights"]["is_active"] = False
    owner = next(iter(hubspot.schema.owners.values()))["email"]
    world.settings(more=NAMED_IN_SOURCES.replace("OWNER", owner))
    with (world.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("  - {from: [ats], to: [sales, hs]}\n")
    settings = load(Path("config.yaml"), {})
    checked = await world.check(settings)
    found = [problem.render().split("\n")[0] for one in checked.values() for problem in one.problems]
    sales, hs = (f"in {one} (checked live, 11:02)" for one in ('amoCRM "sales"', 'HubSpot "hs"'))
    assert found == [
        f'config.yaml:9:41  sources.ats.extensions.103: no user "Вера Кузнецва" {sales}',
        f'config.yaml:9:63  sources.ats.extensions.104: the user "1010103" is not active {sales}',
        f'config.yaml:18:55  sources.kassa.payments.stages[2].pipeline: no pipeline "Возвраты" {sales}',
        f'config.yaml:9:41  sources.ats.extensions.103: no user "Вера Кузнецва" {hs}',
        f'config.yaml:9:63  sources.ats.extensions.104: no user "1010103" {hs}',
        f'config.yaml:17:34  sources.kassa.payments.stages[1].stage: no stage "Переговоры" {hs}',
    ]

    world.layers["hubspot"].faults.append(Fault("500", match="owners"))
    checked = await world.check(settings)  # he may be there
    assert not [problem for problem in checked["sales"].problems if "extensions" in problem.path]


async def test_a_refused_token_says_so_and_does_not_show_it(world: World) -> None:
    checked = await world.check(world.settings(token="Zq7secretZq7secret"))
    [problem] = checked["sales"].problems
    assert problem.render().startswith("config.yaml:2:3  connections.sales: the token is refused")
    assert checked["sales"].summary == "refused"
    assert "Zq7secret" not in problem.render()
    assert checked["b24"].problems == ()


async def test_a_crm_that_is_down_does_not_stop_the_check_of_the_others(world: World) -> None:
    world.layers["bitrix24"].faults.append(Fault("503"))
    checked = await world.check(world.settings())
    assert checked["b24"].summary == "not reached"
    assert checked["b24"].problems[0].path == "connections.b24"
    assert checked["hs"].problems == ()


async def test_metadata_that_cannot_be_read_is_told_and_nothing_is_checked_against_it(world: World) -> None:
    world.layers["amocrm"].faults += [Fault("500", match="GET /api/v4/users"), Fault("500", match="custom_fields")]
    mapping = 'deal: {fields: {"Нет такого": x}}\n'
    sales = (await world.check(world.settings(mapping=mapping, users="[5]")))["sales"]
    assert sales.problems == ()
    assert "could not be read and were not checked: users, fields" in sales.summary


async def test_checking_writes_nothing(world: World) -> None:
    await world.check(world.settings())
    methods = {method for layer in world.layers.values() for _, method, path in layer.requests if "bitrix" not in path}
    amocrm = {method for _, method, _ in world.layers["amocrm"].requests}
    assert methods
    assert amocrm == {"GET"}
