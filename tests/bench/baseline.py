"""Runs the baseline as its documentation says: the schema applied, a worker process and a web process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.processes import Running, ended, free_port, running

APP = "tests.bench.procrastinate_app"


@contextmanager
def procrastinate(database: str, folder: Path) -> Iterator[Running]:
    environment = {**os.environ, "BASELINE_DATABASE": database}
    command = [sys.executable, "-m", "procrastinate", f"--app={APP}.app"]
    with (folder / "worker.log").open("wb") as log:
        subprocess.run([*command, "schema", "--apply"], check=True, env=environment, stdout=log, stderr=log)
        worker = subprocess.Popen([*command, "worker"], env=environment, stdout=log, stderr=log)
        try:
            port = free_port()
            web = [sys.executable, "-m", "uvicorn", f"{APP}:api", "--port", str(port), "--no-access-log"]
            with running(web, port, "/readyz", log=folder / "web.log", environment=environment) as one:
                yield one
        finally:
            ended(worker)
