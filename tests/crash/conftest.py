"""A scene for each crash test, on both databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.scene import Scene, staged
from tests.support.hub_process import Zygote, zygote_running


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with zygote_running() as one:
        yield one


@pytest_asyncio.fixture
async def scene(tmp_path: Path, database_url: str, zygote: Zygote) -> AsyncIterator[Scene]:
    async with staged(tmp_path, database_url, zygote) as stage:
        yield stage
