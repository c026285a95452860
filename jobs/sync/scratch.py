"""A copy of what one sync knows, in a database of its own: a plan may do there whatever a pass does."""

import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, create_mock_engine, insert, make_url, select
from sqlmodel import SQLModel

from store.db import Database, GroupCommitDatabase, InlineDatabase
from store.engines import make_engine
from store.leases import Held
from store.prepared import run_bare
from store.sync_tables import t_sync_issue, t_sync_key, t_sync_pair, t_sync_record, t_sync_write
from store.tables import t_cursor, t_lease

ROWS_AT_ONCE = 500
SCRATCH = Held("scratch", "plan", 1)
EVER = datetime(9999, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def scratch(db: Database, sync: str, siblings: Collection[str]) -> AsyncIterator[Database]:
    """Filled from `db`, of which nothing changes; gone afterwards. Holds people's data: readable by the owner only."""
    with tempfile.TemporaryDirectory(prefix="leadhub-") as folder:
        url = f"sqlite:///{Path(folder) / 'plan.db'}"
        await db.read(_copy, url, sync, siblings)
        copied: Database = InlineDatabase(url) if isinstance(db, InlineDatabase) else GroupCommitDatabase(url)
        try:
            yield copied
        finally:
            await copied.close()


def _copy(conn: Connection, url: str, sync: str, siblings: Collection[str]) -> None:
    engine = make_engine(url, writer=True)
    try:
        with engine.begin() as out:
            for statement in _tables():
                run_bare(out, statement)
            for table in (t_sync_record, t_sync_key, t_sync_issue):
                _stream(conn, out, table, table.c.sync == sync)
            _stream(conn, out, t_sync_write, (t_sync_write.c.sync == sync) & (t_sync_write.c.state == "sent"))
            _stream(conn, out, t_sync_pair, t_sync_pair.c.sync.in_([sync, *siblings]))
            _stream(conn, out, t_cursor, t_cursor.c.name.startswith(f"sync:{sync}:", autoescape=True))
            held = {"name": SCRATCH.name, "owner": SCRATCH.owner, "fence": SCRATCH.fence, "hub": ""}
            out.execute(insert(t_lease).values(**held, expires_at=EVER))
    finally:
        engine.dispose()


@lru_cache(1)
def _tables() -> tuple[str, ...]:
    """Statements that make all tables: to put them into words takes ten times as long as to run them."""
    said: list[str] = []
    dialect = make_url("sqlite://").get_dialect()()
    engine = create_mock_engine("sqlite://", lambda one, *_, **__: said.append(str(one.compile(dialect=dialect))))
    SQLModel.metadata.create_all(engine, checkfirst=False)
    return tuple(said)


def _stream(conn: Connection, out: Connection, table: Table, where: ColumnElement[bool]) -> None:
    rows = conn.execute(select(table).where(where), execution_options={"yield_per": ROWS_AT_ONCE})
    for some in rows.partitions():
        out.execute(insert(table), [dict(row._mapping) for row in some])
