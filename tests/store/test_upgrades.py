"""Older databases with rows in them are brought to the newest schema, on both databases."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from store import admin
from store.engines import admin_engine

ROWS = {
    "lead": "INSERT INTO lead (id, source, received_at, dedup_key, person_id, name, phones) "
    "VALUES ('l1', 'site', 1, 'u:site:1', 'p1', 'Anna', '+79161234567')",
    "raw_request": "INSERT INTO raw_request (lead_id, method, body) VALUES ('l1', 'POST', '')",
    "person": "INSERT INTO person (id, created_at, first_lead_id) VALUES ('p1', 1, 'l1')",
    "event": "INSERT INTO event (id, source, kind, key, dedup_key, received_at) "
    "VALUES ('e1', 'pbx', 'call', 'c1', 'pbx:call:c1:1', 1)",
    "cursor": "INSERT INTO cursor (name, value) VALUES ('alive', '{}')",
}


def test_an_upgrade_from_before_record_sync_keeps_every_row(bare_database_url: str) -> None:
    engine = admin_engine(bare_database_url)
    with engine.connect() as conn:
        config = Config()
        config.set_main_option("script_location", str(Path(admin.__file__).parent / "migrations"))
        config.attributes["connection"] = conn
        command.upgrade(config, "0005")
        for statement in ROWS.values():
            conn.execute(text(statement))
        conn.commit()
    assert admin.upgrade(bare_database_url) == admin.HEAD
    with engine.connect() as conn:
        lead = conn.execute(text("SELECT id, name, phones, status FROM lead")).one()
        assert tuple(lead) == ("l1", "Anna", "+79161234567", "pending")
        assert conn.execute(text("SELECT dedup_key FROM event")).scalar() == "pbx:call:c1:1"
        context = MigrationContext.configure(conn, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()
    assert admin.check(bare_database_url) == []
