"""How many leads a second are accepted, durably, at 64 connections; and the memory that takes."""

import threading
from pathlib import Path

from tests.bench import processes, servers
from tests.bench.baseline import procrastinate
from tests.bench.processes import Running
from tests.bench.scale import Scale
from tests.bench.table import Row, at_least, at_most

CONNECTIONS = 64
AIM_SQLITE, AIM_POSTGRES, AIM_RATIO = 3000, 2000, 4
AIM_MEMORY_MB = 250
SAMPLE_S = 0.2


def measure(folder: Path, scale: Scale, postgres_uri: str) -> list[Row]:
    """The baseline first and last, so that a machine that grows warm or busy cannot favour either."""
    _baseline(folder / "warm", scale, postgres_uri, seconds=scale.load_s / 4)
    before = _baseline(folder / "before", scale, postgres_uri, seconds=scale.load_s)
    sqlite, sqlite_mb = _hub(folder / "sqlite", f"sqlite:///{folder / 'sqlite' / 'leadhub.db'}", scale)
    postgres, postgres_mb = _hub(folder / "postgres", servers.new_database(postgres_uri), scale)
    after = _baseline(folder / "after", scale, postgres_uri, seconds=scale.load_s)
    baseline = max(before, after)
    return [
        Row("accepted leads/s, baseline (Procrastinate on PostgreSQL)", f"{baseline:,.0f} /s"),
        at_least("accepted leads/s, SQLite", sqlite, AIM_SQLITE, "/s", ratio=f"{sqlite / baseline:.1f} x"),
        at_least("accepted leads/s, PostgreSQL", postgres, AIM_POSTGRES, "/s", ratio=f"{postgres / baseline:.1f} x"),
        at_least("  PostgreSQL to the baseline", postgres / baseline, AIM_RATIO, "x"),
        at_most("memory under load, SQLite", sqlite_mb, AIM_MEMORY_MB, "MB"),
        at_most("memory under load, PostgreSQL", postgres_mb, AIM_MEMORY_MB, "MB"),
    ]


def _hub(folder: Path, database: str, scale: Scale) -> tuple[float, float]:
    """Leads a second, and the most memory seen meanwhile. The whole hub runs; its CRM takes what its limit allows."""
    folder.mkdir()
    with processes.crm(folder, delay_ms=50) as crm_port, processes.hub(folder, database, crm_port=crm_port) as hub:
        processes.send_load(hub.port, connections=CONNECTIONS, seconds=scale.load_s / 4, first=9_000_000)
        memory = _Memory(hub)
        accepted = _accepted_per_s(hub, scale.load_s)
        return accepted, memory.most_mb()


def _baseline(folder: Path, scale: Scale, postgres_uri: str, *, seconds: float) -> float:
    folder.mkdir()
    with procrastinate(servers.new_database(postgres_uri), folder) as web:
        return _accepted_per_s(web, seconds)


def _accepted_per_s(server: Running, seconds: float) -> float:
    result = processes.send_load(
        server.port, connections=CONNECTIONS, seconds=seconds, prepare=int(seconds * AIM_SQLITE)
    )
    if result["bad"] or result["lost"]:
        raise RuntimeError(f"{result['bad']} enquiries were refused, {result['lost']} connections lost")
    return float(result["accepted"] / result["seconds"])


class _Memory:
    """Looks at a process again and again until asked."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._most_mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self._most_mb = max(self._most_mb, self._server.resident_mb())

    def most_mb(self) -> float:
        self._done.set()
        self._thread.join()
        return self._most_mb
