"""Sandbox CRMs behind one address, with a configuration that names them; `portal` is a second Bitrix24."""

import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.amocrm import AmocrmClient, AmocrmSettings
from connectors.base import Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.hubspot import HubSpotClient, HubSpotSettings
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.app import SandboxApp
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from jobs.config.loading import load
from jobs.migrate.comparing import Tally, survey
from jobs.migrate.model import Move, plan_move
from jobs.migrate.moving import Moved, move_all
from jobs.migrate.opening import Ready, opened_move
from tests.connectors.records.amocrm_scene import AmocrmScene
from tests.connectors.records.bitrix24_scene import Bitrix24Scene
from tests.connectors.records.hubspot_scene import HubSpotScene
from tests.connectors.records.scene import AheadClock
from tests.support.databases import QuickDatabase, migrated_sqlite
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

CONFIG = """
hub: {{listen: "127.0.0.1:0", default_region: RU, database: "sqlite:///{database}"}}
connections:
  amocrm: {{type: amocrm, base_url: "{url}/amocrm", access_token: sandbox, rate: {{calls: 1000}}}}
  bitrix24: {{type: bitrix24, webhook_url: "{url}/bitrix24/rest/1/sandbox/", rate: {{calls: 1000}}}}
  portal: {{type: bitrix24, webhook_url: "{url}/portal/rest/1/sandbox/", rate: {{calls: 1000}}}}
  hubspot: {{type: hubspot, base_url: "{url}/hubspot", access_token: sandbox, rate: {{calls: 1000, per_s: 1}}}}
"""
PEOPLE = 30
PAUSE_S = 0.03
"""What a leap takes: whoever sleeps again and again, to renew a lease, leaves the machine to the others."""
LATER_S = 200.0
"""Past every index's delay, so that what was written before is seen."""


class LeapingClock(AheadClock):
    """Once it `leaps`, whoever sleeps for long wakes up at once, that much later."""

    leaps = False

    async def sleep(self, seconds: float) -> None:
        if self.leaps and seconds > 0.5:
            self.forward(seconds)
            seconds = PAUSE_S
        await super().sleep(seconds)


@dataclass
class House:
    """`scenes` by connection. `run` moves and compares, as the command does."""

    folder: Path
    clock: LeapingClock
    app: SandboxApp
    scenes: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def move(self, source: str, target: str, sample: int = 0) -> Move:
        return plan_move(load(self.config), source, target, sample)

    async def run(self, source: str, target: str, sample: int = 0) -> tuple[list[Moved], list[Tally]]:
        self.clock.forward(LATER_S)
        db = QuickDatabase(load(self.config).database_url)
        try:
            async with opened_move(self.move(source, target, sample), db, self.clock) as ready:
                passes = await move_all(ready, nobody)
                self.clock.forward(LATER_S)
                return passes, await survey(ready, both=True)
        finally:
            await db.close()

    @asynccontextmanager
    async def ready(self, source: str, target: str, sample: int = 0) -> AsyncIterator[Ready]:
        self.clock.forward(LATER_S)
        db = QuickDatabase(load(self.config).database_url)
        try:
            async with opened_move(self.move(source, target, sample), db, self.clock) as ready:
                yield ready
        finally:
            await db.close()

    def stored(self, name: str) -> Any:
        """All that one CRM holds, times of change included."""
        return copy.deepcopy(self.scenes[name].box.snapshot())


async def nobody(_step: Any, _counts: Any) -> None:
    """Nobody looks on."""


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    clock = LeapingClock()
    portal = Bitrix24Sandbox(clock, rate=None)
    portal.name = "portal"
    boxes: tuple[Any, ...] = (
        AmocrmSandbox(clock, rate=None),
        Bitrix24Sandbox(clock, rate=None),
        portal,
        HubSpotSandbox(clock, rate=None),
    )
    app = SandboxApp(boxes, clock)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(app))
        made = House(folder, clock, app)
        made.config.write_text(CONFIG.format(url=url, database=folder / "hub.db"), encoding="utf-8")
        migrated_sqlite(folder / "hub.db")
        for name, scene, settings, client in (
            ("amocrm", AmocrmScene, AmocrmSettings, AmocrmClient),
            ("bitrix24", Bitrix24Scene, Bitrix24Settings, Bitrix24Client),
            ("portal", Bitrix24Scene, Bitrix24Settings, Bitrix24Client),
            ("hubspot", HubSpotScene, HubSpotSettings, HubSpotClient.open),
        ):
            own = load(made.config).connections[name].settings
            assert isinstance(own, settings)
            opened: Any = client(Opening(name, own, clock, MemoryTokens()))
            stack.push_async_callback(opened.close)
            box = next(one for one in boxes if one.name == name)
            made.scenes[name] = scene(opened, box, app.layers[name], clock)
        yield made


def fill(scene: Any, people: int = PEOPLE, start: int = 0) -> None:
    """People, each with a deal, every second one with a firm that is the deal's firm, too."""
    for number in range(start, start + people):
        phones, emails = (f"+7916000{number:04d}",), (f"p{number}@example.ru",)
        contact = scene.put("contact", first_name=f"Имя {number}", last_name="Орлов", phones=phones, emails=emails)
        deal = scene.put("deal", title=f"Сделка {number}", price=str(1000 + number))
        scene.connect("deal", deal, "contact", contact)
        if number % 2:
            company = scene.put("company", name=f"ООО Фирма {number}")
            scene.connect("contact", contact, "company", company)
            scene.connect("deal", deal, "company", company)


OLD = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
