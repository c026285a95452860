"""A hundred seeded schedules keep the promises, and the same seed tells the same story twice."""

from pathlib import Path

import pytest

from jobs.config.loading import Settings
from tests.simulate import doors
from tests.simulate.schedule import prepare, run_seed

SEEDS = 100
DOOR_SEEDS = 10
AT_ONCE = 5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    return prepare(tmp_path_factory.mktemp("simulate"))


@pytest.fixture(scope="module")
def with_doors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    return prepare(tmp_path_factory.mktemp("doors"), doors.WITH_DOORS)


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
@pytest.mark.parametrize("seed", [*range(1, DOOR_SEEDS + 1), 93])  # 93: one who becomes another while being delivered
def test_promises_hold_for_calls_and_messages(with_doors: tuple[Settings, Path], seed: int) -> None:
    report = doors.run_seed(seed, *with_doors)
    assert not report.problems, report.crashes


def test_a_seed_replays_exactly(prepared: tuple[Settings, Path]) -> None:
    assert run_seed(13, *prepared) == run_seed(13, *prepared)
