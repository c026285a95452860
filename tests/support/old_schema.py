"""Databases as an older leadhub left them."""

from collections.abc import Iterable

from sqlalchemy import text

from store import admin
from store.engines import admin_engine

AN_OLD_LEAD = (
    "INSERT INTO lead (id, source, received_at, dedup_key, person_id, name, phones) "
    "VALUES ('l1', 'site', 1, 'u:site:1', 'p1', 'Anna', '+79161234567')",
    "INSERT INTO raw_request (lead_id, method, body) VALUES ('l1', 'POST', :body)",
    "INSERT INTO person (id, created_at, first_lead_id) VALUES ('p1', 1, 'l1')",
    "INSERT INTO cursor (name, value) VALUES ('alive', '{}')",
)
AN_OLD_EVENT = (
    "INSERT INTO event (id, source, kind, key, dedup_key, received_at) "
    "VALUES ('e1', 'pbx', 'call', 'c1', 'pbx:call:c1:1', 1)"
)
"""Since 0002."""


def at_schema(url: str, schema: str, statements: Iterable[str]) -> None:
    """Makes an empty database one of `schema` with these rows."""
    engine = admin_engine(url)
    with engine.connect() as conn:
        admin.migrate(conn, schema)
        for statement in statements:
            conn.execute(text(statement), {"body": b""} if ":body" in statement else {})
        conn.commit()
    engine.dispose()
