"""The quick parts of the benchmarks run and print their table; no figure is judged here."""

import subprocess
import sys

import pytest

MEASUREMENTS = {"resources": "start to ready", "claims": "claim of 10", "doors": "mixed events of 20 doors"}
"""Name of a measurement -> how one of its rows begins."""


@pytest.mark.slow
def test_measurements_print_their_rows() -> None:
    """Together, because they share a PostgreSQL server."""
    only = [word for name in MEASUREMENTS for word in ("--only", name)]
    command = [sys.executable, "-m", "tests.bench", "--quick", *only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=480, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith("| measurement")
    for row in MEASUREMENTS.values():
        assert any(line.startswith(f"| {row}") for line in lines), (row, lines)
