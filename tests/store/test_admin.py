"""The schema is made, upgraded, backed up and restored the same way on both databases."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from store import admin
from store.db import StoreUnavailable
from store.engines import admin_engine, make_engine
from store.intake import Intake
from store.prepared import fetch
from tests.support.databases import new_sqlite
from tests.support.full_disk import files_no_larger_than
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock


def test_head_is_the_newest_migration() -> None:
    files = sorted(path.name for path in Path("store/migrations/versions").glob("[0-9]*.py"))
    assert files[-1].startswith(f"{admin.HEAD}_")


def test_upgrade_makes_the_schema_of_the_tables(bare_database_url: str) -> None:
    assert admin.upgrade(bare_database_url) == admin.HEAD
    assert admin.upgrade(bare_database_url) == admin.HEAD
    engine = admin_engine(bare_database_url)
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()
    assert admin.check(bare_database_url) == []


def test_an_upgrade_that_is_cut_off_leaves_nothing_half_done(bare_database_url: str) -> None:
    engine = admin_engine(bare_database_url)
    with engine.begin() as conn:
        conn.execute(text("CREATE TABLE errand (id TEXT)"))  # a later migration stumbles over it
    with pytest.raises(StoreUnavailable, match="errand"):
        admin.upgrade(bare_database_url)
    with engine.begin() as conn:
        assert inspect(conn).get_table_names() == ["errand"]
        conn.execute(text("DROP TABLE errand"))
    engine.dispose()
    assert admin.upgrade(bare_database_url) == admin.HEAD


def test_a_backup_reads_all_tables_at_one_moment(database_url: str) -> None:
    _accept(database_url, ManualClock(), 1)
    engine = admin_engine(database_url)
    with engine.connect() as conn:
        conn.execution_options(isolation_level="REPEATABLE READ") if conn.dialect.name == "postgresql" else None
        before = conn.execute(text("SELECT count(*) FROM lead")).scalar()
        _accept(database_url, ManualClock(), 5)
        assert conn.execute(text("SELECT count(*) FROM lead")).scalar() == before
    engine.dispose()


def test_a_newer_schema_refuses_to_start(database_url: str) -> None:
    engine = admin_engine(database_url)
    with engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(admin.UnfitDatabase, match="9999"):
        admin.upgrade(database_url)
    assert "9999" in admin.check(database_url)[0]


def test_check_tells_what_is_wrong(database_url: str) -> None:
    clock = ManualClock()
    _accept(database_url, clock, 1)
    engine = admin_engine(database_url)
    with engine.begin() as conn:
        conn.execute(text("UPDATE delivery SET state = 'waiting'"))
        conn.execute(text("DELETE FROM raw_request"))
    engine.dispose()
    assert admin.check(database_url) == [
        "1 leads without their raw request",
        "1 deliveries that wait behind nobody",
    ]


def test_a_backup_restores_every_row(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    _accept(database_url, clock, 30)
    file = tmp_path / "hub.backup"
    admin.backup(database_url, file)
    assert file.stat().st_mode & 0o077 == 0
    (tmp_path / "other").mkdir()
    restored = new_sqlite(tmp_path / "other", migrated=False)
    admin.restore(restored, file)
    assert _rows(restored) == _rows(database_url)
    with pytest.raises(admin.BackupError, match="not empty"):
        admin.restore(restored, file)


def test_a_cut_backup_restores_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    url = new_sqlite(tmp_path)
    _accept(url, clock, 5)
    file = tmp_path / "hub.backup"
    admin.backup(url, file)
    file.write_bytes(file.read_bytes()[:-200])
    (tmp_path / "other").mkdir()
    restored = new_sqlite(tmp_path / "other", migrated=False)
    with pytest.raises(admin.BackupError):
        admin.restore(restored, file)
    assert all(not rows for rows in _rows(restored).values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a backup"),
        (gzip.compress(b"[1]\n"), "is not a backup"),
        (gzip.compress(b"")[:-3], "cannot be read as a backup"),
        (
            gzip.compress(b'{"format": "leadhub-backup-1", "schema": "0001"}\n'),
            "version that made it, then run `leadhub db",
        ),
        (gzip.compress(b'{"format": "leadhub-backup-1", "schema": "9999"}\n'), "version that made it$"),
    ],
    ids=["empty", "other", "cut", "older", "newer"],
)
def test_a_file_that_cannot_be_restored_is_told_with_what_to_do(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "some.gz"
    file.write_bytes(content)
    with pytest.raises(admin.BackupError, match=said) as caught:
        admin.restore(new_sqlite(tmp_path), file)
    assert str(file) in str(caught.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gzip tries to flush once more
def test_a_backup_for_which_there_is_no_room_names_its_file_and_leaves_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    _accept(postgres_url, ManualClock(), 100)
    with files_no_larger_than(os.getpid(), 4096), pytest.raises(admin.BackupError, match=r"b\.gz cannot be written: "):
        admin.backup(postgres_url, tmp_path / "b.gz")
    assert not list(tmp_path.glob("b.gz*"))


def test_a_database_that_is_away_is_said_to_be() -> None:
    with pytest.raises(StoreUnavailable):
        admin.upgrade("postgresql://leadhub@127.0.0.1:1/leadhub")


@pytest.fixture
def postgres_in(postgres_server: str) -> Callable[[str], str]:
    """An encoding -> URL of a database in it."""

    def make(encoding: str) -> str:
        name = f"in_{encoding.lower()}"
        with psycopg.connect(postgres_server, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        return postgres_server.replace("/postgres?", f"/{name}?")

    return make


def test_a_database_that_cannot_hold_every_text_is_refused(postgres_in: Callable[[str], str]) -> None:
    with pytest.raises(admin.UnfitDatabase, match="WIN1251 lacks"):
        admin.upgrade(postgres_in("WIN1251"))


def test_a_database_without_encoding_holds_every_text(postgres_in: Callable[[str], str], clock: ManualClock) -> None:
    url = postgres_in("SQL_ASCII")
    assert admin.upgrade(url) == admin.HEAD
    engine = make_engine(url, writer=True)
    with engine.connect() as conn:
        Intake(clock).accept(conn, [acceptance(clock, name="Иван 😀")])
        assert fetch(conn, "SELECT name FROM lead", ()) == [("Иван 😀",)]
        assert conn.execute(text("SELECT name FROM lead")).scalar() == "Иван 😀"
    engine.dispose()


def _accept(url: str, clock: ManualClock, count: int) -> None:
    engine = make_engine(url, writer=True)
    with engine.begin() as conn:
        items = [acceptance(clock, phones=(f"+7916{number:07d}",), lead_uid=str(number)) for number in range(count)]
        Intake(clock).accept(conn, items)
    engine.dispose()


def _rows(url: str) -> dict[str, list[str]]:
    engine = admin_engine(url)
    with engine.connect() as conn:
        found = {
            table.name: sorted(repr(tuple(row)) for row in conn.execute(table.select()))
            for table in SQLModel.metadata.sorted_tables
        }
    engine.dispose()
    return found
