"""Backups hold every row and come back on either database, also those of an older schema."""

import gzip
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from store import admin, backups
from store.engines import admin_engine
from tests.support.databases import new_sqlite
from tests.support.full_disk import files_no_larger_than
from tests.support.leads import accept_leads
from tests.support.manual_clock import ManualClock
from tests.support.old_schema import AN_OLD_LEAD, at_schema


def test_a_backup_reads_all_tables_at_one_moment(database_url: str) -> None:
    accept_leads(database_url, ManualClock(), 1)
    engine = admin_engine(database_url)
    with engine.connect() as conn:
        conn.execution_options(isolation_level="REPEATABLE READ") if conn.dialect.name == "postgresql" else None
        before = conn.execute(text("SELECT count(*) FROM lead")).scalar()
        accept_leads(database_url, ManualClock(), 5)
        assert conn.execute(text("SELECT count(*) FROM lead")).scalar() == before
    engine.dispose()


def test_a_backup_restores_every_row(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    accept_leads(database_url, clock, 30)
    file = tmp_path / "hub.backup"
    backups.backup(database_url, file)
    assert file.stat().st_mode & 0o077 == 0
    (tmp_path / "other").mkdir()
    restored = new_sqlite(tmp_path / "other", migrated=False)
    backups.restore(restored, file)
    assert _rows(restored) == _rows(database_url)
    with pytest.raises(backups.BackupError, match="not empty"):
        backups.restore(restored, file)


def test_a_cut_backup_restores_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    url = new_sqlite(tmp_path)
    accept_leads(url, clock, 5)
    file = tmp_path / "hub.backup"
    backups.backup(url, file)
    file.write_bytes(file.read_bytes()[:-200])
    (tmp_path / "other").mkdir()
    restored = new_sqlite(tmp_path / "other", migrated=False)
    with pytest.raises(backups.BackupError):
        backups.restore(restored, file)
    assert all(not rows for rows in _rows(restored).values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a backup"),
        (gzip.compress(b"[1]\n"), "is not a backup"),
        (gzip.compress(b"")[:-3], "cannot be read as a backup"),
        (gzip.compress(b'{"format": "leadhub-backup-1", "schema": "0000"}\n'), "does not know$"),
        (gzip.compress(b'{"format": "leadhub-backup-1", "schema": "0001"}\n'), "cut off"),
        (gzip.compress(b'{"format": "leadhub-backup-1", "schema": "9999"}\n'), "version that made it$"),
    ],
    ids=["empty", "other", "cut", "unknown", "cut older one", "newer"],
)
def test_a_file_that_cannot_be_restored_is_told_with_what_to_do(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "some.gz"
    file.write_bytes(content)
    with pytest.raises(backups.BackupError, match=said) as caught:
        backups.restore(new_sqlite(tmp_path), file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("schema", ["0001", "0005", "0014"])
def test_a_database_that_waits_for_its_upgrade_is_backed_up_and_restored_into_todays(
    bare_database_url: str, schema: str, tmp_path: Path
) -> None:
    at_schema(bare_database_url, schema, AN_OLD_LEAD)
    backups.backup(bare_database_url, tmp_path / "old.gz")
    with gzip.open(tmp_path / "old.gz", "rt") as lines:
        assert json.loads(next(lines))["schema"] == schema
    (tmp_path / "new").mkdir()
    restored = new_sqlite(tmp_path / "new", migrated=False)
    backups.restore(restored, tmp_path / "old.gz")
    assert admin.check(restored) == []
    assert admin.upgrade(bare_database_url) == admin.HEAD
    assert _rows(restored) == _rows(bare_database_url), "as if it had been upgraded where it was"


def test_an_older_backup_that_is_cut_off_restores_nothing(bare_database_url: str, tmp_path: Path) -> None:
    at_schema(bare_database_url, "0005", AN_OLD_LEAD)
    backups.backup(bare_database_url, tmp_path / "old.gz")
    lines = gzip.decompress((tmp_path / "old.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "old.gz").write_bytes(gzip.compress(b"".join(lines[:-1])))
    (tmp_path / "new").mkdir()
    restored = new_sqlite(tmp_path / "new", migrated=False)
    with pytest.raises(backups.BackupError, match="cut off"):
        backups.restore(restored, tmp_path / "old.gz")
    assert all(not rows for rows in _rows(restored).values())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gzip tries to flush once more
def test_a_backup_for_which_there_is_no_room_names_its_file_and_leaves_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    accept_leads(postgres_url, ManualClock(), 100)
    with (
        files_no_larger_than(os.getpid(), 4096),
        pytest.raises(backups.BackupError, match=r"b\.gz cannot be written: "),
    ):
        backups.backup(postgres_url, tmp_path / "b.gz")
    assert not list(tmp_path.glob("b.gz*"))


def _rows(url: str) -> dict[str, list[str]]:
    engine = admin_engine(url)
    with engine.connect() as conn:
        found = {
            table.name: sorted(repr(tuple(row)) for row in conn.execute(table.select()))
            for table in SQLModel.metadata.sorted_tables
        }
    engine.dispose()
    return found
