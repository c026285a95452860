"""Record sync against the vendors' real limits: first match and full sync of two CRMs, both ways, with leads coming in.

On virtual time, so that the minutes that the limits take cost only what the work itself takes; the CPU that the hub
and the sandboxes need is told beside it. Where it is more than the time that passed, a machine of this kind is the
limit and not the vendor.
"""

import asyncio
import gc
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from connectors.base import Rate
from connectors.sandbox.base import FaultLayer, SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24 import RATE as BITRIX24_RATE
from connectors.sandbox.hubspot import BURST as HUBSPOT_RATE
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from leads.clock import Clock
from leads.ids import new_id
from store import admin, sync_log
from store.db import InlineDatabase
from tests.bench.drain import Crm, Leads, Wire, end
from tests.bench.scale import Scale
from tests.bench.sync_data import Filled, Size, amocrm, bitrix24, hubspot
from tests.bench.table import Row, at_least, at_most, percentile
from tests.simulate.virtual import SimClock, VirtualLoop
from tests.simulate.world import SLOW

CONFIG = """
hub: {{database: "sqlite:///leadhub.db", default_region: RU, secret_key: simulated-secret-key-0001, spool_dir: spool}}
connections:
  {left}: {left_connection}
  {right}: {right_connection}
sources: {{site: {{type: webform}}}}
routes: [{{from: [site], to: [{left}]}}]
syncs:
  companies: {{left: {left}, right: {right}, object: company, poll: 10d, full: 10d}}
  contacts: {{left: {left}, right: {right}, object: contact, poll: 10d, full: 10d}}
  deals: {{left: {left}, right: {right}, object: deal, poll: 10d, full: 10d}}
"""
LEAD = """
extends: {crm}-leads
deal: {{title: "{{{{ lead.lead_uid }}}}"}}
"""
DEAL = """
extends: {name}
match: [title]
"""
SYNCS = ("companies", "contacts", "deals")
LOOK_S = 0.5
GIVE_UP_S = 6 * 3600.0
SETTLE_S = 200.0
"""Between two passes: longer than a change may take to become visible."""
WRITING = ("create", "update", "link", "archive", "delete", "tag")


@dataclass(frozen=True, slots=True)
class Side:
    crm: Crm
    fill: Callable[[Clock], Filled]


SIDES = {
    "amocrm": Side(
        Crm(
            "amoCRM",
            "amocrm",
            cast(Any, None),
            '{type: amocrm, base_url: "http://amo.test", access_token: sandbox}',
            Rate(7, 1.0),
        ),
        amocrm,
    ),
    "bitrix24": Side(
        Crm(
            "Bitrix24",
            "bitrix24",
            cast(Any, None),
            '{type: bitrix24, webhook_url: "http://b24.test/rest/1/sandbox/"}',
            BITRIX24_RATE,
        ),
        bitrix24,
    ),
    "hubspot": Side(
        Crm(
            "HubSpot",
            "hubspot",
            cast(Any, None),
            '{type: hubspot, base_url: "http://hs.test", access_token: sandbox}',
            HUBSPOT_RATE,
            apart="/search",
        ),
        hubspot,
    ),
}
PAIRS = (("amocrm", "hubspot"), ("hubspot", "bitrix24"), ("bitrix24", "amocrm"))


def measure(folder: Path, scale: Scale) -> list[Row]:
    rows: list[Row] = []
    size = Size().part(scale.sync_share)
    for left, right in PAIRS:
        (folder / f"{left}-{right}").mkdir()
        rows += _rows(left, right, size, play(folder / f"{left}-{right}", left, right, size, scale))
    return rows


@dataclass(slots=True)
class Played:
    """`calls`: CRM -> how many in the first sync, `apart`: those of them with a limit of their own."""

    seconds: float
    calls: Counter[str]
    refused: int
    fresh_s: list[float]
    counts: Counter[str]
    again: Counter[str]
    hub_cpu_s: float
    equal: str


def _rows(left: str, right: str, size: Size, played: Played) -> list[Row]:
    title = f"{SIDES[left].crm.title} and {SIDES[right].crm.title}"
    share = max(100 * played.calls[name] / SIDES[name].crm.allowed(played.seconds) for name in (left, right))
    calls = ", ".join(f"{SIDES[name].crm.title} {played.calls[name]:,}" for name in (left, right))
    made = sum(count for name, count in played.counts.items() if name.startswith(WRITING))
    again = sum(count for name, count in played.again.items() if name.startswith(WRITING))
    rows = [
        Row(f"sync of {title}, {size.total:,} records each", f"{played.seconds:,.0f} s"),
        Row("  records written", f"{made:,}"),
        Row("  calls", calls),
        at_least("  time, share of what the busier limit allows", share, 95, "%"),
        Row("  CPU of the hub", f"{played.hub_cpu_s:,.0f} s"),
        at_most("  refused as too fast (429, 503)", played.refused, 0, ""),
        at_most("  writes of the next run", again, 0, ""),
        Row("  both sides have the same", played.equal, "yes", played.equal == "yes"),
    ]
    if played.fresh_s:
        worst = percentile(played.fresh_s, 0.99)
        title = f"  a fresh lead in the CRM meanwhile, p99 of {len(played.fresh_s)}"
        rows.insert(5, at_most(title, worst, 2, "s", digits=2))
    return rows


