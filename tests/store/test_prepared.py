"""Prepared statements do what Core does with the same statement, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from store.db import InlineDatabase, StoreUnavailable
from store.engines import make_engine, unavailable
from store.prepared import Prepared, among, as_array, execute, execute_many, fetch
from store.tables import t_attempt, t_delivery, t_lead

AT = datetime(2026, 11, 26, 9, 30, 0, 123456, tzinfo=UTC)
LEAD = {"id": "l-1", "source": "site", "received_at": AT, "dedup_key": "u:site:1", "person_id": "p-1"}

NEW = Prepared(insert(t_lead))
BY_ID = Prepared(select(t_lead).where(t_lead.c.id == bindparam("of_id")))
CHANGED = Prepared(update(t_lead).where(t_lead.c.id == bindparam("of_id")))


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as conn:
        yield conn


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Connection]:
    engine = make_engine(postgres_url, writer=False)
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def test_rows_are_those_of_core_with_defaults_and_types(conn: Connection) -> None:
    said = {**LEAD, "phones": ("+79160000001", "+79160000002"), "data": {"комментарий": ["один", 2, None]}}
    assert NEW.run(conn, said) == 1
    row = BY_ID.first(conn, {"of_id": "l-1"})
    core = conn.execute(select(t_lead)).one()
    assert row == tuple(core)
    assert row._fields == tuple(core._fields)
    assert (row.received_at, row.phones, row.flags, row.status, row.status_at) == (
        AT,
        said["phones"],
        (),
        "pending",
        None,
    )


def test_defaults_that_are_made_are_made_anew_for_each_row(conn: Connection) -> None:
    delivery = {"connection": "c", "lane": "p", "place": 1, "state": "ready", "created_at": AT}
    rows = [{**delivery, "id": one, "lead_id": one, "due_at": AT, "age_from": AT} for one in "ab"]
    Prepared(insert(t_delivery)).run_many(conn, rows)
    found = Prepared(select(t_delivery.c.id, t_delivery.c.progress, t_delivery.c.incomplete)).all(conn)
    assert sorted(found) == [("a", {}, []), ("b", {}, [])]


def test_an_update_writes_the_columns_that_it_is_given(conn: Connection) -> None:
    NEW.run(conn, LEAD)
    assert CHANGED.run(conn, {"of_id": "l-1", "status": "failed", "status_why": "no route"}) == 1
    assert CHANGED.run(conn, {"of_id": "l-1", "status_at": AT}) == 1
    assert CHANGED.run(conn, {"of_id": "nobody", "status": "failed"}) == 0
    row = BY_ID.first(conn, {"of_id": "l-1"})
    assert (row.status, row.status_why, row.status_at) == ("failed", "no route", AT)


def test_lists_known_beforehand_and_lists_given(conn: Connection) -> None:
    NEW.run_many(conn, [{**LEAD, "id": f"l-{n}", "dedup_key": f"u:site:{n}"} for n in range(5)])
    CHANGED.run_many(conn, [{"of_id": "l-1", "status": "failed"}, {"of_id": "l-2", "status": "delivered"}])
    settled = Prepared(select(t_lead.c.id).where(t_lead.c.status.in_(("failed", "delivered"))).order_by(t_lead.c.id))
    assert settled.scalars(conn) == ["l-1", "l-2"]
    given = Prepared(select(func.count()).where(among(t_lead.c.id, "ids"), t_lead.c.status == bindparam("in_state")))
    for ids, count in ([], 0), (["l-0"], 1), (["l-0", "l-1", "l-3", "l-3", "nobody"], 2), (['"', "'", "\\"], 0):
        assert given.scalar(conn, {"ids": ids, "in_state": "pending"}) == count


def test_what_returns_nothing_and_what_returns_columns(conn: Connection) -> None:
    assert BY_ID.first(conn, {"of_id": "l-1"}) is None
    assert BY_ID.scalar(conn, {"of_id": "l-1"}) is None
    assert BY_ID.all(conn, {"of_id": "l-1"}) == []
    assert Prepared(insert(t_attempt)).run_many(conn, []) == 0
    NEW.run(conn, LEAD)
    returning = Prepared(
        update(t_lead).where(t_lead.c.id == bindparam("of_id")).values(spooled=True).returning(t_lead.c.spooled)
    )
    assert returning.scalar(conn, {"of_id": "l-1"}) is True


def test_other_parameters_than_the_statement_has_are_refused(conn: Connection) -> None:
    with pytest.raises(TypeError, match="given of_idd for the parameters of_id"):
        BY_ID.first(conn, {"of_idd": "l-1"})
    with pytest.raises(TypeError, match="colour"):
        NEW.run(conn, {**LEAD, "colour": "red"})
    with pytest.raises(TypeError, match="for the parameters of_id"):
        BY_ID.first(conn)


def test_errors_are_those_of_core_and_hold_no_values(conn: Connection) -> None:
    NEW.run(conn, LEAD)
    with pytest.raises(IntegrityError) as failed, conn.begin_nested():
        NEW.run(conn, LEAD)
    assert not unavailable(failed.value)
    assert failed.value.params is None
    with pytest.raises(IntegrityError), conn.begin_nested():
        NEW.run_many(conn, [{**LEAD, "id": "l-2", "dedup_key": "u:site:2"}, LEAD])
    assert Prepared(select(func.count()).select_from(t_lead)).scalar(conn) == 1


def test_it_is_part_of_the_transaction(engine: Engine) -> None:
    with engine.connect() as conn:
        NEW.run(conn, LEAD)
        conn.rollback()
        assert BY_ID.first(conn, {"of_id": "l-1"}) is None
        NEW.run(conn, LEAD)
        conn.commit()
    with engine.connect() as conn:
        assert BY_ID.first(conn, {"of_id": "l-1"}) is not None


def test_it_is_known_after_a_rollback(conn: Connection) -> None:
    """A driver that prepares statements by itself forgets them all with a rollback."""
    for _ in range(2):
        for _ in range(12):
            assert BY_ID.first(conn, {"of_id": "l-1"}) is None
            conn.execute(select(t_lead).where(t_lead.c.id == "l-1"))
        conn.rollback()


def test_sql_in_the_driver_s_own_words(conn: Connection) -> None:
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    NEW.run(conn, LEAD)
    update_sql = f"UPDATE lead SET name = {mark} WHERE id = {mark}"
    assert execute(conn, update_sql, ("Анна", "l-1")) == 1
    execute_many(conn, update_sql, [("Пётр", "l-1"), ("", "l-2")])
    assert fetch(conn, f"SELECT name FROM lead WHERE id = {mark}", ("l-1",)) == [("Пётр",)]
    with pytest.raises(Exception, match="no_such_table") as failed:
        fetch(conn, "SELECT 1 FROM no_such_table", ())
    assert "SELECT 1 FROM no_such_table" in str(failed.value)


def test_a_lost_connection_is_told_as_the_database_being_away(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection that others could end")
    with engine.connect() as conn, engine.connect() as other:
        backend = fetch(conn, "SELECT pg_backend_pid()", ())[0][0]
        fetch(other, "SELECT pg_terminate_backend(%s)", (backend,))
        with pytest.raises(OperationalError) as failed:
            BY_ID.first(conn, {"of_id": "l-1"})
        assert unavailable(failed.value)
        assert failed.value.connection_invalidated
        conn.rollback()
        assert BY_ID.first(conn, {"of_id": "l-1"}) is None  # on a new one


async def test_a_table_that_is_altered_while_the_hub_runs(postgres_url: str) -> None:
    """What was prepared before has the types of then, and PostgreSQL refuses it ever after."""
    db = InlineDatabase(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as upgrade:
        upgrade.execute("CREATE TABLE altered AS SELECT 1 AS number")
        assert await db.write(fetch, "SELECT number FROM altered", ()) == [(1,)]
        assert await db.read(fetch, "SELECT number FROM altered", ()) == [(1,)]
        upgrade.execute("ALTER TABLE altered ALTER number TYPE text")
    assert await db.write(fetch, "SELECT number FROM altered", ()) == [("1",)]
    with pytest.raises(StoreUnavailable, match="cached plan"):
        await db.read(fetch, "SELECT number FROM altered", ())
    assert await db.read(fetch, "SELECT number FROM altered", ()) == [("1",)]
    await db.close()


TEXTS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts=TEXTS, numbers=st.lists(st.integers(-(2**63), 2**63 - 1)), bodies=st.lists(st.binary()), marks=...)
def test_a_list_arrives_as_it_is(
    postgres: Connection, texts: list[str], numbers: list[int], bodies: list[bytes], marks: list[bool]
) -> None:
    sql = "SELECT %s::text[], %s::bigint[], %s::bytea[], %s::boolean[]"
    lists = (texts, numbers, bodies, marks)
    assert fetch(postgres, sql, [as_array(one) for one in lists]) == [lists]


@pytest.mark.parametrize("text", ["", "NULL", "null", '"', "\\", '\\"', "{a,b}", " a ", "'", "%s", "\u2003", "a\nb"])
def test_a_list_of_what_means_something_to_the_server(postgres: Connection, text: str) -> None:
    assert fetch(postgres, "SELECT %s::text[]", [as_array([text, text])]) == [([text, text],)]


def test_a_list_has_texts_not_what_python_calls_them() -> None:
    class Word(str, Enum):  # noqa: UP042  # its str() is not its value
        ONE = 'a"b'

    assert as_array([Word.ONE]) == '{"a\\"b"}'


@pytest.mark.parametrize("value", [None, bytearray(b"a"), memoryview(b"a"), ("a",), 1.5])
def test_a_list_takes_no_value_that_would_arrive_as_another(value: Any) -> None:
    with pytest.raises(TypeError):
        as_array([value])
