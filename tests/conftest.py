"""Fixtures that several folders use."""

from tests.support.databases import bare_database_url, database_url, postgres_server

__all__ = ["bare_database_url", "database_url", "postgres_server"]
