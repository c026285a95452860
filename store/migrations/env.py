"""Alembic's entry: runs on the connection that `store.admin.upgrade` hands over, under its lock."""

from alembic import context
from sqlmodel import SQLModel

from store import tables

assert tables  # imported so that its tables are in the metadata
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    user_module_prefix="store.tables.",
    transactional_ddl=True,  # all or nothing, on SQLite as well
)
context.run_migrations()
