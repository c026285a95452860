"""The simulator can fail: it catches each deliberate bug within a few seeds."""

from pathlib import Path

import pytest

from tests.simulate import schedule
from tests.simulate.mutants import MUTANTS

SEEDS = range(1, 41)
KNOWN = (5, 14, 19)
"""These catch many; tried first, so that it does not take long."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulator_catches(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "QUIET_LIMIT_S", 1800.0)  # a bug that blocks everything is seen after half an hour
    settings, template = schedule.prepare(tmp_path)
    for seed in (*KNOWN, *SEEDS):
        with MUTANTS[name]():
            try:
                report = schedule.run_seed(seed, settings, template)
            except Exception:
                return  # the hub broke so badly that the schedule could not be played to its end
        if report.problems:
            return
    pytest.fail(f"{name} was not noticed in {len(SEEDS)} schedules")
