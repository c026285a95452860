"""Group commit: writes that arrive together share a transaction and do not share their faults."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.exc import OperationalError

from store import leases
from store.db import GroupCommitDatabase, InlineDatabase, StoreUnavailable
from store.engines import ALIVE, POSTGRES_WRITERS, admin_engine, make_engine
from store.tables import t_cursor
from tests.support.databases import new_sqlite


def put(name: str) -> Callable[[Connection], str]:
    def work(conn: Connection) -> str:
        conn.execute(insert(t_cursor).values(name=name, value={}))
        return name

    return work


def count(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).select_from(t_cursor)).scalar_one())


async def meeting(db: GroupCommitDatabase, *writes: Coroutine[Any, Any, Any]) -> list[Any]:
    """Results of writes, or what they raised, that all wait while the writers are busy with something else."""
    busy = threading.Event()
    held = [asyncio.create_task(db.write(lambda _conn: busy.wait(30))) for _ in range(POSTGRES_WRITERS)]
    await asyncio.sleep(0.05)  # the writers have begun; else the writes only meet less often
    tasks = [asyncio.create_task(write) for write in writes]
    await asyncio.sleep(0)
    busy.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*held)
    return results


async def test_many_writes_share_few_commits(tmp_path: Path) -> None:
    db = GroupCommitDatabase(new_sqlite(tmp_path))
    commits = 0

    def committed(_conn: Connection) -> None:
        nonlocal commits
        commits += 1

    event.listen(db._write_engine, "commit", committed)
    names = [f"n{number}" for number in range(300)]
    assert await asyncio.gather(*(db.write(put(name)) for name in names)) == names
    assert await db.read(count) == 300
    assert commits < 100
    await db.close()


async def test_one_bad_write_does_not_fail_the_others(database_url: str) -> None:
    db = GroupCommitDatabase(database_url)
    names = ["a", "b", "a", "c"]  # the second "a" breaks the primary key
    results = await asyncio.gather(*(db.write(put(name)) for name in names), return_exceptions=True)
    assert sorted(str(result) for result in results if isinstance(result, str)) == ["a", "b", "c"]
    assert sum(isinstance(result, Exception) for result in results) == 1
    assert await db.read(count) == 3
    await db.close()


async def test_what_is_too_long_for_an_index_is_a_bad_write_and_no_failure_of_the_database(postgres_url: str) -> None:
    db = GroupCommitDatabase(postgres_url)
    name = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
    results = await meeting(db, db.write(put("a")), db.write(put(name)), db.write(put("b")))
    assert (results[0], results[2], await db.read(count)) == ("a", "b", 2)
    assert isinstance(results[1], OperationalError)
    with pytest.raises(OperationalError):
        await db.write(put(name))
    with pytest.raises(OperationalError):
        await db.read(lambda conn: conn.execute(text(f"SELECT '{'[' * 100_000}'::json")))
    await db.close()


async def test_one_bad_item_of_a_batch_is_tried_alone(database_url: str) -> None:
    db = GroupCommitDatabase(database_url)
    sizes: list[int] = []

    def work(conn: Connection, items: list[str]) -> list[str]:
        sizes.append(len(items))
        for item in items:
            conn.execute(insert(t_cursor).values(name=item, value={}))
        return items

    async def one(item: str) -> object:
        try:
            return await db.write_in_batch(work, item)
        except Exception as error:
            return error

    results = await asyncio.gather(*(one(item) for item in ("x", "y", "x", "z")))
    assert sorted(str(result) for result in results if isinstance(result, str)) == ["x", "y", "z"]
    assert await db.read(count) == 3
    await db.close()


async def test_one_bad_write_is_found_without_running_the_others_in_vain(database_url: str) -> None:
    """What shared a transaction with a failed one is run again; what it had written is not there twice."""
    db = GroupCommitDatabase(database_url)
    runs: list[str] = []

    def append(conn: Connection, name: str) -> str:
        runs.append(name)
        conn.execute(insert(t_cursor).values(name=f"{name}{count(conn)}", value={}))
        if name == "bad":
            raise ValueError(name)
        return name

    results = await meeting(db, *(db.write(append, name) for name in ("a", "bad", "b")))
    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "b"
    assert await db.read(count) == 2
    assert runs.count("bad") <= 2
    await db.close()


async def test_what_a_sender_waits_for_goes_first_and_the_rest_has_its_turn(tmp_path: Path) -> None:
    db = GroupCommitDatabase(new_sqlite(tmp_path))
    order: list[str] = []

    def work(_conn: Connection, items: list[str]) -> list[str]:
        order.extend(items)
        return items

    def behind(_conn: Connection) -> None:
        order.append("behind")

    await meeting(
        db,
        *(db.write_behind(behind) for _ in range(2)),
        *(db.write_in_batch(work, "work") for _ in range(10)),
        *(db.write_in_batch(work, "first", first=True) for _ in range(20)),
    )
    assert order == [*["first"] * 20, *["behind"], *["work"] * 8, "behind", *["work"] * 2]
    await db.close()


async def test_a_stream_of_what_goes_first_does_not_keep_the_rest_waiting(tmp_path: Path) -> None:
    db = GroupCommitDatabase(new_sqlite(tmp_path))
    done: list[str] = []

    def work(_conn: Connection, items: list[str]) -> list[str]:
        return items

    async def senders() -> None:
        while len(done) < 3:
            await db.write_in_batch(work, "first", first=True)

    streams = [asyncio.create_task(senders()) for _ in range(8)]
    for write in (db.write, db.write_behind, db.write):
        await write(lambda _conn: done.append("one"))
    await asyncio.gather(*streams)
    await db.close()


async def test_work_behind_lets_senders_pass_and_is_told_that_they_wait(database_url: str) -> None:
    db = GroupCommitDatabase(database_url)
    order: list[str] = []
    begun = threading.Event()

    def sender(_conn: Connection, items: list[str]) -> list[str]:
        begun.set()
        time.sleep(0.01)  # so that the next of them is here before the last is answered
        order.extend(items)
        return items

    def behind(_conn: Connection) -> None:
        order.append("behind")

    def long_behind(_conn: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it hears of a sender that came while it was at work."""
        asyncio.run_coroutine_threadsafe(db.write_in_batch(sender, "late", first=True), loop)
        until = time.monotonic() + 10
        while not db.is_awaited() and time.monotonic() < until:
            time.sleep(0.001)  # on the writer's own thread, which nobody wakes
        return db.is_awaited()

    assert not db.is_awaited()
    first = asyncio.create_task(db.write_in_batch(sender, "first", first=True))
    await asyncio.to_thread(begun.wait, 10)
    await asyncio.gather(db.write_behind(behind), first)
    assert order == ["first", "behind"]
    if db.is_sqlite:  # else it has a thread of its own
        assert await db.write_behind(long_behind, asyncio.get_running_loop())
        while order[-1] != "late":
            await asyncio.sleep(0.001)  # it is sent by another thread, which hands out no task to await
    await db.write(lambda _conn: None)
    assert not db.is_awaited()
    await db.close()


