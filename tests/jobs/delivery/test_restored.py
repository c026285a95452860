"""What a hub delivered after its last backup is found again, not written again, when that backup is restored."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from jobs.delivery.restored import look_up_first
from store import backups
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

ALL = "  - {{from: [site], to: [amo, b24, hs], repeat: {{do: {do}, task: true}}}}"
VENDORS = {"amo": "amocrm", "b24": "bitrix24", "hs": "hubspot"}
PERSONS: list[dict[str, Any]] = [{"phone": "+79161234567"}, {"email": "anna@example.ru"}, {}]


def held(h: VirtualHub) -> list[tuple[list[str], list[str], list[tuple[str, str]]]]:
    return [(sorted(h.keys(name)), sorted(h.notes(name)), sorted(h.tasks(name))) for name in VENDORS]


async def go_back_to(h: VirtualHub, file: Path) -> None:
    await h.kill()

    def empty(conn: Any) -> None:
        for table in reversed(SQLModel.metadata.sorted_tables):
            conn.execute(table.delete())

    h.write(empty)
    backups.restore(h.world.url, file, look_up_first)
    await h.start()


@pytest.mark.parametrize("do", ["note", "new_deal"])
@virtual
async def test_what_was_delivered_after_the_backup_is_not_written_again(do: str) -> None:
    async with hub(config(ALL.format(do=do))) as h:
        for vendor in VENDORS.values():
            h.fault(vendor, "503")
        for number, person in enumerate(PERSONS):
            for again in range(2):
                await h.post("site", {"comment": f"{number}.{again}", "lead_uid": f"{number}.{again}", **person})
        backups.backup(h.world.url, h.folder / "before")
        h.calm()
        await h.quiet()
        before = held(h)
        await go_back_to(h, h.folder / "before")
        await h.quiet()
        assert held(h) == before
        assert all(row.record_id and row.looked_up for row in h.deliveries())


@virtual
async def test_what_was_not_delivered_after_the_backup_is_written() -> None:
    async with hub(config(ALL.format(do="note"))) as h:
        for vendor in VENDORS.values():
            h.fault(vendor, "503")
        for number, person in enumerate(PERSONS):
            await h.post("site", {"comment": f"{number}", "lead_uid": f"{number}", **person})
        backups.backup(h.world.url, h.folder / "before")
        await go_back_to(h, h.folder / "before")
        h.calm()
        await h.quiet()
        assert [len(kind) for kinds in held(h) for kind in kinds] == [3] * 9
