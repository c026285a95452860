"""A hundred seeded schedules keep the promises, and the same seed tells the same story twice."""

from pathlib import Path

import pytest

from jobs.config import Settings
from tests.simulate import doors
from tests.simulate.schedule import prepare, run_seed

SEEDS = 100
DOOR_SEEDS = 25
AT_ONCE = 5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    return prepare(tmp_path_factory.mktemp("simulate"))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, AT_ONCE))
def test_promises_hold_on_every_schedule(prepared: tuple[Settings, Path], first: int) -> None:
    problems = {}
    for seed in range(first, first + AT_ONCE):
        report = run_seed(seed, *prepared)
        if report.problems:
            problems[seed] = (report.problems, report.crashes)
    assert not problems, f"replay: python -m tests.simulate --seeds 1 --first SEED\n{problems}"


@pytest.mark.slow
def test_promises_hold_for_calls_and_messages(tmp_path: Path) -> None:
    settings, template = prepare(tmp_path, doors.WITH_DOORS)
    problems = {}
    for seed in range(1, DOOR_SEEDS + 1):
        report = doors.run_seed(seed, settings, template)
        if report.problems:
            problems[seed] = (report.problems, report.crashes)
    assert not problems


def test_a_seed_replays_exactly(prepared: tuple[Settings, Path]) -> None:
    assert run_seed(13, *prepared) == run_seed(13, *prepared)
