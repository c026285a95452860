"""Fixtures that several folders use, and the order in which tests run."""

from itertools import chain, zip_longest

import pytest

from tests.support.databases import bare_database_url, database_url, postgres_server

__all__ = ["bare_database_url", "database_url", "postgres_server"]

LONGEST = "tests/torture/"
WAITING = ("tests/crash/", "tests/cli/test_demo.py")
"""Hubs that are killed and taken over: mostly they wait."""
COMPUTING = "tests/simulate/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first, and what waits goes beside what computes: so no processor is idle meanwhile."""
    longest = [item for item in items if item.nodeid.startswith(LONGEST)]
    waiting = [item for item in items if item.nodeid.startswith(WAITING)]
    computing = [item for item in items if item.nodeid.startswith(COMPUTING)]
    both = [item for item in chain.from_iterable(zip_longest(waiting, computing)) if item is not None]
    placed = {*longest, *both}
    items[:] = [*longest, *both, *(item for item in items if item not in placed)]
