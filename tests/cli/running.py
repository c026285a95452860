"""The command as a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Nothing of the surroundings that the command could read but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **variables}


def leadhub(*arguments: str, cwd: Path, **variables: str) -> Ran:
    """Runs `leadhub ARGUMENTS` in `cwd`."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)
