"""`leadhub db`."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.running import leadhub


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("hub: {database: 'sqlite:///data/hub.db'}\n")
    return tmp_path


def test_upgrade_makes_the_database_beside_the_file_and_may_be_repeated(hub: Path) -> None:
    for _ in range(2):
        ran = leadhub("db", "upgrade", "--config", str(hub / "config.yaml"), cwd=Path("/"))
        assert ran.status == 0
        assert ran.out.startswith("The database has schema ")
    assert (hub / "data/hub.db").exists()
    assert leadhub("db", "check", cwd=hub).out == "The database is whole.\n"


def test_a_backup_is_restored_into_an_empty_database_only(hub: Path) -> None:
    leadhub("db", "upgrade", cwd=hub)
    assert leadhub("db", "backup", "b.gz", cwd=hub).status == 0
    again = leadhub("db", "backup", "b.gz", cwd=hub)
    assert (again.status, again.out) == (2, "")
    assert "b.gz is there already" in again.err
    (hub / "config.yaml").write_text("hub: {database: 'sqlite:///data/new.db'}\n")
    assert leadhub("db", "restore", "b.gz", cwd=hub).status == 0
    assert leadhub("db", "check", cwd=hub).status == 0


def test_the_answers_are_in_the_hubs_language(hub: Path) -> None:
    (hub / "config.yaml").write_text("hub: {database: 'sqlite:///data/hub.db', locale: ru}\n")
    assert leadhub("db", "upgrade", cwd=hub).out.startswith("Схема базы данных: ")
    assert leadhub("db", "check", cwd=hub).out == "База данных в порядке.\n"
    assert "Всё записано в b.gz (" in leadhub("db", "backup", "b.gz", cwd=hub).out
    (hub / "config.yaml").write_text("hub: {database: 'sqlite:///data/new.db', locale: ru}\n")
    assert leadhub("db", "restore", "b.gz", cwd=hub).out == "База данных восстановлена из b.gz.\n"


def test_check_ends_with_1_when_the_database_is_not_whole(hub: Path) -> None:
    (hub / "data").mkdir()
    sqlite3.connect(hub / "data/hub.db").close()
    ran = leadhub("db", "check", "--json", cwd=hub)
    assert ran.status == 1
    assert len(json.loads(ran.out)["problems"]) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("check",), "the database cannot be used"),
        (("restore", "nowhere.gz"), "nowhere.gz: no such file"),
        (("restore", "config.yaml"), "cannot be read as a backup"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_a_sentence(hub: Path, arguments: tuple[str, ...], part: str) -> None:
    ran = leadhub("db", *arguments, cwd=hub)
    assert ran.status == 2
    assert part in ran.err
    assert "Traceback" not in ran.err


def test_a_database_server_that_is_not_there_is_told_without_its_password(hub: Path) -> None:
    (hub / "config.yaml").write_text("hub: {database: 'postgresql://u:Zq7secret@127.0.0.1:1/db'}\n")
    ran = leadhub("db", "upgrade", cwd=hub)
    assert ran.status == 2
    assert "the database cannot be used" in ran.err
    assert "Zq7secret" not in ran.out + ran.err
