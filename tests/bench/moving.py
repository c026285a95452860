"""A move from one CRM into another against the vendors' real limits, on virtual time, with the report of its end.

What stands around the deals goes along: a note on each, a call on every second, a done task on every fourth.
"""

import asyncio
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from connectors.sandbox.base import FaultLayer
from jobs.config.loading import load
from jobs.migrate.comparing import survey
from jobs.migrate.comparing_history import compare_histories
from jobs.migrate.history import move_histories
from jobs.migrate.model import Move, plan_move
from jobs.migrate.moving import move_all
from jobs.migrate.opening import opened_move
from jobs.migrate.report import issues_of, report_json
from store import admin
from store.db import InlineDatabase
from tests.bench.drain import Wire
from tests.bench.scale import Scale
from tests.bench.sync import PAIRS, SIDES, Watched
from tests.bench.sync_data import Size
from tests.bench.table import Row, at_least, at_most
from tests.jobs.migrate.house import nobody
from tests.jobs.migrate.moved import AT, put_call, put_note, put_task, same_people
from tests.simulate.virtual import SimClock, VirtualLoop

CONFIG = """
hub: {{database: "sqlite:///leadhub.db", default_region: RU, secret_key: simulated-secret-key-0001}}
connections:
  {old}: {old_connection}
  {new}: {new_connection}
"""
OPENED_S = 60.0
"""Before it begins: the limits' windows are empty."""


def measure(folder: Path, scale: Scale) -> list[Row]:
    rows: list[Row] = []
    size = Size().part(scale.sync_share)
    for old, new in PAIRS:
        (folder / f"{old}-{new}").mkdir()
        rows += _rows(old, new, size, play(folder / f"{old}-{new}", old, new, size))
    return rows


@dataclass(slots=True)
class Moved:
    """`report` as the command keeps it, `again` of a second run; `calls` of the first one, until it is compared."""

    seconds: float
    calls: Counter[str]
    refused: int
    cpu_s: float
    entries: int
    report: dict[str, Any]
    again: dict[str, Any]


def _rows(old: str, new: str, size: Size, moved: Moved) -> list[Row]:
    share = max(100 * moved.calls[name] / SIDES[name].crm.allowed(moved.seconds) for name in (old, new))
    title = f"move from {SIDES[old].crm.title} to {SIDES[new].crm.title}, {size.total:,} records"
    own = made_of_its_own(moved.report)
    written = sum(_written(one["counts"]) for one in moved.again["passes"]) + made_of_its_own(moved.again)
    finished = "yes" if moved.report["finished"] else "no"
    return [
        Row(title, f"{moved.seconds:,.0f} s"),
        Row("  calls", ", ".join(f"{SIDES[name].crm.title} {moved.calls[name]:,}" for name in (old, new))),
        Row("  time, share of what the busier limit allows", f"{share:.0f} %"),
        Row("  CPU of the move and both CRMs", f"{moved.cpu_s:,.0f} s"),
        at_least("  notes, calls and tasks as its own", own, moved.entries, ""),
        Row("  finished", finished, "yes", finished == "yes"),
        at_most("  differences in the report", moved.report["differences"], 0, ""),
        at_most("  refused as too fast (429, 503)", moved.refused, 0, ""),
        at_most("  written by a second run", written, 0, ""),
    ]


def made_of_its_own(report: dict[str, Any]) -> int:
    return sum(count for one in report["history"].values() for count in one["made"].values())


def _written(counts: dict[str, int]) -> int:
    return sum(count for name, count in counts.items() if name.startswith(("create", "update", "link")))


def play(folder: Path, old: str, new: str, size: Size) -> Moved:
    config = folder / "config.yaml"
    ends = [SIDES[name].crm.connection for name in (old, new)]
    config.write_text(CONFIG.format(old=old, new=new, old_connection=ends[0], new_connection=ends[1]), encoding="utf-8")
    settings = load(config, {})
    admin.upgrade(settings.database_url)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    clock = SimClock(loop, random.Random(1))
    boxes = {name: SIDES[name].fill(clock) for name in (old, new)}
    boxes[old].fill(size, second=False)
    scenes = {name: SimpleNamespace(box=boxes[name].box) for name in boxes} | {
        name: SimpleNamespace(box=side.fill(clock).box) for name, side in SIDES.items() if name not in boxes
    }
    house = cast(Any, SimpleNamespace(scenes=scenes))
    same_people(house)
    entries = put_history(house, old)
    watched = {name: Watched(filled.box, loop.time) for name, filled in boxes.items()}
    wires = {
        name: Wire(FaultLayer(one, clock), random.Random(2), SIDES[name].crm.apart)  # type: ignore[arg-type]  # as much as is asked
        for name, one in watched.items()
    }
    db = InlineDatabase(settings.database_url)

    async def run() -> Moved:
        await asyncio.sleep(OPENED_S)
        began, cpu = loop.time(), time.process_time()
        report, moved_at = await _moved(plan_move(settings, old, new, 0), db, clock, wires)
        calls = {
            name: sum(began <= at <= moved_at and not path.endswith(wire.apart) for at, _, path in wire.calls_at)
            for name, wire in wires.items()
        }
        refused, cpu = sum(one.refused for one in watched.values()), time.process_time() - cpu
        again, _ = await _moved(plan_move(settings, old, new, 0), db, clock, wires)
        await db.close()
        return Moved(moved_at - began, Counter(calls), refused, cpu, entries, report, again)

    try:
        return loop.run_until_complete(run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(folder)


async def _moved(
    move: Move, db: InlineDatabase, clock: SimClock, wires: dict[str, Wire]
) -> tuple[dict[str, Any], float]:
    """The report, and when the move itself was at its end."""
    async with opened_move(move, db, clock, wires.get) as ready:
        passes = await move_all(ready, nobody)
        histories = await move_histories(ready)
        ended = clock.monotonic()
        tallies = await survey(ready, both=True)
        await compare_histories(ready, histories)
        return report_json(ready, passes, tallies, await issues_of(ready), histories), ended


def put_history(house: Any, crm: str) -> int:
    """How many entries."""
    count = 0
    for number, deal in enumerate(list(house.scenes[crm].box.deals)):
        at = AT + number * 60
        put_note(house, crm, "deal", str(deal), f"Замер {number}: три окна", at=at)
        count += 1
        if number % 2 == 0:
            put_call(house, crm, "deal", str(deal), phone=f"+7916{number:07d}", seconds=40 + number % 300, at=at)
            count += 1
        if number % 4 == 0:
            put_task(house, crm, "deal", str(deal), f"Смета {number}", due=at + 86_400, done=True, at=at)
            count += 1
    return count
