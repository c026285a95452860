"""The database as a whole: make its schema or upgrade it, check it."""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from store import (
    call_tables,
    conversation_tables,
    errand_tables,
    inbox_tables,
    refused_tables,
    sync_tables,
    tables,
    user_tables,
)
from store.db import StoreUnavailable
from store.engines import admin_engine

assert tables  # imported so that their tables are in the metadata
assert call_tables
assert conversation_tables
assert errand_tables
assert inbox_tables
assert refused_tables
assert sync_tables
assert user_tables
HEAD = "0015"
"""The newest migration; a test keeps it equal to the newest file in migrations/versions."""
UPGRADE_LOCK = 7_305_116
ENCODINGS = ("UTF8", "SQL_ASCII")
"""Of PostgreSQL's, those that hold every text: the second keeps what it is given, which is UTF-8."""
NOT_MADE = "there is no leadhub database here yet: run `leadhub db upgrade`"


class UnfitDatabase(Exception):
    """Starting on it could harm it or lose leads: it was written by a newer leadhub, or cannot hold every text."""


def upgrade(url: str) -> str:
    """Brings the schema to HEAD and returns HEAD; makes the database if there is none.

    One process at a time does it, the others wait. Raises UnfitDatabase, StoreUnavailable.
    """
    path = sqlite_path(url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # people's data: for the owner only, from the first byte
        except OSError as exc:
            raise StoreUnavailable(f"{exc.filename}: {exc.strerror}") from exc
    engine = admin_engine(url)
    try:
        with _upgrade_lock(path), engine.connect() as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(text("SELECT pg_advisory_lock(:key)"), {"key": UPGRADE_LOCK})
                conn.commit()
                _refuse_encoding(conn)
            current = current_revision(conn)
            conn.commit()
            if current != HEAD:
                refuse_newer(current)
                migrate(conn)
            if conn.dialect.name == "postgresql":
                conn.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": UPGRADE_LOCK})
                conn.commit()
    except DBAPIError as exc:
        raise StoreUnavailable(str(exc.orig)) from exc
    finally:
        engine.dispose()
    return HEAD


def current_revision(conn: Connection) -> str | None:
    """The schema's migration number, None for an empty database."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    row = conn.execute(text("SELECT version_num FROM alembic_version")).first()
    return row[0] if row else None


def refuse_newer(current: str | None) -> None:
    """Raises UnfitDatabase for a schema that this program does not know yet."""
    if current is not None and current > HEAD:
        raise UnfitDatabase(
            f"the database has schema {current}, this leadhub knows up to {HEAD}: "
            "start the newer version again, or restore a backup made before the upgrade"
        )


def _refuse_encoding(conn: Connection) -> None:
    """A lead with a character that the database's encoding lacks could never be stored."""
    encoding = conn.execute(text("SHOW server_encoding")).scalar_one()
    conn.commit()
    if encoding not in ENCODINGS:
        raise UnfitDatabase(
            f"the database's encoding {encoding} lacks characters that leads come with: make one with"
            " `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0` (rows move by `leadhub db backup` and `restore`)"
        )


def migrate(conn: Connection, to: str = HEAD) -> None:
    """Runs the migrations up to `to`, all or nothing."""
    from alembic import command  # imported late: a start that needs no migration is quicker without
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, to)
    conn.commit()


@contextlib.contextmanager
def _upgrade_lock(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    with open(f"{path}.upgrade-lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL, None for another database."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def check(url: str) -> list[str]:
    """Problems of the database in plain words; empty when all is well. Raises StoreUnavailable."""
    engine = admin_engine(url)
    try:
        with engine.connect() as conn:
            found = current_revision(conn)
            if found is None:
                return [NOT_MADE]
            if found != HEAD:
                return [f"the schema is {found}, this leadhub wants {HEAD}: run `leadhub db upgrade`"]
            return [*_integrity(conn), *_consistency(conn)]
    except DBAPIError as exc:
        raise StoreUnavailable(str(exc.orig)) from exc
    except sqlite3.DatabaseError as exc:
        raise StoreUnavailable(str(exc)) from exc
    finally:
        engine.dispose()


def _integrity(conn: Connection) -> list[str]:
    if conn.dialect.name != "sqlite":
        return []
    return [f"SQLite: {row[0]}" for row in conn.execute(text("PRAGMA integrity_check")) if row[0] != "ok"]


CONSISTENCY = {
    "leads without their raw request": (
        "SELECT count(*) FROM lead WHERE NOT EXISTS (SELECT 1 FROM raw_request WHERE lead_id = lead.id)"
    ),
    "leads whose person is missing": (
        "SELECT count(*) FROM lead WHERE NOT EXISTS (SELECT 1 FROM person WHERE person.id = lead.person_id)"
    ),
    "deliveries without a lead": (
        "SELECT count(*) FROM delivery WHERE NOT EXISTS (SELECT 1 FROM lead WHERE lead.id = delivery.lead_id)"
    ),
    "leads counted as delivered while a delivery is owed": (
        "SELECT count(*) FROM lead WHERE status = 'delivered' AND EXISTS (SELECT 1 FROM delivery "
        "WHERE lead_id = lead.id AND state NOT IN ('delivered', 'discarded'))"
    ),
    "delivered without the CRM's record id": (
        "SELECT count(*) FROM delivery WHERE state = 'delivered' AND record_id = ''"
    ),
    "deliveries that wait behind nobody": (
        "SELECT count(*) FROM delivery AS d WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM delivery AS o "
        "WHERE o.lane = d.lane AND o.connection = d.connection AND o.state IN ('ready', 'claimed'))"
    ),
}


def _consistency(conn: Connection) -> list[str]:
    problems = []
    for what, query in CONSISTENCY.items():
        count = conn.execute(text(query)).scalar_one()
        if count:
            problems.append(f"{count} {what}")
    return problems