async def test_a_failed_write_leaves_nothing_behind(database_url: str) -> None:
    for db in (GroupCommitDatabase(database_url), InlineDatabase(database_url)):

        def work(conn: Connection) -> None:
            conn.execute(insert(t_cursor).values(name="half", value={}))
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError):
            await db.write(work)
        assert await db.read(count) == 0
        await db.close()


async def test_a_database_that_is_away_raises_its_own_error(postgres_server: str) -> None:
    db = GroupCommitDatabase("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        await db.write(count)
    with pytest.raises(StoreUnavailable):
        await db.read(count)
    await db.close()


async def test_a_lock_held_too_long_is_unavailable_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.engines.BUSY_S", 0.1)
    url = new_sqlite(tmp_path)
    db, other = GroupCommitDatabase(url), InlineDatabase(url)
    with other._engine.begin() as conn:
        conn.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable, match="locked"):
            await db.write(put("late"))
    assert await db.write(put("later")) == "later"
    await db.close()
    await other.close()


async def test_two_writers_that_store_the_same_at_once_both_end_well(database_url: str) -> None:
    """As when a lead and its copy in the spool are taken in at the same moment."""
    one, other = GroupCommitDatabase(database_url), GroupCommitDatabase(database_url)

    def take_in(name: str) -> "object":
        def work(conn: Connection) -> bool:
            known = conn.execute(select(t_cursor.c.name).where(t_cursor.c.name == name)).first() is not None
            if not known:
                time.sleep(0.01)  # the other looks too before we store
                conn.execute(insert(t_cursor).values(name=name, value={}))
            return known

        return work

    for number in range(20):
        work = take_in(f"n{number}")
        assert sorted(await asyncio.gather(one.write(work), other.write(work))) == [False, True]
    for db in (one, other):
        await db.close()


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("postgresql://u:p@db1:5433,db2:5434/leadhub", "db1,db2", "5433,5434"),
        ("postgresql://u:p@db1,db2:5434/leadhub?sslmode=require", "db1,db2", "5432,5434"),
        ("postgresql://u:p@db1,[::1]:5434/leadhub", "db1,::1", "5432,5434"),
        ("postgresql://u:p@db1,db2/leadhub", "db1,db2", None),
        ("postgresql://u:p@db1:5433/leadhub", "db1", 5433),
    ],
)
def test_several_hosts_may_have_ports_of_their_own(written: str, host: str, port: object) -> None:
    engine = admin_engine(written)
    _, given = engine.dialect.create_connect_args(engine.url)
    assert (given["host"], given.get("port"), given["user"], given["dbname"]) == (host, port, "u", "leadhub")


