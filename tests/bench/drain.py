"""A backlog against the vendors' real limits, on virtual time: how much of the limit is used, and who comes first.

The whole hub and a sandbox CRM run in one process, as in the simulator; waiting costs nothing, so an hour passes in
about a minute. Fresh leads arrive all the while, and the time until their record is there is the vendor's own.
"""

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

import httpx

from connectors.base import Rate
from connectors.doors import Inbound
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import FaultLayer, SandboxRequest, SandboxResponse
from connectors.sandbox.bitrix24 import RATE as BITRIX24_RATE
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import BURST as HUBSPOT_RATE
from connectors.sandbox.hubspot import HubSpotSandbox
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from leads.clock import Clock
from store import admin
from store.db import InlineDatabase
from tests.bench.forms import form
from tests.bench.scale import Scale
from tests.bench.table import Row, at_least, at_most, percentile
from tests.simulate.virtual import SimClock, VirtualLoop
from tests.simulate.world import SLOW

CONFIG = """
hub: {{database: "sqlite:///leadhub.db", default_region: RU, secret_key: simulated-secret-key-0001, spool_dir: spool}}
connections: {{crm: {connection}}}
sources: {{site: {{type: webform}}}}
routes: [{{from: [site], to: [crm]}}]
"""
GROWS_OLD_S = 30.0
"""So long before the worker starts, the backlog was taken in."""
FRESH_FIRST = 20_000_000
WIRE_S, JITTER_S = 0.015, 0.005
"""Each way between hub and vendor: at least, and how much more on average."""
LOOK_S = 1.0
GIVE_UP_S = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class Crm:
    title: str
    name: str
    sandbox: Callable[[Clock], Any]
    connection: str
    rate: Rate
    apart: str = "-"
    """End of the paths that have a limit of their own."""

    def allowed(self, seconds: float) -> float:
        """Calls that the vendor would have taken in so long, from a standing start."""
        if self.rate.leak_per_s:
            return self.rate.calls + seconds * self.rate.leak_per_s
        return seconds * self.rate.calls / self.rate.per_s


CRMS = (
    Crm(
        "amoCRM",
        "amocrm",
        AmocrmSandbox,
        '{type: amocrm, base_url: "http://amo.test", access_token: sandbox}',
        Rate(7, 1.0),
    ),
    Crm(
        "Bitrix24",
        "bitrix24",
        Bitrix24Sandbox,
        '{type: bitrix24, webhook_url: "http://b24.test/rest/1/sandbox/"}',
        BITRIX24_RATE,
    ),
    Crm(
        "HubSpot",
        "hubspot",
        lambda clock: HubSpotSandbox(clock, search_lag_s=5.0),
        '{type: hubspot, base_url: "http://hs.test", access_token: sandbox}',
        HUBSPOT_RATE,
        apart="/search",
    ),
)


def measure(folder: Path, scale: Scale) -> list[Row]:
    rows: list[Row] = []
    for crm in CRMS:
        (folder / crm.name).mkdir()
        drained = drain(folder / crm.name, crm, scale)
        title = f"{crm.title}, {scale.backlog:,} leads behind"
        rows += [
            at_least(
                f"{title}: calls, share of the limit", 100 * drained.calls / crm.allowed(drained.seconds), 95, "%"
            ),
            Row("  drained", f"{scale.backlog / drained.seconds * 60:,.0f} leads/min"),
            _fresh(drained.fresh_s),
            at_most("  refused as too fast (429, 503)", drained.refused, 0, ""),
        ]
    return rows


def _fresh(seconds: list[float]) -> Row:
    title = "  a fresh lead in the CRM meanwhile, p99"
    return at_most(title, percentile(seconds, 0.99), 1, "s", digits=2) if seconds else Row(title, "none came")


@dataclass(slots=True)
class Drained:
    seconds: float
    calls: int
    refused: int
    fresh_s: list[float]


