"""The short form of the torture test: minutes of trouble in one, on both databases."""

from pathlib import Path

import pytest

from tests.torture.plan import SHORT
from tests.torture.run import torture


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_everything_at_once_loses_nothing_and_doubles_nothing(tmp_path: Path, kind: str) -> None:
    outcome = await torture(SHORT, kind, tmp_path / "stage", seed=1, say=print)
    assert outcome.problems() == []
    assert outcome.accepted >= 200
    assert sum(outcome.faults.values()) > 50
