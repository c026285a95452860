"""Older databases with rows in them are brought to the newest schema, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from store import admin
from store.engines import admin_engine
from tests.support.old_schema import AN_OLD_EVENT, AN_OLD_LEAD, at_schema


def test_an_upgrade_from_before_record_sync_keeps_every_row(bare_database_url: str) -> None:
    at_schema(bare_database_url, "0005", (*AN_OLD_LEAD, AN_OLD_EVENT))
    assert admin.upgrade(bare_database_url) == admin.HEAD
    engine = admin_engine(bare_database_url)
    with engine.connect() as conn:
        lead = conn.execute(text("SELECT id, name, phones, status FROM lead")).one()
        assert tuple(lead) == ("l1", "Anna", "+79161234567", "pending")
        assert conn.execute(text("SELECT dedup_key FROM event")).scalar() == "pbx:call:c1:1"
        context = MigrationContext.configure(conn, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()
    assert admin.check(bare_database_url) == []
