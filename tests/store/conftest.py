"""What the tests of the store work on, on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from store.engines import make_engine
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, writer=True)
    yield engine
    engine.dispose()
