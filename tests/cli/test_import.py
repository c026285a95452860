"""`leadhub leads import` and how a table is read."""

import contextlib
import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.intake.imports import UnreadableTable, read_table
from tests.cli.hubless import CONFIG, folder_with_database
from tests.cli.inside import inside
from tests.cli.running import leadhub
from tests.support.running_hub import running_hub

TABLE = """\
Имя;Телефон;Почта;Комментарий;utm_source;Бюджет
Ольга Смирнова;8 (921) 555-01-01;olga@example.ru;"Нужны окна; три штуки";Yandex;50000
Пётр;+7 921 555 01 02;;Перезвоните;;

Никто;;;привет;;
Лишнее;+79215550103;;a;b;c;d;e
"""


def imported(folder: Path, *more: str, content: bytes = TABLE.encode()) -> tuple[int, dict[str, Any]]:
    (folder / "leads.csv").write_bytes(content)
    ran = inside("leads", "import", str(folder / "leads.csv"), "--json", *more, folder=folder)
    return ran.status, json.loads(ran.out)


def stored(folder: Path, query: str) -> list[Any]:
    with sqlite3.connect(folder / "var/leadhub.db") as conn:
        return conn.execute(query).fetchall()


def test_rows_become_leads_as_from_a_form_and_a_second_import_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    status, answer = imported(tmp_path)
    assert status == 1, "one row was not understood"
    assert (answer["source"], answer["added"], answer["repeated"]) == ("site", 3, 0)
    assert answer["bad"] == [{"line": 6, "reason": "8 cells, but 6 columns: is a semicolon in a text?"}]
    assert answer["flagged"] == [{"line": 5, "reason": "neither a phone nor an e-mail"}]
    [lead] = [
        one
        for one in json.loads(inside("leads", "list", "--json", folder=tmp_path).out)
        if one["name"] == "Ольга Смирнова"
    ]
    assert (lead["phones"], lead["emails"]) == (["+79215550101"], ["olga@example.ru"])
    assert (lead["comment"], lead["utm"]) == ("Нужны окна; три штуки", {"utm_source": "yandex"})
    assert lead["extra"] == {"Бюджет": "50000"}
    _, again = imported(tmp_path)
    assert (again["added"], again["repeated"]) == (0, 3)
    assert stored(tmp_path, "SELECT count(*) FROM lead") == [(3,)]


def test_imported_leads_are_bulk_work_that_never_goes_before_a_fresh_lead(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    imported(tmp_path)
    assert stored(tmp_path, "SELECT DISTINCT priority, state FROM delivery") == [(2, "ready")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_the_usual_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    _, answer = imported(tmp_path, content=TABLE.encode(encoding))
    assert answer["columns"]["Имя"] == "name"
    assert ("Ольга Смирнова",) in stored(tmp_path, "SELECT name FROM lead")


def test_a_dry_run_stores_nothing_and_says_what_the_columns_mean(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "leads.csv").write_text(TABLE)
    ran = inside("leads", "import", str(tmp_path / "leads.csv"), "--dry-run", folder=tmp_path)
    assert ran.status == 1
    assert "Имя → name, Телефон → phone, Почта → email, Комментарий → comment" in ran.out
    assert "would be added 3 leads" in ran.out
    assert "line 6: 8 cells" in ran.err
    assert not (tmp_path / "var/leadhub.db").exists()


def test_an_id_column_makes_the_leads_of_a_longer_export_known(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    head, rows = "ID,phone\n", ["7,+79215550101\n", "8,+79215550102\n", "9,+79215550103\n"]
    assert imported(folder, content=(head + "".join(rows[:2])).encode())[1]["added"] == 2
    _, answer = imported(folder, content=(head + "".join(rows)).encode())
    assert (answer["added"], answer["repeated"]) == (1, 2)


def test_a_lead_that_a_form_sent_is_known_by_its_uid(tmp_path: Path) -> None:
    with running_hub(tmp_path, locale="en") as hub:
        lead_id = hub.send(name="Anna", phone="+7 921 555-01-01", lead_uid="form-77")
        _, answer = imported(tmp_path, "--source", "site", content=b"lead_uid,phone\nform-77,+79215550101\n")
        assert (answer["added"], answer["repeated"]) == (0, 1)
        rows = "".join(f"Person {number},+7921555{number:04}\n" for number in range(30))
        _, answer = imported(tmp_path, "--source", "site", content=f"name,phone\n{rows}".encode())
        assert (answer["added"], answer["connections"]) == (30, {"sales": 30})
        hub.wait_until_delivered()
        deals = hub.sandbox.layers["amocrm"].vendor.deals  # type: ignore[attr-defined]
        assert len(deals) == 31
        assert lead_id


def test_without_a_route_it_is_said_aloud(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path, CONFIG + "  - {from: [other], to: [sales]}\n")
    config = CONFIG.replace("  site:", "  lost: {type: webform}\n  site:")
    (folder / "config.yaml").write_text(config)
    (folder / "leads.csv").write_text("phone\n+79215550101\n")
    ran = inside("leads", "import", str(folder / "leads.csv"), "--source", "lost", folder=folder)
    assert "NO ROUTE 1" in ran.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b" \n\n", "the file is empty"), (b"\xff\xfe\x00", "neither UTF-8 nor windows-1251")],
)
def test_what_is_no_table_is_said_so(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableTable, match=reason):
        read_table(content)


def test_a_file_that_is_not_there_and_a_source_that_is_not_defined(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    ran = leadhub("leads", "import", "nothing.csv", cwd=folder)
    assert (ran.status, ran.err) == (2, "leadhub: nothing.csv: No such file or directory\n")
    (folder / "leads.csv").write_text(TABLE)
    ran = leadhub("leads", "import", "leads.csv", "--source", "nobody", cwd=folder)
    assert (ran.status, "defined: site" in ran.err) == (2, True)


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12).map(str.strip)


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS).filter(any), min_size=1, max_size=8),
    st.sampled_from(";,\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_every_row_that_was_written_is_read(rows: list[tuple[str, str, str]], delimiter: str, encoding: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["name", "phone", "comment"])
    writer.writerows(rows)
    table = read_table(out.getvalue().encode(encoding))
    assert table.delimiter == delimiter
    assert table.columns == ("name", "phone", "comment")
    assert [tuple(row.cells.get(name, "") for name in table.columns) for row in table.rows] == rows
    assert table.bad == ()


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_a_reason(content: bytes) -> None:
    table = None
    with contextlib.suppress(UnreadableTable):
        table = read_table(content)
    if table is not None:
        assert len(set(table.columns)) == len(table.columns)
        assert all(set(row.cells) <= set(table.columns) for row in table.rows)
