"""The quick parts of the benchmarks run and print their table; no figure is judged here."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resources", "claims", "doors"])
def test_a_measurement_prints_its_rows(name: str) -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith("| measurement")
    assert len(lines) > 2
