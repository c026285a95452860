"""The cursor of the hot path does on PostgreSQL what psycopg's own does."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.json import Json

from store.libpq import Cursor

Connection = psycopg.Connection[Any]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TEMPORARY TABLE kept (id bigint PRIMARY KEY, word text, body bytea)")
        connection.commit()
        yield connection


@pytest.fixture
def cursor(connection: Connection) -> Cursor:
    return Cursor(connection)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    word=st.none() | TEXTS,
    number=st.none() | st.integers(-(2**63), 2**63 - 1),
    mark=st.none() | st.booleans(),
    body=st.none() | st.binary(),
    share=st.none() | st.floats(allow_nan=False),
    tree=st.dictionaries(TEXTS, st.none() | TEXTS | st.integers() | st.lists(TEXTS)),
)
def test_values_arrive_as_they_are(connection: Connection, cursor: Cursor, **values: Any) -> None:
    values["tree"] = Json(values["tree"])
    sql = (
        "SELECT %(word)s::text, %(number)s::bigint, %(mark)s::boolean, %(body)s::bytea, %(share)s::float8,"
        " %(tree)s::json, %(word)s::varchar, '100%%'::text"
    )
    assert cursor.execute(sql, values).fetchall() == connection.execute(sql, values).fetchall()
    values["tree"] = values["tree"].obj
    assert cursor.fetchall() == [(*values.values(), values["word"], "100%")]


def test_rows_changed_and_rows_found(cursor: Cursor) -> None:
    cursor.executemany("INSERT INTO kept VALUES (%s, %s, %s)", [(1, "a", b"\0"), (2, None, None), (3, "c", b"")])
    assert cursor.rowcount == 3
    assert cursor.fetchall() == []
    assert cursor.execute("UPDATE kept SET word = %s WHERE id > %s", ("d", 1)).rowcount == 2
    assert cursor.execute("SELECT * FROM kept ORDER BY id").fetchall() == [
        (1, "a", b"\0"),
        (2, "d", None),
        (3, "d", b""),
    ]
    assert cursor.rowcount == 3
    assert cursor.execute("DELETE FROM kept WHERE id = %(gone)s", {"gone": 7}).rowcount == 0


def test_rows_are_let_go_of(cursor: Cursor) -> None:
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    cursor.close()
    assert cursor.fetchall() == []
    assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_a_statement_begins_a_transaction_and_commit_ends_it(connection: Connection, cursor: Cursor) -> None:
    cursor.execute("INSERT INTO kept VALUES (%s)", (1,))
    connection.rollback()
    assert cursor.execute("SELECT * FROM kept").fetchall() == []
    cursor.execute("INSERT INTO kept VALUES (%s)", (2,))
    cursor.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    cursor.commit()  # there is none
    connection.commit()
    connection.rollback()
    assert cursor.execute("SELECT id FROM kept").fetchall() == [(2,)]


def test_a_failed_statement_is_told_as_psycopg_tells_it_and_the_next_one_works(cursor: Cursor) -> None:
    cursor.execute("INSERT INTO kept VALUES (%s)", (1,))
    cursor.run("SAVEPOINT before")
    with pytest.raises(errors.UniqueViolation, match="kept_pkey"):
        cursor.execute("INSERT INTO kept VALUES (%s)", (1,))
    with pytest.raises(errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")
    cursor.run("ROLLBACK TO SAVEPOINT before")
    with pytest.raises(errors.UndefinedTable, match="no_such"):
        cursor.execute("SELECT * FROM no_such")
    cursor.run("ROLLBACK TO SAVEPOINT before")
    assert cursor.execute("SELECT count(*) FROM kept").fetchall() == [(1,)]


def test_the_commit_of_what_failed_is_no_success(cursor: Cursor) -> None:
    with pytest.raises(errors.UndefinedTable):
        cursor.execute("SELECT * FROM no_such")
    with pytest.raises(errors.InFailedSqlTransaction, match="rolled it back"):
        cursor.commit()


@pytest.mark.parametrize("value", ["a\0b", Json("a\0b")])
def test_a_text_is_never_cut_off(cursor: Cursor, value: Any) -> None:
    """libpq takes texts up to the first NUL. In JSON it is written as an escape, which stays one."""
    if isinstance(value, Json):
        assert cursor.execute("SELECT (%s::json)::text", (value,)).fetchall() == [('"a\\u0000b"',)]
        return
    with pytest.raises(psycopg.DataError, match="NUL"):
        cursor.execute("SELECT %s::text", (value,))


def test_a_lost_connection_is_an_operational_error(postgres_url: str, cursor: Cursor) -> None:
    cursor.execute("INSERT INTO kept VALUES (%s)", (1,))
    backend = cursor.execute("SELECT pg_backend_pid()").fetchall()[0][0]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (backend,))
    for what in (lambda: cursor.execute("SELECT 1"), cursor.commit, lambda: cursor.execute("SELECT 2")):
        with pytest.raises(psycopg.OperationalError):
            what()
