"""Processes wake each other, and nobody wakes himself."""

import asyncio
from pathlib import Path

from sqlalchemy import insert

from jobs import wakeups
from leads.clock import SystemClock
from store.db import GroupCommitDatabase
from store.outbox import tell_due
from store.tables import t_cursor
from tests.support.databases import new_postgres, new_sqlite

WAIT_S = 10.0


async def until(names: list[str], heard: list[list[str]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while names not in heard:
            await asyncio.sleep(0.01)


async def test_on_postgresql_others_hear_what_became_due_and_the_writer_does_not(postgres_server: str) -> None:
    url = new_postgres(postgres_server)
    ours, theirs = GroupCommitDatabase(url), GroupCommitDatabase(url)
    heard: list[list[str]] = []
    listening = asyncio.create_task(wakeups.listen(url, heard.append, SystemClock(), ours.wrote))
    await until([], heard)  # what happened while nobody listened
    await ours.write(tell_due, ["amo"])
    await theirs.write(tell_due, ["hs", "b24"])
    await until(["b24", "hs"], heard)
    assert heard == [[], ["b24", "hs"]]
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await ours.close()
    await theirs.close()


async def test_on_sqlite_a_write_of_another_process_is_noticed(tmp_path: Path) -> None:
    url = new_sqlite(tmp_path)
    heard: list[list[str]] = []
    listening = asyncio.create_task(wakeups.listen(url, heard.append, SystemClock()))
    await until([], heard)
    heard.clear()
    theirs = GroupCommitDatabase(url)
    await theirs.write(lambda conn: conn.execute(insert(t_cursor).values(name="one", value={})).rowcount)
    await until([], heard)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await theirs.close()
