"""The stage that the tests of passes play on."""

from collections.abc import AsyncIterator

import pytest

from tests.support.sync_stage import Stage


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    made = Stage(database_url)
    yield made
    await made.db.close()
