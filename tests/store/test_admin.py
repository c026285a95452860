"""The schema is made, upgraded and checked the same way on both databases."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Timer

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
from tests.support.leads import accept_leads, acceptance
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
    accept_leads(database_url, clock, 1)
    engine = admin_engine(database_url)
    with engine.begin() as conn:
        conn.execute(text("UPDATE delivery SET state = 'waiting'"))
        conn.execute(text("DELETE FROM raw_request"))
    engine.dispose()
    assert admin.check(database_url) == [
        "1 leads without their raw request",
        "1 deliveries that wait behind nobody",
    ]


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


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as maker:
        maker.execute("BEGIN IMMEDIATE")
        maker.execute("CREATE TABLE t (x)")
        done = Timer(0.3, lambda: maker.execute("COMMIT"))
        done.start()
        engine = make_engine(f"sqlite:///{file}", writer=False)
        with engine.connect() as conn:
            assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        done.join()
        engine.dispose()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"file/var: \w"):
        admin.upgrade(f"sqlite:///{tmp_path}/file/var/hub.db")
