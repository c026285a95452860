"""What is asked every few seconds is served by partial indexes, however many leads have arrived."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobs.alerts import incidents
from jobs.alerts.incidents import StoredIncidents
from jobs.watch import Watch
from store import assignments, errands, leases, mending, missed_calls, note_duties, reading, rhythm
from store.deal_notes import lead_of_ids, person_of_keys
from store.engines import make_engine
from store.fallbacks import waiting_for_fallback
from store.intake import Intake
from store.lateness import on_the_way
from tests.support.databases import QuickDatabase, new_sqlite
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

BIG = ("lead", "delivery", "raw_request", "person", "touch", "attempt", "identity", "event", "assignment", "errand")
PARTIAL = ("ix_delivery_ready", "ix_delivery_owed", "ix_delivery_incomplete", "ix_lead_not_arrived", "ix_errand_owed")


def read_whole(conn: Connection, work: Callable[[Connection], Any], told_plans: list[str] | None = None) -> list[str]:
    """Tables of which `work` reads all rows, or all of an index that is not a partial one.

    `told_plans` gets all plans.
    """
    driver = conn.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    work(conn)
    driver.set_trace_callback(None)
    told = [sql for sql in asked if sql.startswith(("SELECT", "UPDATE"))]
    plans = [row[3] for sql in told for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plans
    if told_plans is not None:
        told_plans += plans
    scans = [one for one in plans if one.startswith("SCAN") and one.split()[1] in BIG]
    return [one for one in scans if not one.endswith(PARTIAL)]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    db, clock = QuickDatabase(new_sqlite(tmp_path)), ManualClock()
    return Watch(db, clock, StoredIncidents(db, clock), {"sales": {}}, timedelta(seconds=60), lambda _names: None)


@pytest.fixture
def conn(watch: Watch) -> Iterator[Connection]:
    engine = make_engine(watch.db.url, writer=True)  # type: ignore[attr-defined]  # of a real one
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def test_a_look_at_what_is_late(watch: Watch, conn: Connection) -> None:
    now = watch.clock.now()
    assert read_whole(conn, lambda conn: watch._look(conn, now)) == []
    assert read_whole(conn, lambda conn: on_the_way(conn, "sales", now)) == []
    assert read_whole(conn, lambda conn: incidents.dead(conn, "sales")) == []
    assert read_whole(conn, lambda conn: waiting_for_fallback(conn, now, limit=10)) == []


def test_mending(watch: Watch, conn: Connection) -> None:
    now = watch.clock.now()
    held = leases.take(conn, "sales", "me", now)
    assert held is not None
    assert read_whole(conn, lambda conn: mending.free_stuck_lanes(conn, now)) == []
    assert read_whole(conn, lambda conn: mending.release_forgotten(conn, held, (), now)) == []
    assert read_whole(conn, lambda conn: mending.make_some_due(conn, "sales", now, limit=5)) == []
    for change in (mending.take_over, mending.hand_back):
        assert read_whole(conn, lambda conn, change=change: change(conn, held, now)) == []
    for change in (mending.clamp_due, mending.make_due, mending.grant_time):
        assert read_whole(conn, lambda conn, change=change: change(conn, "sales", now)) == []


def test_what_is_told_on_deals(watch: Watch, conn: Connection) -> None:
    now = watch.clock.now()
    assert read_whole(conn, lambda conn: note_duties.follow_discarded(conn, "sales", now)) == []
    assert read_whole(conn, lambda conn: errands.due_locally(conn, now, limit=5)) == []
    assert read_whole(conn, lambda conn: missed_calls.tasks_of(conn, "sales", "+79161234567")) == []
    for local in (True, False):
        assert read_whole(conn, lambda conn, local=local: errands.owed(conn, local=local)) == []


def test_who_was_responsible_before(conn: Connection) -> None:
    """Found by the person: SQLite would rather walk through all assignments of the connection."""
    plan: list[str] = []
    assert read_whole(conn, lambda conn: assignments._previous_user(conn, "sales", "p", "d"), plan) == []
    assert not [one for one in plan if one.startswith("SEARCH assignment") and "lead_id=?" not in one]


def test_what_is_asked_for_the_sake_of_a_day_or_a_source_reads_no_more_than_that(conn: Connection) -> None:
    plan: list[str] = []
    since = datetime(2026, 11, 26, tzinfo=UTC)
    read_whole(conn, lambda conn: assignments._load(conn, "sales", since), plan)
    read_whole(conn, lambda conn: rhythm.by_hour(conn, "site", since), plan)
    read_whole(conn, lambda conn: rhythm.last_event_at(conn, "site"), plan)
    assert [one.partition("USING ")[2].removeprefix("COVERING ") for one in plan if one.startswith("SEARCH")] == [
        "INDEX ix_assignment_since (connection=? AND at>?)",
        "INDEX ix_lead_source (source=? AND received_at>?)",
        "INDEX ix_event_source (source=? AND received_at>?)",
        "INDEX ix_lead_source (source=?)",
        "INDEX ix_event_source (source=?)",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        *(reading.owed, reading.count_owed, reading.owed_groups, reading.unrouted, reading.count_unrouted),
        *(reading.count_not_arrived, reading.oldest_pending),
    ],
)
def test_what_did_not_arrive(conn: Connection, asked: Callable[[Connection], Any]) -> None:
    assert read_whole(conn, asked) == []


READ = text(
    "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables"
    " WHERE relname IN ('lead', 'delivery', 'identity', 'person')"
)
KEPT = 12
"""Times after which PostgreSQL keeps the plan of a statement: the driver prepares it, then five are planned anew."""


@pytest.mark.parametrize("held_before", [0, 500])
def test_plans_made_while_tables_were_empty(postgres_url: str, clock: ManualClock, held_before: int) -> None:
    """However large the files are that PostgreSQL has for them."""
    engine, intake = make_engine(postgres_url, writer=True), Intake(clock)

    def take(conn: Connection, prefix: str, count: int) -> None:
        intake.accept(conn, [acceptance(clock, phones=(f"+{prefix}{number:07}",)) for number in range(count)])

    def read(conn: Connection) -> int:
        return sum(row.rows for row in conn.execute(READ))

    with closing(engine.connect()) as conn:
        if held_before:
            with conn.begin():
                take(conn, "7917", held_before)
            with conn.begin():
                for table in ("delivery", "touch", "raw_request", "identity", "lead", "person"):
                    conn.execute(text(f"DELETE FROM {table}"))
                conn.execute(text("ANALYZE"))
        for asked in range(KEPT + 1):
            if asked == KEPT:
                with conn.begin():
                    take(conn, "7916", 2_000)
            with conn.begin():
                before = read(conn)
                assert lead_of_ids(conn, ["order-5", "no-such-order"], ["site", "shop"]) is None
                assert person_of_keys(conn, [("email", "nobody@example.com")]) is None
                take(conn, f"79{asked:02}", 1)
                assert read(conn) - before <= 20
    engine.dispose()
