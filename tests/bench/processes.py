"""The processes that a benchmark starts and ends: the hub itself and whatever stands beside it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_WAIT_S = 90.0
STOP_WAIT_S = 20.0

CONFIG = """
hub:
  listen: 127.0.0.1:{port}
  database: "{database}"
  default_region: RU
  secret_key: a-key-only-for-benchmarks
connections:
  sales: {{type: amocrm, base_url: "http://127.0.0.1:{crm_port}", access_token: sandbox, rate: {{calls: {rate}}}}}
sources: {{site: {{type: webform}}, {sources}}}
routes: [{{from: ["*"], to: [sales]}}]
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(slots=True)
class Running:
    """A started process that answers on `port`; `ready_s`: from its start to its first good answer."""

    process: subprocess.Popen[bytes]
    port: int
    ready_s: float

    def resident_mb(self) -> float:
        """Memory in use now, of this process and its children."""
        return sum(_status_kb(pid, "VmRSS") for pid in (self.process.pid, *_children(self.process.pid))) / 1024

    def peak_mb(self) -> float:
        """The most memory that was in use at once since the start, of this process alone."""
        return _status_kb(self.process.pid, "VmHWM") / 1024


@contextmanager
def running(
    command: list[str], port: int, path: str, *, log: Path, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Starts `command`, waits until GET `path` is answered below 300, and ends it afterwards."""
    environment = dict(os.environ) if environment is None else environment
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its .pyc
    with log.open("wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            wait_for(process, port, path)
            yield Running(process, port, time.monotonic() - started)
        finally:
            ended(process)


def ended(process: subprocess.Popen[bytes]) -> None:
    """Asks it to stop and waits; kills it when it does not."""
    process.terminate()
    try:
        process.wait(STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    until = time.monotonic() + START_WAIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
    raise RuntimeError(f"{process.args} did not start")


@contextmanager
def hub(
    folder: Path, database: str, *, crm_port: int = 9, rate: int = 7, roles: str = "", sources: str = ""
) -> Iterator[Running]:
    """A real `leadhub serve`; `crm_port` 9 is nobody: the CRM is down. `sources`: more of them, in flow YAML."""
    port = free_port()
    config = folder / "config.yaml"
    text = CONFIG.format(port=port, database=database, crm_port=crm_port, rate=rate, sources=sources)
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "serve", "--config", str(config)]
    if roles:
        command += ["--roles", roles]
    with running(command, port, "/readyz", log=folder / "hub.log") as one:
        yield one


@contextmanager
def crm(folder: Path, *, delay_ms: float) -> Iterator[int]:
    """The port of a slow CRM without a rate limit: see tests.bench.crm."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.crm", "--port", str(port), "--delay-ms", str(delay_ms)]
    with running(command, port, "/_bench", log=folder / "crm.log"):
        yield port


def send_load(port: int, **options: Any) -> dict[str, Any]:
    """Runs tests.bench.load against `port` and returns what it measured."""
    process = start_load(port, **options)
    return finish_load(process)


def start_load(port: int, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.bench.load", "--port", str(port)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def finish_load(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator ended with {process.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


def _status_kb(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith(f"{name}:")), f"{name}: 0 kB")
    return int(line.split()[1])


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
