"""The list of an account's fields in Bitrix24's classic mode: leads, and the deals that come out of them."""

from pathlib import Path
from typing import Any

from connectors.registry import CONNECTORS
from jobs.config.loading import load
from jobs.field_list import field_rows
from jobs.sync.opening import Opened, account_for
from tests.jobs.migrate.house import house


async def test_an_account_with_leads_shows_fields_of_leads_and_of_deals(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        scene: Any = made.scenes["bitrix24"]
        scene.box.crm.simple = False
        connector = CONNECTORS["bitrix24"]
        opened = Opened("b24", connector, scene.target, None)
        metadata = await scene.target.metadata()
        assert metadata.deal_is == "lead"
        rows = field_rows(connector, metadata, await account_for(load(made.config), "deal", opened, opened.port()))
    ids = {about: {row["id"] for row in rows if row["object"] == about} for about in ("contact", "lead", "deal")}
    assert "STATUS_ID" in ids["lead"] - ids["deal"]
    assert ids["contact"]
    assert {"STAGE_ID", "CATEGORY_ID"} <= ids["deal"] - ids["lead"]
    stages = {row["object"]: list(row["values"]) for row in rows if row["type"] == "stage"}
    assert all(name.startswith("Leads/") for name in stages["lead"])
    assert not any(name.startswith("Leads/") for name in stages["deal"])
