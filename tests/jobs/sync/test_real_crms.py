"""Syncs between the real connectors over their sandboxes: both sides become equal, links too, and then it is quiet."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.records import RecordObject
from connectors.registry import CONNECTORS
from jobs.accounts import account_of
from jobs.config.syncs import SyncSettings
from jobs.sync.model import End, Sibling, Sync, conditions_of
from jobs.sync.passes import PassResult, Wish, run_pass
from mappings.accounts import AccountField
from mappings.records import load_record_mapping
from store import leases
from store.db import InlineDatabase
from tests.connectors.records.amocrm_scene import amocrm
from tests.connectors.records.bitrix24_scene import bitrix24
from tests.connectors.records.hubspot_scene import hubspot
from tests.support.databases import QuickDatabase, migrated_sqlite

SCENES: dict[str, Any] = {"amocrm": amocrm, "bitrix24": bitrix24, "hubspot": hubspot}
OBJECTS: tuple[RecordObject, ...] = ("company", "contact", "deal")
PEOPLE, SHARED = 24, 8


@dataclass
class Both:
    """`left` and `right` are scenes; `names` the connectors of both."""

    left: Any
    right: Any
    names: tuple[str, str]
    db: InlineDatabase
    syncs: dict[str, Sync] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)

    def later(self, seconds: float) -> None:
        for scene in (self.left, self.right):
            scene.later(seconds)

    async def open(self, folder: Path) -> None:
        for about in OBJECTS:
            left, right = [
                await self._end(scene, name, about)
                for scene, name in zip((self.left, self.right), self.names, strict=True)
            ]
            mapping = load_record_mapping(*self.names, about, folder).bound(left.account, right.account)
            chosen = SyncSettings.model_validate({"left": "left", "right": "right", "object": about})
            siblings = tuple(Sibling(other, other) for other in OBJECTS if other != about)
            self.syncs[about] = Sync(about, chosen, mapping, left, right, siblings, conditions_of(chosen))

    async def _end(self, scene: Any, name: str, about: RecordObject) -> End:
        known = account_of(CONNECTORS[name], name, await scene.target.metadata(), about, region="RU")
        fields = tuple(
            AccountField(
                one.key,
                one.name,
                one.code,
                one.key,
                one.type,
                one.several,
                one.enums,
                one.read_only,
                one.max_chars,
                one.max_values,
                one.decimals,
            )
            for one in await scene.port.fields(about)
        )
        return End(name, scene.port, replace(known, fields=fields))

    async def run(self, about: str, **wish: Any) -> PassResult:
        self.later(200)
        clock, name = self.left.clock, f"sync:{about}"
        if name not in self.held:
            self.held[name] = await self.db.write(lambda conn: leases.take(conn, name, "t", clock.now(), ttl_s=1e9))
        result = await run_pass(self.syncs[about], self.db, clock, self.held[name], Wish(**{"yes": True, **wish}))
        assert result.state == "done", result
        return result


def fill(scene: Any, start: int) -> None:
    """People of both CRMs from number `start` on, SHARED of whom the other one has too, each with firm and deal."""
    for number in range(start, start + PEOPLE):
        phones, emails = (f"+7916000{number:04d}",), (f"p{number}@example.ru",)
        contact = scene.put("contact", first_name=f"Имя {number}", last_name="Орлов", phones=phones, emails=emails)
        company = scene.put("company", name=f"ООО Фирма {number}")
        deal = scene.put("deal", title=f"Сделка {start}-{number}", price=str(1000 + number))
        scene.connect("contact", contact, "company", company)
        scene.connect("deal", deal, "contact", contact)


async def picture(scene: Any) -> dict[str, Any]:
    """What people see: each contact with its values and its firm, each deal with its sum and its contacts."""
    port, found = scene.port, dict[str, Any]()
    fields = {
        "company": ("name",),
        "contact": ("first_name", "last_name", "phones", "emails"),
        "deal": ("title", "price"),
    }
    records: dict[str, Any] = {}
    for about in OBJECTS:
        cursor = ""
        while True:
            page = await port.changed(about, None, fields[about], cursor)
            records |= {f"{about} {one.id}": one for one in page.records if not one.deleted}
            cursor = page.cursor
            if not cursor:
                break
    for key, one in records.items():
        about = key.partition(" ")[0]
        to = {"contact": "company", "deal": "contact"}.get(about)
        linked = (await port.links(about, [one.id], to)).get(one.id, ()) if to else ()
        names = sorted(str(records[f"{to} {id}"].values) for id in linked)
        found[f"{about} {sorted(one.values.items())}"] = names
    return found


@pytest.mark.parametrize(
    "names", [("amocrm", "hubspot"), ("hubspot", "bitrix24"), ("bitrix24", "amocrm")], ids=" and ".join
)
async def test_two_crms_become_equal_and_then_nothing_is_written(names: tuple[str, str], tmp_path: Path) -> None:
    url = migrated_sqlite(tmp_path / "sync.db")
    async with AsyncExitStack() as stack:
        left, right = [await stack.enter_async_context(SCENES[name]()) for name in names]
        both = Both(left, right, names, QuickDatabase(url))
        fill(left, 0)
        fill(right, PEOPLE - SHARED)
        both.later(300)
        await both.open(tmp_path)
        for _ in range(3):
            for about in OBJECTS:
                await both.run(about)
        assert await picture(left) == await picture(right)
        assert left.count("contact") == right.count("contact") == 2 * PEOPLE - SHARED
        for about in OBJECTS:
            counts = (await both.run(about, full=True)).counts
            written = {name: count for name, count in counts.items() if name.startswith(("create", "update", "link"))}
            assert written == {}
