"""A stream of 50 enquiries a second: how soon each is answered, and how soon it is in the CRM."""

import json
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

from tests.bench import machine, processes
from tests.bench.machine import Watched
from tests.bench.scale import Scale
from tests.bench.table import Row, at_most, percentile

RATE = 50
DELAY_MS = 50.0
CALLS = 3
"""Look for the person, make the contact, make the deal."""
CRM_CALLS_PER_S = 100_000
"""Set as the connection's rate: no limit."""
SETTLE_S = 30.0
WARM_S = 2.0


def measure(folder: Path, scale: Scale) -> list[Row]:
    (up, while_up), arrivals = _with_crm(folder / "up", scale)
    down, while_down = _without_crm(folder / "down", scale)
    p99_up, p99_down = percentile(up["latencies_ms"], 0.99), percentile(down["latencies_ms"], 0.99)
    totals = [arrival.total_ms for arrival in arrivals]
    own = [arrival.own_ms for arrival in arrivals]
    quiet = [arrival.own_ms for arrival in arrivals if while_up.kept_speed(arrival.sent_at, arrival.made_at)]
    return [
        at_most("webhook answered at 50 leads/s, p99", p99_up, 20, "ms", digits=1),
        while_up.row(while_up.undisturbed_ms(up), 20),
        at_most("  while the CRM is down, p99", p99_down, 20, "ms", digits=1),
        while_down.row(while_down.undisturbed_ms(down), 20),
        at_most("  to that with the CRM up", p99_down / p99_up, 1.5, "x"),
        at_most("POST to the CRM's record at 50 leads/s, p50", percentile(totals, 0.5), 200, "ms"),
        at_most("POST to the CRM's record at 50 leads/s, p99", percentile(totals, 0.99), 600, "ms"),
        at_most("  the hub's own share, p50", percentile(own, 0.5), 10, "ms", digits=1),
        at_most("  the hub's own share, p99", percentile(own, 0.99), 50, "ms", digits=1),
        while_up.row(quiet, 50),
    ]


class Arrival:
    """One lead's way, from the first byte sent to the deal made in the CRM. `spent_s`: of that, in the CRM."""

    def __init__(self, sent_at: float, made_at: float, spent_s: float) -> None:
        if spent_s < CALLS * DELAY_MS / 1000 * 0.97:  # timers count whole milliseconds
            raise RuntimeError(f"the CRM spent {spent_s} s on {CALLS} calls one behind the other")
        self.sent_at, self.made_at = sent_at, made_at
        self.total_ms = (made_at - sent_at) * 1000
        self.own_ms = self.total_ms - spent_s * 1000


Stream = tuple[dict[str, Any], Watched]
"""What the load generator told, and how the machine was meanwhile."""


def _with_crm(folder: Path, scale: Scale) -> tuple[Stream, list[Arrival]]:
    folder.mkdir()
    database = folder / "leadhub.db"
    with (
        processes.crm(folder, delay_ms=DELAY_MS) as crm_port,
        processes.hub(folder, f"sqlite:///{database}", crm_port=crm_port, rate=CRM_CALLS_PER_S) as hub,
    ):
        processes.send_load(hub.port, rate=RATE, seconds=min(WARM_S, scale.steady_s), first=9_000_000)
        result, watched = _stream(hub.port, scale)
        _wait_until_delivered(database)
        with urllib.request.urlopen(f"http://127.0.0.1:{crm_port}/_bench") as answer:
            made: dict[str, tuple[float, float]] = json.load(answer)
    sent_at = {f"bench-{number}": at for number, at in result["sent_at"].items()}
    arrivals = [Arrival(sent_at[uid], *made[record]) for uid, record in _delivered(database) if uid in sent_at]
    if len(arrivals) != len(sent_at):
        raise RuntimeError(f"{len(sent_at)} enquiries, {len(arrivals)} deliveries at the first attempt")
    return (result, watched), arrivals


def _stream(port: int, scale: Scale) -> Stream:
    with machine.watched() as watched:
        result = processes.send_load(port, rate=RATE, seconds=scale.steady_s)
    return result, watched


def _without_crm(folder: Path, scale: Scale) -> Stream:
    folder.mkdir()
    with processes.hub(folder, f"sqlite:///{folder / 'leadhub.db'}", rate=CRM_CALLS_PER_S) as hub:
        processes.send_load(hub.port, rate=RATE, seconds=min(WARM_S, scale.steady_s), first=9_000_000)
        return _stream(hub.port, scale)


def _wait_until_delivered(database: Path) -> None:
    import time

    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        with sqlite3.connect(database) as conn:
            (open_now,) = conn.execute("SELECT count(*) FROM delivery WHERE state <> 'delivered'").fetchone()
        if not open_now:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{open_now} leads are not delivered after {SETTLE_S} s")


def _delivered(database: Path) -> list[tuple[str, str]]:
    query = """
        SELECT lead.lead_uid, delivery.record_id FROM delivery
        JOIN lead ON lead.id = delivery.lead_id
        JOIN attempt ON attempt.delivery_id = delivery.id AND attempt.number = 1
        WHERE delivery.state = 'delivered'
    """
    with sqlite3.connect(database) as conn:
        return conn.execute(query).fetchall()
