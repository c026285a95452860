"""The database as a whole: make or upgrade its schema, back it up, restore, check."""

import contextlib
import fcntl
import gzip
import json
import os
import sqlite3
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, LargeBinary, insert, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

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
BACKUP_FORMAT = "leadhub-backup-1"
ROWS_AT_ONCE = 500
ENCODINGS = ("UTF8", "SQL_ASCII")
"""Of PostgreSQL's, those that hold every text: the second keeps what it is given, which is UTF-8."""
NOT_MADE = "there is no leadhub database here yet: run `leadhub db upgrade`"


class UnfitDatabase(Exception):
    """Starting on it could harm it or lose leads: it was written by a newer leadhub, or cannot hold every text."""


class BackupError(Exception):
    """The file cannot be written, or is not a backup that can be restored here; the text says why."""


def upgrade(url: str) -> str:
    """Brings the schema to HEAD and returns HEAD; makes the database if there is none.

    One process at a time does it, the others wait. Raises UnfitDatabase, StoreUnavailable.
    """
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # people's data: for the owner only, from the first byte
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
                _refuse_newer(current)
                _migrate(conn)
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


def _refuse_newer(current: str | None) -> None:
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


def _migrate(conn: Connection) -> None:
    from alembic import command  # imported late: a start that needs no migration is quicker without
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, HEAD)
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


def backup(url: str, file: Path) -> None:
    """Writes every row to `file` (gzipped lines of JSON), from one consistent snapshot, while the hub runs.

    The form does not depend on the database, so a backup of SQLite may be restored into PostgreSQL.
    """
    engine = admin_engine(url)
    partial = file.with_name(file.name + ".partial")
    try:
        with engine.connect() as conn, _private(partial) as raw, gzip.open(raw, "wt", encoding="utf-8") as out:
            if conn.dialect.name == "postgresql":
                conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            revision = current_revision(conn)
            _refuse_newer(revision)
            if revision != HEAD:
                raise BackupError(f"the database has schema {revision}: run `leadhub db upgrade` first")
            out.write(json.dumps({"format": BACKUP_FORMAT, "schema": revision}) + "\n")
            for table in SQLModel.metadata.sorted_tables:
                # Column values as the driver has them: instants stay integers, JSON is parsed once here.
                for row in conn.execution_options(yield_per=ROWS_AT_ONCE).execute(table.select()):
                    values = {name: _plain(value) for name, value in row._mapping.items()}
                    out.write(json.dumps({"table": table.name, "row": values}, ensure_ascii=False) + "\n")
            out.write(json.dumps({"end": True}) + "\n")
        with open(partial, "rb") as done:
            os.fsync(done.fileno())
        partial.replace(file)
    except DBAPIError as exc:
        raise StoreUnavailable(str(exc.orig)) from exc
    except OSError as exc:  # a full disk names no file
        raise BackupError(f"{file} cannot be written: {exc.strerror or exc}") from exc
    finally:
        partial.unlink(missing_ok=True)
        engine.dispose()


def _private(file: Path) -> IO[bytes]:
    """A new file that only its owner can read: there are people in it."""
    return open(file, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


def restore(url: str, file: Path, then: Callable[[Connection], object] = lambda _conn: None) -> None:
    """Fills an empty (or new) database from a backup, all or nothing; `then` belongs to it.

    Raises BackupError, StoreUnavailable.
    """
    upgrade(url)
    engine = admin_engine(url)
    try:
        with engine.begin() as conn:
            for table in SQLModel.metadata.sorted_tables:
                if conn.execute(table.select().limit(1)).first() is not None:
                    raise BackupError(f"the database is not empty ({table.name} has rows): restore into a new one")
            _load(conn, file)
            then(conn)
    except DBAPIError as exc:
        raise StoreUnavailable(str(exc.orig)) from exc
    finally:
        engine.dispose()


def _load(conn: Connection, file: Path) -> None:
    by_table: dict[str, list[dict[str, Any]]] = {}
    complete = False
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            _refuse_backup(file, json.loads(next(lines, "null")))
            for line in lines:
                entry = json.loads(line)
                if entry.get("end"):
                    complete = True
                    break
                rows = by_table.setdefault(entry["table"], [])
                rows.append(_unplain(entry["table"], entry["row"]))
                if len(rows) >= ROWS_AT_ONCE:
                    conn.execute(insert(SQLModel.metadata.tables[entry["table"]]), rows)
                    rows.clear()
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as exc:
        raise BackupError(f"{file} cannot be read as a backup: {exc}") from exc
    if not complete:
        raise BackupError(f"{file} is cut off: its end mark is missing")
    for name, rows in by_table.items():
        if rows:
            conn.execute(insert(SQLModel.metadata.tables[name]), rows)


def _refuse_backup(file: Path, head: Any) -> None:
    if not isinstance(head, dict) or head.get("format") != BACKUP_FORMAT:
        raise BackupError(f"{file} is not a backup made by `leadhub db backup`")
    schema = head.get("schema")
    if schema != HEAD:
        then = "" if str(schema) > HEAD else ", then run `leadhub db upgrade` with this one"
        raise BackupError(
            f"{file} has schema {schema}, this leadhub has {HEAD}: restore it with the version that made it{then}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": b64encode(value).decode()}
    return {"us": tables.to_us(value)} if hasattr(value, "tzinfo") else value


def _unplain(table: str, row: dict[str, Any]) -> dict[str, Any]:
    columns = SQLModel.metadata.tables[table].columns
    values: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(columns[name].type, LargeBinary):
            values[name] = b64decode(value["b64"])
        elif isinstance(columns[name].type, tables.Instant):
            values[name] = None if value is None else tables.from_us(value["us"])
        else:
            values[name] = value
    return values


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