def drain(folder: Path, crm: Crm, scale: Scale) -> Drained:
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(connection=crm.connection), encoding="utf-8")
    settings = load(config, {})
    admin.upgrade(settings.database_url)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    clock = SimClock(loop, random.Random(1))
    watched = Watched(crm.sandbox(clock), loop.time)
    wire = Wire(FaultLayer(watched, clock), random.Random(2), crm.apart)  # type: ignore[arg-type]  # as much of a vendor as is asked
    hub = build_hub(
        settings,
        clock=clock,
        db=InlineDatabase(settings.database_url),
        transport=lambda _: wire,
        inline_spool=True,
        pace=SLOW,
    )
    hub.spool.open()
    try:
        return loop.run_until_complete(Run(hub, loop, clock, watched, wire, scale).play())
    finally:
        loop.run_until_complete(end(hub))
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(folder)


async def end(hub: Hub) -> None:
    await hub.stop()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@dataclass(slots=True)
class Watched:
    """A vendor, with the moment of each new deal and each refusal noted."""

    vendor: Any
    now: Callable[[], float]
    made_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    @property
    def name(self) -> str:
        return str(self.vendor.name)

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        before = len(self.vendor.deals)
        response = cast(SandboxResponse, self.vendor.handle(request))
        for deal_id in islice(reversed(self.vendor.deals), len(self.vendor.deals) - before):
            self.made_at[str(deal_id)] = self.now()
        self.refused += response.status in (429, 503)
        return response


class Wire(httpx.AsyncBaseTransport):
    """The network to a vendor: takes its time, loses nothing."""

    def __init__(self, vendor: FaultLayer, rng: random.Random, apart: str) -> None:
        self.calls_at = vendor.requests
        self.apart = apart
        self._server = httpx.ASGITransport(vendor)  # type: ignore[arg-type]  # a plain ASGI application
        self._rng = rng

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(WIRE_S + self._rng.expovariate(1 / JITTER_S))
        response = await self._server.handle_async_request(request)
        await asyncio.sleep(WIRE_S + self._rng.expovariate(1 / JITTER_S))
        return response


@dataclass(slots=True)
class Leads:
    """Enquiries that are taken in while something else goes on."""

    hub: Hub
    loop: VirtualLoop
    clock: SimClock
    sent_at: dict[str, float] = field(default_factory=dict)
    """Lead id -> when it was accepted, of those that came by `keep_coming`."""

    async def keep_coming(self, every_s: float) -> None:
        number = FRESH_FIRST
        while True:
            await asyncio.sleep(every_s)
            at = self.loop.time()
            self.sent_at[await self.send(number)] = at
            number += 1

    async def send(self, number: int) -> str:
        source = self.hub.intake.source("site")
        assert source is not None
        inbound = Inbound(
            method="POST",
            path_tail="",
            query=[],
            headers={"content-type": "application/json"},
            body=form(number),
            remote_ip="127.0.0.1",
            received_at=self.clock.now(),
        )
        reply = await self.hub.intake.receive(source, inbound)
        return str(json.loads(reply.body)["lead_id"])

    async def records(self) -> dict[str, str]:
        """Lead id -> its record, of those that are delivered."""
        query = "SELECT lead_id, record_id FROM delivery WHERE state = 'delivered'"
        rows = await self.hub.db.read(lambda conn: conn.exec_driver_sql(query).all())
        return {row[0]: row[1] for row in rows}


@dataclass(slots=True)
class Run:
    hub: Hub
    loop: VirtualLoop
    clock: SimClock
    watched: Watched
    wire: Wire
    scale: Scale

    async def play(self) -> Drained:
        leads = Leads(self.hub, self.loop, self.clock)
        backlog = [await leads.send(number) for number in range(self.scale.backlog)]
        await asyncio.sleep(GROWS_OLD_S)
        started = self.loop.time()
        self.hub.start(("worker",))
        arriving = self.loop.create_task(leads.keep_coming(self.scale.fresh_every_s))
        left = set(backlog)
        while left:
            await asyncio.sleep(LOOK_S)
            left -= (await leads.records()).keys()
            if self.loop.time() > GIVE_UP_S:
                raise RuntimeError(f"{len(left)} leads are not delivered")
        arriving.cancel()
        records = await leads.records()
        ended = max(self.watched.made_at[records[lead]] for lead in backlog)
        calls = [
            at for at, _, path in self.wire.calls_at if started <= at <= ended and not path.endswith(self.wire.apart)
        ]
        fresh_s = [self.watched.made_at[records[lead]] - at for lead, at in leads.sent_at.items() if lead in records]
        return Drained(ended - started, len(calls), self.watched.refused, fresh_s)
