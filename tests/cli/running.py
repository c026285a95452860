"""The command as a process of its own."""

import atexit
import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_S = 240.0


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Nothing of the surroundings that the command could read but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **variables}


def leadhub(*arguments: str, cwd: Path, **variables: str) -> Ran:
    """Runs `leadhub ARGUMENTS` in `cwd`."""
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name) / "out", Path(name) / "err"
        where = {"cwd": str(cwd), "out": str(out), "err": str(err)}
        status = _zygote().run({"arguments": arguments, "environment": environment(**variables), **where})
        return Ran(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@lru_cache(1)
def _zygote() -> "Zygote":
    zygote = Zygote()
    atexit.register(zygote.close)
    return zygote


class Zygote:
    """See tests.cli.zygote."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.zygote"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._one_at_a_time = threading.Lock()

    def run(self, asked: dict[str, object]) -> int:
        with self._one_at_a_time:
            return self._run(asked)

    def _run(self, asked: dict[str, object]) -> int:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(LONGEST_S):
                process.kill()
                raise TimeoutError(f"leadhub {asked['arguments']} did not end")
        return int(process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
