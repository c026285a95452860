"""The database gone, locked or out of space: leads are taken in all the same, and delivered oldest first."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from store.admin import sqlite_path
from store.tables import t_delivery, t_lead
from tests.crash.scene import LOOK_S, Scene, staged
from tests.support.databases import new_sqlite
from tests.support.full_disk import NO_MOUNT, files_no_larger_than, small_disk
from tests.support.hub_process import PATIENCE_S, Zygote
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.promises import rows


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    with own_postgres(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest_asyncio.fixture
async def on_own_postgres(tmp_path: Path, postgres: OwnPostgres, zygote: Zygote) -> AsyncIterator[Scene]:
    url = postgres.new_database(f"hub_{tmp_path.name[-8:].lower().replace('-', '_')}")
    async with staged(tmp_path, url, zygote) as scene:
        yield scene


@pytest_asyncio.fixture
async def on_sqlite(tmp_path: Path, zygote: Zygote) -> AsyncIterator[Scene]:
    async with staged(tmp_path, new_sqlite(tmp_path), zygote) as scene:
        yield scene


def spooled(scene: Scene) -> int:
    return sum(path.stat().st_size for path in (scene.folder / "spool").glob("*.spool"))


async def in_the_spool(scene: Scene) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not spooled(scene):
            await asyncio.sleep(LOOK_S)


async def one_by_one(scene: Scene, person: int, count: int) -> list[int]:
    """Sends one person's enquiries in turn, each until it is taken; the statuses of all answers."""
    before = len(scene.senders.answers)
    for _ in range(count):
        await scene.send_one(person)
    return [status for _, _, status in scene.senders.answers[before:]]


def taken_in(scene: Scene) -> list[tuple[str, bool]]:
    """(uid, by way of the spool) in the order of their places in the lane."""
    leads = {row.id: row for row in rows(scene.database, t_lead)}
    lane = sorted(
        (row for row in rows(scene.database, t_delivery) if row.connection == "hs"), key=lambda row: row.place
    )
    return [(leads[row.lead_id].lead_uid, leads[row.lead_id].spooled) for row in lane]


async def test_leads_that_come_while_postgresql_is_stopped_arrive_oldest_first(
    on_own_postgres: Scene, postgres: OwnPostgres
) -> None:
    scene = on_own_postgres
    hub = await scene.boot()
    await scene.send_one(0)
    await postgres.stop()
    try:
        assert set(await one_by_one(scene, 0, 5)) == {202}
        assert spooled(scene)
        # Killed meanwhile: what stands in the spool of a dead process is taken in by the next.
        await hub.kill()
        await scene.boot()
        assert set(await one_by_one(scene, 0, 3)) == {202}
    finally:
        await postgres.start()
    await scene.taken_in(9)
    await scene.every_lead_arrives_once(9)
    order = taken_in(scene)
    assert [uid for uid, _ in order] == [f"uid-0-{number}" for number in range(9)]
    assert [spool for _, spool in order] == [False] + [True] * 8
    assert spooled(scene) == 0


async def test_a_write_lock_of_another_program_sends_leads_to_the_spool(on_sqlite: Scene) -> None:
    scene = on_sqlite
    await scene.boot()
    await scene.send_one(0)
    await scene.all_arrived()
    with contextlib.closing(sqlite3.connect(str(sqlite_path(scene.database)), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert set(await one_by_one(scene, 0, 3)) == {202}
        assert spooled(scene)
        other.execute("ROLLBACK")
    await scene.taken_in(4)
    await scene.every_lead_arrives_once(4)
    assert [uid for uid, _ in taken_in(scene)] == [f"uid-0-{number}" for number in range(4)]


async def test_a_locked_table_sends_leads_to_the_spool(on_own_postgres: Scene) -> None:
    scene = on_own_postgres
    await scene.boot()
    await scene.send_one(0)
    await scene.all_arrived()
    with psycopg.connect(scene.database) as other:
        other.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        assert set(await one_by_one(scene, 0, 3)) == {202}
        assert spooled(scene)
        other.rollback()
    await scene.taken_in(4)
    await scene.every_lead_arrives_once(4)
    assert [uid for uid, _ in taken_in(scene)] == [f"uid-0-{number}" for number in range(4)]


async def test_no_space_for_the_database_sends_leads_to_the_spool_and_no_space_at_all_turns_them_away(
    on_sqlite: Scene,
) -> None:
    scene = on_sqlite
    hub = await scene.boot()
    await scene.send_one(0)
    await scene.all_arrived()
    with files_no_larger_than(hub.pid, 4096):  # less than the database's first pages, enough for a lead or two
        assert set(await one_by_one(scene, 0, 1)) == {202}
        assert spooled(scene)
    with files_no_larger_than(hub.pid, 16):
        response = await scene.senders.client.post(f"{scene.url}/in/all", json={"phone": "+79160000009"})
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        assert "error" in json.loads(response.content)
    await one_by_one(scene, 0, 2)
    await scene.taken_in(4)
    await scene.every_lead_arrives_once(4)
    assert [uid for uid, _ in taken_in(scene)] == [f"uid-0-{number}" for number in range(4)]


async def test_a_full_disk_under_postgresql_sends_leads_to_the_spool(tmp_path: Path, zygote: Zygote) -> None:
    with small_disk(tmp_path / "disk", 90) as disk:
        if disk is None:
            pytest.skip(NO_MOUNT)
        with own_postgres(disk.folder) as server:
            folder = tmp_path / "hub"
            folder.mkdir()
            async with staged(folder, server.new_database("hub"), zygote) as scene:
                await scene.boot()
                await scene.send_one(0)
                await scene.all_arrived()
                disk.fill()
                comment = "x" * 200_000  # more than fits into the pages that the database has already
                for _ in range(6):
                    await scene.send_one(0, extra=comment)
                assert spooled(scene)
                disk.free()
                await scene.taken_in(7)
                await scene.every_lead_arrives_once(7)