def play(folder: Path, left: str, right: str, size: Size, scale: Scale) -> Played:
    config = folder / "config.yaml"
    ends = [SIDES[name].crm for name in (left, right)]
    config.write_text(
        CONFIG.format(left=left, right=right, left_connection=ends[0].connection, right_connection=ends[1].connection),
        encoding="utf-8",
    )
    mapping = folder / "mappings" / "sync" / "-".join((*sorted((left, right)), "deal.yaml"))
    mapping.parent.mkdir(parents=True)
    mapping.write_text(DEAL.format(name=mapping.stem), encoding="utf-8")
    lead = folder / "mappings" / f"{left}-leads.yaml"
    lead.write_text(LEAD.format(crm=left), encoding="utf-8")  # titles of their own: sales are matched by them
    settings = load(config, {})
    admin.upgrade(settings.database_url)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    clock = SimClock(loop, random.Random(1))
    boxes = {name: SIDES[name].fill(clock) for name in (left, right)}
    for name, filled in boxes.items():
        filled.fill(size, second=name == right)
    gc.collect()
    gc.freeze()
    watched = {name: Watched(filled.box, loop.time) for name, filled in boxes.items()}
    wires = {
        name: Wire(FaultLayer(one, clock), random.Random(2), SIDES[name].crm.apart)  # type: ignore[arg-type]  # as much as is asked
        for name, one in watched.items()
    }
    hub = build_hub(
        settings,
        clock=clock,
        db=InlineDatabase(settings.database_url),
        transport=wires.get,
        inline_spool=True,
        pace=SLOW,
    )
    hub.spool.open()
    try:
        return loop.run_until_complete(Run(hub, loop, clock, watched, wires, boxes, scale, (left, right)).play())
    finally:
        loop.run_until_complete(end(hub))
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(folder)


@dataclass(slots=True)
class Watched:
    """A vendor, with the moment of each new deal, each refusal, and the CPU that it took."""

    vendor: Any
    now: Callable[[], float]
    made_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    took_s: float = 0.0

    @property
    def name(self) -> str:
        return str(self.vendor.name)

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        began, before = time.perf_counter(), len(self.vendor.deals)
        response = cast(SandboxResponse, self.vendor.handle(request))
        new = len(self.vendor.deals) - before
        for deal_id, _ in zip(reversed(self.vendor.deals), range(new), strict=False):
            self.made_at[str(deal_id)] = self.now()
        self.refused += response.status in (429, 503)
        self.took_s += time.perf_counter() - began
        return response


@dataclass(slots=True)
class Run:
    hub: Hub
    loop: VirtualLoop
    clock: SimClock
    watched: dict[str, Watched]
    wires: dict[str, Wire]
    boxes: dict[str, Filled]
    scale: Scale
    sides: tuple[str, str]

    async def play(self) -> Played:
        await asyncio.sleep(60)  # virtual: the limits' windows begin empty
        leads = Leads(self.hub, self.loop, self.clock)
        self.hub.start(("worker",))
        cpu, took = time.process_time(), self._took()
        started = self.loop.time()
        arriving = self.loop.create_task(leads.keep_coming(self.scale.sync_fresh_every_s))
        counts = await self._passes(SYNCS)
        ended = self.loop.time()
        arriving.cancel()
        cpu = time.process_time() - cpu - (self._took() - took)
        calls = Counter(
            {
                name: sum(started <= at <= ended and not path.endswith(wire.apart) for at, _, path in wire.calls_at)
                for name, wire in self.wires.items()
            }
        )
        refused = sum(one.refused for one in self.watched.values())
        await asyncio.sleep(SETTLE_S)
        records = await leads.records()
        made_at = self.watched[self.sides[0]].made_at
        fresh_s = [made_at[records[lead]] - at for lead, at in leads.sent_at.items() if lead in records]
        for _ in range(2):  # what the leads have left there, and what the CRM itself then put into the new records
            for name in SYNCS:
                await self._passes([name])
            await asyncio.sleep(SETTLE_S)
        again = Counter[str]()
        for name in SYNCS:
            again += await self._passes([name], full=True)
        return Played(ended - started, calls, refused, fresh_s, counts, again, cpu, self._equal())

    def _took(self) -> float:
        return sum(one.took_s for one in self.watched.values())

    def _equal(self) -> str:
        left, right = (self.boxes[name].box for name in self.sides)
        for kind in ("companies", "contacts", "deals"):
            if (mine := len(getattr(left, kind))) != (theirs := len(getattr(right, kind))):
                return f"{mine:,} and {theirs:,} {kind}"
        return "yes"

    async def _passes(self, names: Any, *, full: bool = False) -> Counter[str]:
        """What one pass of each has done; they run at the same time."""
        asked = {name: new_id(self.clock) for name in names}
        now = self.clock.now()
        for name, id in asked.items():
            await self.hub.db.write(
                partial(sync_log.ask, request_id=id, sync=name, now=now, by="bench", full=full, yes=True)
            )
        counts = Counter[str]()
        while asked:
            await asyncio.sleep(LOOK_S)
            for name, id in list(asked.items()):
                request = await self.hub.db.read(partial(sync_log.request, request_id=id))
                row = await self.hub.db.read(partial(sync_log.pass_of, pass_id=request.pass_id))
                if row is not None and row.state != "running":
                    if row.state != "done":
                        raise RuntimeError(f"the pass of {name} ended as {row.state}: {row.error} {row.counts}")
                    counts += Counter(row.counts)
                    del asked[name]
            if self.loop.time() > GIVE_UP_S:
                raise RuntimeError(f"{', '.join(asked)} did not end")
        return counts
