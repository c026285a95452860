"""Fixtures that several folders use, and which test runs where and when."""

import gc
from itertools import chain, zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import bare_database_url, database_url, postgres_server, postgres_url
from tests.support.standstill import pytest_runtest_protocol

__all__ = ["bare_database_url", "database_url", "postgres_server", "postgres_url", "pytest_runtest_protocol"]

# Properties are judged by what they find, not by how busy the machine is.
settings.register_profile("leadhub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadhub")
gc.disable()  # in each worker thousands of tests are collected, and looking for garbage takes a fifth of that time

LONGEST = "tests/torture/"
WAITING = ("tests/crash/", "tests/cli/test_demo.py")
"""Hubs that are killed and taken over: mostly they wait."""
COMPUTING = "tests/simulate/"
TOGETHER = (
    *(f"tests/web/test_{name}.py" for name in ("api_schema", "console_browser", "leadhub_js")),
    *(f"tests/web/test_{name}.py" for name in ("sources_browser", "syncs_browser")),
    *(f"tests/cli/test_{name}.py" for name in ("leads", "mapping", "setup", "sources", "status")),
    "tests/connectors/telegram/test_sandbox_with_aiogram.py",
    "tests/test_architecture.py",
)
"""Files whose tests share something dear: a hub, a browser, a large library, the tree as read. One process has them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first, and what waits goes beside what computes: so no processor is idle meanwhile."""
    longest = [item for item in items if item.nodeid.startswith(LONGEST)]
    waiting = [item for item in items if item.nodeid.startswith(WAITING)]
    computing = [item for item in items if item.nodeid.startswith(COMPUTING)]
    both = [item for item in chain.from_iterable(zip_longest(waiting, computing)) if item is not None]
    together = [item for item in items if item.nodeid.startswith(TOGETHER)]
    placed = {*longest, *both, *together}
    items[:] = [*longest, *both, *together, *(item for item in items if item not in placed)]


def pytest_collection_finish() -> None:
    """The tests and what they import stay: they are not looked through again with each test's garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each test by itself, in our order, but for the files of TOGETHER."""
    from xdist.scheduler import LoadScopeScheduling

    class Ours(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return Ours(config, log)
