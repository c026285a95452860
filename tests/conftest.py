"""Fixtures that several folders use, and the order in which tests run."""

import pytest

from tests.support.databases import bare_database_url, database_url, postgres_server

__all__ = ["bare_database_url", "database_url", "postgres_server"]

LONGEST = ("tests/torture/", "tests/cli/test_demo.py", "tests/crash/", "tests/simulate/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first, so that it is not left over when the other processes are done."""
    items.sort(key=lambda item: next((at for at, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST)))
