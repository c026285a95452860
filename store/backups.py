"""Backups: every row as a line of JSON, the same for SQLite and PostgreSQL, of this schema or of an older one."""

import gzip
import json
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from sqlalchemy import Connection, LargeBinary, TableClause, column, insert, inspect, select, table
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from store.admin import HEAD, NOT_MADE, current_revision, migrate, refuse_newer, upgrade
from store.db import StoreUnavailable
from store.engines import admin_engine
from store.tables import Instant, from_us, to_us

FORMAT = "leadhub-backup-1"
ROWS_AT_ONCE = 500


class BackupError(Exception):
    """The file cannot be written, or is not a backup that can be restored here; the text says why."""


def backup(url: str, file: Path) -> None:
    """Writes every row to `file` (gzipped lines of JSON), from one consistent snapshot, while the hub runs.

    The form does not depend on the database, so a backup of SQLite may be restored into PostgreSQL.
    A database that waits for its upgrade is written as it is. Raises BackupError, UnfitDatabase, StoreUnavailable.
    """
    engine = admin_engine(url)
    partial = file.with_name(file.name + ".partial")
    try:
        with engine.connect() as conn, _private(partial) as raw, gzip.open(raw, "wt", encoding="utf-8") as out:
            if conn.dialect.name == "postgresql":
                conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            revision = current_revision(conn)
            if revision is None:
                raise BackupError(NOT_MADE)
            refuse_newer(revision)
            out.write(json.dumps({"format": FORMAT, "schema": revision}) + "\n")
            for found in _tables(conn):
                # Column values as the driver has them: instants stay integers, JSON is parsed once here.
                for row in conn.execution_options(yield_per=ROWS_AT_ONCE).execute(select(found)):
                    values = {name: _plain(value) for name, value in row._mapping.items()}
                    out.write(json.dumps({"table": found.name, "row": values}, ensure_ascii=False) + "\n")
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


def _tables(conn: Connection) -> Iterator[TableClause]:
    """Those that are there, with the columns that are there: an older schema has fewer."""
    found = inspect(conn)
    there = set(found.get_table_names())
    for one in SQLModel.metadata.sorted_tables:
        if one.name in there:
            yield _with_columns(one.name, [column["name"] for column in found.get_columns(one.name)])


def _with_columns(name: str, columns: Collection[str]) -> TableClause:
    """No migration takes a column away or gives it another type; KeyError if one does not know it."""
    ours = SQLModel.metadata.tables[name].columns
    return table(name, *(column(one, ours[one].type) for one in columns))


def restore(url: str, file: Path, then: Callable[[Connection], object] = lambda _conn: None) -> None:
    """Fills an empty (or new) database from a backup, all or nothing; `then` belongs to it.

    A backup of an older schema is upgraded beside it first. Raises BackupError, UnfitDatabase, StoreUnavailable.
    """
    upgrade(url)
    engine = admin_engine(url)
    try:
        with _of_today(file) as rows, engine.begin() as conn:
            for one in SQLModel.metadata.sorted_tables:
                if conn.execute(one.select().limit(1)).first() is not None:
                    raise BackupError(f"the database is not empty ({one.name} has rows): restore into a new one")
            _load(conn, rows)
            then(conn)
    except DBAPIError as exc:
        raise StoreUnavailable(str(exc.orig)) from exc
    finally:
        engine.dispose()


@contextmanager
def _of_today(file: Path) -> Iterator[Path]:
    """The same rows in today's schema: `file` itself, or what a temporary database makes of an older one."""
    schema = _schema(file)
    if schema == HEAD:
        yield file
        return
    from alembic.util import CommandError  # imported late, as in store.admin

    with TemporaryDirectory(prefix="leadhub-restore-") as folder:  # for its owner only
        url, upgraded = f"sqlite:///{folder}/leadhub.db", Path(folder) / "upgraded.gz"
        engine = admin_engine(url)
        try:
            with engine.connect() as conn:
                migrate(conn, schema)
            with engine.begin() as conn:
                _load(conn, file)
        except CommandError:
            raise BackupError(f"{file} has schema {schema}, which this leadhub ({HEAD}) does not know") from None
        finally:
            engine.dispose()
        upgrade(url)
        backup(url, upgraded)
        yield upgraded


def _schema(file: Path) -> str:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            head = json.loads(next(lines, "null"))
    except (OSError, EOFError, ValueError, zlib.error) as exc:
        raise BackupError(f"{file} cannot be read as a backup: {exc}") from exc
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise BackupError(f"{file} is not a backup made by `leadhub db backup`")
    schema = str(head.get("schema"))
    if schema > HEAD:
        raise BackupError(
            f"{file} has schema {schema}, this leadhub has {HEAD}: restore it with the version that made it"
        )
    return schema


def _load(conn: Connection, file: Path) -> None:
    by_table: dict[str, list[dict[str, Any]]] = {}
    complete = False
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                entry = json.loads(line)
                if entry.get("end"):
                    complete = True
                    break
                rows = by_table.setdefault(entry["table"], [])
                rows.append(_unplain(entry["table"], entry["row"]))
                if len(rows) >= ROWS_AT_ONCE:
                    _insert(conn, entry["table"], rows)
                    rows.clear()
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as exc:
        raise BackupError(f"{file} cannot be read as a backup: {exc}") from exc
    if not complete:
        raise BackupError(f"{file} is cut off: its end mark is missing")
    for name, rows in by_table.items():
        if rows:
            _insert(conn, name, rows)


def _insert(conn: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    conn.execute(insert(_with_columns(name, rows[0])), rows)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": b64encode(value).decode()}
    return {"us": to_us(value)} if hasattr(value, "tzinfo") else value


def _unplain(name: str, row: dict[str, Any]) -> dict[str, Any]:
    columns = SQLModel.metadata.tables[name].columns
    values: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(columns[key].type, LargeBinary):
            values[key] = None if value is None else b64decode(value["b64"])
        elif isinstance(columns[key].type, Instant):
            values[key] = None if value is None else from_us(value["us"])
        else:
            values[key] = value
    return values
