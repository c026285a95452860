"""Record sync as processes over HTTP: the hub's memory in a first sync, and how soon an edit is in the other CRM.

amoCRM and HubSpot are in another process (tests.bench.two_crms), so that the hub's memory is its own.
"""

import json
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.bench.processes import Running
from tests.bench.scale import Scale
from tests.bench.sync_data import Size
from tests.bench.table import Row, at_most, percentile

CONFIG = """
hub:
  listen: 127.0.0.1:{port}
  public_url: http://127.0.0.1:{port}
  database: "sqlite:///{folder}/leadhub.db"
  default_region: RU
  secret_key: a-key-only-for-benchmarks
connections:
  amo: {{type: amocrm, base_url: "http://127.0.0.1:{crms}/amocrm", access_token: sandbox, hook_token: s3cret-part}}
  hs: {{type: hubspot, base_url: "http://127.0.0.1:{crms}/hubspot", access_token: sandbox,
        client_secret: sandbox-secret}}
sources: {{site: {{type: webform}}}}
routes: [{{from: [site], to: [amo]}}]
syncs:
"""
SYNC = "  {name}: {{left: amo, right: hs, object: {object}, poll: {poll}, full: 10d, brake: {brake}}}\n"
BRAKE = "{at_least: 1000000, records: 1000000}"
OBJECTS = ("company", "contact", "deal")
FIRST_SYNC_S = 900.0
PAIRS = 400
RATE = 10.0
SETTLE_S = 60.0
AIM_P50_S, AIM_P99_S, AIM_MB = 1, 5, 200


def measure(folder: Path, scale: Scale) -> list[Row]:
    return [*_memory(folder, scale), *_webhooks(folder, scale)]


def _memory(folder: Path, scale: Scale) -> list[Row]:
    rows, before = [], 0.0
    for share in (scale.sync_memory_share, 5 * scale.sync_memory_share):
        own = folder / f"memory-{share}"
        own.mkdir()
        with _started(own, OBJECTS, "--share", str(share)) as (hub, _):
            _until(partial(_all_done, own), FIRST_SYNC_S)
            peak = hub.peak_mb()
        title = f"peak memory of the hub, first sync of {Size().part(share).total:,} records each"
        rows.append(at_most(title, peak, AIM_MB, "MB", ratio=f"{peak / before:.2f} x" if before else ""))
        before = peak
    return rows


def _webhooks(folder: Path, scale: Scale) -> list[Row]:
    own = folder / "webhooks"
    own.mkdir()
    with _started(own, ("contact",), "--pairs", str(PAIRS)) as (hub, crms):
        _until(lambda: _done(own) == {"contact"}, FIRST_SYNC_S)
        base = f"http://127.0.0.1:{hub.port}/hooks"
        _call(crms, "/hooks", {"amocrm": f"{base}/amo/s3cret-part", "hubspot": f"{base}/hs"})
        before = _call(crms)
        _call(crms, "/edits", {"rate": RATE, "seconds": scale.steady_s})
        _until(lambda: not (told := _call(crms))["waiting"] and not told["editing"], scale.steady_s + SETTLE_S)
        told = _call(crms)
    took_s = [took / 1000 for took in told["took_ms"]]
    calls = ", ".join(f"{name} {told['calls'][name] - before['calls'][name]}" for name in told["calls"])
    title = f"webhook to the other CRM's record, {len(took_s)} edits at {RATE:.0f}/s"
    return [
        at_most(f"{title}, p50", percentile(took_s, 0.5), AIM_P50_S, "s", digits=3),
        at_most(f"{title}, p99", percentile(took_s, 0.99), AIM_P99_S, "s", digits=3),
        Row("  calls meanwhile", calls),
        at_most("  refused as too fast (429, 503)", told["refused"] - before["refused"], 0, ""),
    ]


@contextmanager
def _started(folder: Path, objects: tuple[str, ...], *options: str) -> Iterator[tuple[Running, int]]:
    """A real `leadhub serve` with a sync for each of `objects`, and the port of its two CRMs."""
    port, crms = processes.free_port(), processes.free_port()
    config = folder / "config.yaml"
    syncs = [SYNC.format(name=one, object=one, poll="10d", brake=BRAKE) for one in objects]
    config.write_text(CONFIG.format(port=port, folder=folder, crms=crms) + "".join(syncs), encoding="utf-8")
    two = [sys.executable, "-m", "tests.bench.two_crms", "--port", str(crms), *options]
    serve = [sys.executable, "-m", "cli.main", "serve", "--config", str(config)]
    with (
        processes.running(two, crms, "/_bench", log=folder / "crms.log"),
        processes.running(serve, port, "/readyz", log=folder / "hub.log") as hub,
    ):
        yield hub, crms


def _all_done(folder: Path) -> bool:
    return _done(folder) == set(OBJECTS)


def _done(folder: Path) -> set[str]:
    """The syncs of which a pass has come to its end. Raises RuntimeError when one failed."""
    with sqlite3.connect(folder / "leadhub.db") as conn:
        passes = conn.execute("SELECT sync, state, error FROM sync_pass").fetchall()
    if bad := [row for row in passes if row[1] in ("failed", "braked")]:
        raise RuntimeError(f"a pass did not do its work: {bad}")
    return {sync for sync, state, _ in passes if state == "done"}


def _call(port: int, path: str = "", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_bench{path}", data) as answer:
        return json.load(answer)


def _until(true: Callable[[], bool], longest_s: float) -> None:
    until = time.monotonic() + longest_s
    while not true():
        if time.monotonic() > until:
            raise RuntimeError(f"not done after {longest_s:.0f} s")
        time.sleep(0.2)
