"""The simulator can fail: it catches each deliberate bug within a few seeds."""

from pathlib import Path

import pytest

from tests.simulate import schedule
from tests.simulate.mutants import MUTANTS

SEEDS = (5, 4, *range(1, 61))
"""The first two catch all, as the code is now."""
HARDER: dict[str, dict[str, object]] = {
    "no_second_look": {"KINDS": ("504_late",)},
    "lease_without_fencing": {"TWO_WORKERS": 1.0, "TROUBLES": {"freeze": 1, "fault": 1}, "KINDS": ("429",)},
}
"""What these bugs need is rare otherwise: `schedule`'s weights instead of its own."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulator_catches(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "QUIET_LIMIT_S", 1800.0)  # a bug that blocks everything is seen after half an hour
    settings, template = schedule.prepare(tmp_path)
    for name_of, value in HARDER.get(name, {}).items():
        monkeypatch.setattr(schedule, name_of, value)
    for seed in SEEDS:
        with MUTANTS[name]():
            try:
                report = schedule.run_seed(seed, settings, template)
            except Exception:
                return  # the hub broke so badly that the schedule could not be played to its end
        if report.problems:
            return
    pytest.fail(f"{name} was not noticed in {len(SEEDS)} schedules")
