"""Hints reach the process that owns the sync."""

from psycopg import AsyncConnection

from connectors.records import RecordHint
from jobs.config.syncs import SyncSettings
from jobs.sync.service import Hints, lease_of
from store.db import GroupCommitDatabase
from store.intake import CHANNEL
from tests.support.databases import new_postgres


async def test_a_stored_hint_wakes_the_owner_in_another_process(postgres_server: str) -> None:
    url = new_postgres(postgres_server)
    settings = SyncSettings.model_validate({"left": "sales", "right": "b24", "object": "contact"})
    db, woken = GroupCommitDatabase(url), list[str]()
    try:
        async with await AsyncConnection.connect(url, autocommit=True) as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            hints = Hints({"contacts": settings}, db, woken.append)
            assert await hints.take("sales", [RecordHint("contact", "17"), RecordHint("deal", "4")]) == 1
            heard = [notice.payload async for notice in listening.notifies(timeout=10, stop_after=1)]
        assert heard == [lease_of("contacts")]
        assert woken == ["contacts"]
    finally:
        await db.close()


async def test_a_hint_about_no_sync_is_not_stored(database_url: str) -> None:
    settings = SyncSettings.model_validate({"left": "sales", "right": "b24", "object": "contact"})
    db = GroupCommitDatabase(database_url)
    try:
        hints = Hints({"contacts": settings}, db, lambda _: None)
        assert await hints.take("elsewhere", [RecordHint("contact", "17")]) == 0
    finally:
        await db.close()