async def test_writes_go_on_when_the_server_was_started_anew(postgres_url: str) -> None:
    """Each writer keeps a connection; no sender has to hear that one of them was lost while it had nothing to do."""
    db = GroupCommitDatabase(postgres_url)
    await meeting(db, *(db.write(put(f"before{number}")) for number in range(8)), db.write_behind(put("behind")))
    _end_connections(postgres_url)
    names = [f"after{number}" for number in range(8)]
    results = await asyncio.gather(
        *(db.write(put(name)) for name in names),
        db.write_behind(put("last")),
        return_exceptions=True,
    )
    assert results == [*names, "last"]
    assert await db.read(count) == 18
    await db.close()


async def test_a_connection_lost_at_the_commit_is_told_and_nothing_is_repeated(postgres_url: str) -> None:
    """It may be stored or not: only who asked for it knows how to find out."""
    db = GroupCommitDatabase(postgres_url)
    await db.write(put("before"))
    runs: list[int] = []

    def work(conn: Connection) -> None:
        runs.append(1)
        conn.execute(insert(t_cursor).values(name="perhaps", value={}))
        _end_connections(postgres_url)

    with pytest.raises(StoreUnavailable):
        await db.write(work)
    assert runs == [1]
    assert await db.write(put("after")) == "after"
    await db.close()


async def test_a_hub_that_ends_waits_for_no_lock(postgres_url: str) -> None:
    db = GroupCommitDatabase(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE cursor IN ACCESS EXCLUSIVE MODE")
        held = await _held_up(postgres_url, db.write(put("a")), db.write_behind(put("b")), db.read(count))
        await db.close()
        for one in held:
            with pytest.raises(StoreUnavailable, match="user request"):  # not after the time that a lock may take
                await one
        other.rollback()
        assert other.execute("SELECT * FROM cursor").fetchall() == []


async def test_what_waits_for_a_writer_can_be_given_up(postgres_url: str) -> None:
    db = GroupCommitDatabase(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE cursor IN ACCESS EXCLUSIVE MODE")
        held = await _held_up(postgres_url, *(db.write(put(str(number))) for number in range(POSTGRES_WRITERS)))
        waits = asyncio.create_task(db.write_in_batch(lambda _conn, items: items, 1, first=True))
        await asyncio.sleep(0)
        await db.give_up()
        with pytest.raises(StoreUnavailable, match="given up"):
            await waits
        for one in held:
            with pytest.raises(StoreUnavailable, match="user request"):
                await one
        assert not db.is_awaited()
    assert await db.write(put("after")) == "after"
    await db.close()


async def _held_up(url: str, *asked: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Each waits for a lock before the next one is asked for, so that no two share a transaction."""
    tasks: list[asyncio.Task[Any]] = []
    async with asyncio.timeout(120):
        for one in asked:
            tasks.append(asyncio.create_task(one))
            while _waiting_for_locks(url) < len(tasks):
                await asyncio.sleep(0.01)
    return tasks


def _waiting_for_locks(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row[0] if row else 0


def _end_connections(url: str) -> None:
    """As a server does that is started anew."""
    with psycopg.connect(url, autocommit=True) as conn:
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        conn.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {mine}")


async def test_who_is_frozen_in_a_transaction_loses_it_and_his_lease(postgres_url: str) -> None:
    """As for good where a machine lost its power: the server would wait two hours for it, and the lease with it."""
    frozen, other = GroupCommitDatabase(postgres_url), GroupCommitDatabase(postgres_url)
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(seconds=leases.TTL_S + 1)
    held = await frozen.write(leases.take, "amo", "frozen", now)
    assert held is not None
    begun, thawed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def half_done(conn: Connection) -> None:
        leases.assert_held(conn, held)
        loop.call_soon_threadsafe(begun.set)
        assert thawed.wait(60)
        leases.assert_held(conn, held)

    writing = asyncio.create_task(frozen.write(half_done))
    await begun.wait()
    taken = await other.write(leases.take, "amo", "other", later)
    assert taken == leases.Held("amo", "other", 2)
    thawed.set()
    with pytest.raises((StoreUnavailable, leases.LostLease)):  # the second when it is tried again at once
        await writing
    with pytest.raises(leases.LostLease):
        await frozen.write(leases.assert_held, held)
    await frozen.close()
    await other.close()


def test_a_server_that_is_gone_without_a_word_is_noticed(postgres_url: str) -> None:
    """What the operating system is told; a network that swallows packets cannot be had on every machine."""
    for writer in (True, False):
        engine = make_engine(postgres_url, writer=writer)
        with engine.connect() as conn:
            told = conn.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]  # psycopg's
        engine.dispose()
        assert {name: told[name] for name in ALIVE} == {name: str(value) for name, value in ALIVE.items()}
