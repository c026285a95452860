"""A folder with configuration and database, and no hub running on it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leads.clock import SystemClock
from store.db import InlineDatabase
from store.intake import Intake
from tests.support.databases import migrated_sqlite
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

CONFIG = """\
hub: {timezone: Europe/Moscow, default_region: RU}
connections:
  sales: {type: amocrm, base_url: "http://127.0.0.1:1", access_token: sandbox}
sources:
  site: {type: webform}
routes:
  - {from: [site], to: [sales]}
"""


def folder_with_database(folder: Path, config: str = CONFIG) -> Path:
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    migrated_sqlite(folder / "var/leadhub.db")
    return folder


def accept(folder: Path, *, to: tuple[str, ...] = ("sales",), **values: Any) -> str:
    """Stores a lead as intake does, now or at `received_at`; returns its id."""
    kept = {name: values.pop(name) for name in ("status", "status_why") if name in values}
    clock = ManualClock(values.pop("received_at", datetime.now(UTC)), seed=SystemClock().random_bits(30))
    one = replace(acceptance(clock, to=to, **values), **kept)
    db = InlineDatabase(f"sqlite:///{folder / 'var/leadhub.db'}")

    async def store() -> None:
        await db.write(lambda conn: Intake(clock).accept(conn, [one]))
        await db.close()

    asyncio.run(store())
    return one.lead.id
