"""What a claim costs with a million finished deliveries behind it, against a thousand."""

import time
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, Engine, text

from leads.clock import SystemClock
from store import admin, leases, outbox
from store.engines import make_engine
from store.intake import Intake
from tests.bench import servers
from tests.bench.scale import Scale
from tests.bench.table import Row, at_most
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

AIM = 1.3
READY = 200
AT_ONCE = 10


def measure(folder: Path, scale: Scale, postgres_uri: str) -> list[Row]:
    few, many = scale.finished_rows
    rows = []
    for title, urls in (
        ("SQLite", [f"sqlite:///{folder / f'{count}.db'}" for count in (few, many)]),
        ("PostgreSQL", [servers.new_database(postgres_uri) for _ in range(2)]),
    ):
        small, large = (claim_ms(url, count, scale.claims) for url, count in zip(urls, (few, many), strict=True))
        rows += [
            Row(f"claim of {AT_ONCE}, {few:,} finished, {title}", f"{small:.2f} ms"),
            at_most(f"  {many:,} finished to that, {title}", large / small, AIM, "x"),
        ]
    return rows


def claim_ms(url: str, finished: int, times: int) -> float:
    """Median milliseconds of a claim that is rolled back."""
    admin.upgrade(url)
    engine = make_engine(url, writer=True)
    clock = ManualClock(SystemClock().now())
    with engine.begin() as conn:
        items = [acceptance(clock, phones=(f"+7916{number:07d}",), lead_uid=f"r{number}") for number in range(READY)]
        Intake(clock).accept(conn, items)
        _finish(conn, finished)
        held = leases.take(conn, "sales", "bench", clock.now())
    assert held is not None
    _settle_statistics(engine)
    took = []
    for _ in range(times):
        with engine.connect() as conn, conn.begin() as transaction:
            started = time.perf_counter()
            claimed = outbox.claim(conn, held, clock.now(), limit=AT_ONCE).claimed
            took.append((time.perf_counter() - started) * 1000)
            transaction.rollback()
        assert len(claimed) == AT_ONCE
    engine.dispose()
    return median(took)


def _finish(conn: Connection, count: int) -> None:
    """Copies of one delivery, all delivered: what years of work leave behind."""
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n"
        if conn.dialect.name == "sqlite"
        else "SELECT generate_series(1, :count) AS i"
    )
    one = "SELECT lead_id, lane, created_at, due_at, age_from FROM delivery LIMIT 1"
    conn.execute(
        text(
            "INSERT INTO delivery (id, lead_id, connection, lane, place, state, priority, "  # our own words
            "created_at, due_at, age_from, record_id, settled_at) "
            "SELECT 'f' || n.i, 'f' || n.i, 'sales', 'p' || (n.i / 3), 1, 'delivered', 0, d.created_at - n.i, "
            f"d.due_at - n.i, d.age_from, '1', d.created_at FROM ({numbers}) AS n, ({one}) AS d"
        ),
        {"count": count},
    )


def _settle_statistics(engine: Engine) -> None:
    """As both databases do by themselves sooner or later."""
    with engine.connect() as conn:
        if conn.dialect.name == "postgresql":
            conn.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE delivery"))
