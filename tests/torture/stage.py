"""Hubs under a service manager, CRMs, senders and a clock that can be moved; what can be done to them."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leads.clock import Clock
from store.db import InlineDatabase
from store.sealing import Sealer
from store.tokens import StoredTokens
from tests.support.crms import Crms, running_crms
from tests.support.hub_main import Options
from tests.support.hub_process import Ended, HubProcess, free_port
from tests.support.moved_clock import MovedClock
from tests.support.promises import owed
from tests.support.senders import Senders, lead
from tests.torture.plan import Plan

SECRET = "secret-key-of-the-torture-test"
ROUTES = {"a": ("amo", "hs"), "b": ("b24",), "c": ("amo", "b24", "hs")}
CONFIG = """
hub:
  listen: 127.0.0.1:{port}
  database: "{database}"
  default_region: RU
  secret_key: {secret}
  spool_dir: spool{number}
sources:
  a: {{type: webform, rate_limit: null}}
  b: {{type: webform, rate_limit: null}}
  c: {{type: webform, rate_limit: null}}
routes:
  - {{from: [a], to: [amo, hs], repeat: {{do: new_deal}}}}
  - {{from: [b], to: [b24], repeat: {{do: new_deal}}}}
  - {{from: [c], to: [amo, b24, hs], repeat: {{within: 30d, do: note}}}}
"""


SERVING = 0.75
"""Of the kills so many wait until the process serves. Where it needs longer to start than to be killed again, none ever
would: that says how fast the machine is."""


@dataclass
class Kept:
    """One place of the service manager: a process that is started again as soon as it is gone."""

    name: str
    options: Options
    folder: Path
    url: str = ""
    hub: HubProcess | None = None
    restarts: int = 0
    keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.hub = await HubProcess.start_main(self.options, self.folder / f"{self.name}.log")
        await self.hub.ready()
        self.keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            assert self.hub is not None
            await self.hub.ended.wait()
            self.restarts += 1
            self.hub = await HubProcess.start_main(self.options, self.folder / f"{self.name}.log")

    async def serves(self) -> None:
        """Returns once the process that stands here now serves, or has ended."""
        while self.hub is None or self.hub.ended.is_set():
            await asyncio.sleep(0.01)  # the service manager puts another in its place and tells nobody
        with contextlib.suppress(Ended):
            await self.hub.ready()

    async def kill(self) -> None:
        """SIGKILL; the service manager sees to the rest."""
        if self.hub is not None:
            await self.hub.kill()

    async def stop(self) -> int:
        if self.keeping is not None:
            self.keeping.cancel()
        return await self.hub.stop() if self.hub is not None else 0


@dataclass
class Stage:
    plan: Plan
    folder: Path
    database: str
    crms: Crms
    clock: MovedClock
    senders: Senders
    hubs: list[Kept]
    rng: random.Random
    numbers: dict[int, int] = field(default_factory=dict)
    """Person -> enquiries sent."""
    kills: int = 0
    _busy: dict[int, asyncio.Lock] = field(default_factory=dict)

    # --- leads ------------------------------------------------------------------------------

    async def send(self, count: int, *, per_s: float | None = None, source: str = "") -> None:
        """So many leads of persons drawn at random, at the plan's pace; returns when all are accepted."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self.send_one(source))
                due = started + (number + 1) / (per_s or self.plan.per_s)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def send_one(self, source: str = "") -> float:
        """One lead; the seconds until it was accepted. A person sends one after the other, always to the same hub."""
        person = self.rng.randrange(self.plan.persons)
        async with self._busy.setdefault(person, asyncio.Lock()):
            number = self.numbers[person] = self.numbers.get(person, -1) + 1
            started = time.monotonic()
            url = self.senders.urls[person % len(self.senders.urls)]
            await self.senders.send(source or self.rng.choice("abc"), lead(person, number), url=url)
            return time.monotonic() - started

    async def all_arrived(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while left := await asyncio.to_thread(owed, self.database):
            if time.monotonic() > deadline:
                tails = "\n".join(kept.hub.tail() for kept in self.hubs if kept.hub)
                raise AssertionError(f"{len(left)} still owed after {patience_s} s: {left[:10]}\n{tails}")
            await asyncio.sleep(0.5)

    # --- what is done to them ---------------------------------------------------------------

    @contextlib.contextmanager
    def faulty(self) -> Iterator[dict[str, int]]:
        """A fifth of all answers is bad while the block runs; afterwards the dict says how many of which kind."""
        hits: dict[str, int] = {}
        with contextlib.ExitStack() as stack:
            faults = [
                stack.enter_context(crm.failing(kind, share=share, delay_s=delay_s))
                for name, crm in self.crms.by_name.items()
                for kind, share, delay_s in self.plan.faults(name)
            ]
            yield hits
            for fault in faults:
                hits[fault.kind] = hits.get(fault.kind, 0) + fault.hits

    @contextlib.asynccontextmanager
    async def killing(self) -> AsyncIterator[None]:
        """One process or another is killed at random moments while the block runs."""

        async def kill_on() -> None:
            while True:
                await asyncio.sleep(self.rng.expovariate(1 / self.plan.killed_every_s))
                place = self.rng.choice(self.hubs)
                if self.rng.random() < SERVING:
                    await place.serves()
                self.kills += 1
                await place.kill()

        task = asyncio.create_task(kill_on())
        try:
            yield
        finally:
            task.cancel()

    @contextlib.asynccontextmanager
    async def crms_down(self) -> AsyncIterator[None]:
        """Nobody listens at the CRMs' addresses."""
        await asyncio.gather(*(crm.down() for crm in self.crms))
        try:
            yield
        finally:
            await asyncio.gather(*(crm.up() for crm in self.crms))


async def _sign_in(stage_database: str, crms: Crms, clock: Clock) -> None:
    """HubSpot by OAuth: its access tokens run out after half an hour."""
    vendor: Any = crms["hs"].vendor
    form = {"client_id": vendor.tokens.client_id, "client_secret": vendor.tokens.client_secret}
    pair = vendor.tokens.grant({**form, "grant_type": "authorization_code", "code": vendor.tokens.code}).body
    db = InlineDatabase(stage_database)
    now = clock.now().timestamp()
    try:
        tokens = StoredTokens(db, Sealer((SECRET,)), "hs", clock)
        await tokens.save({**pair, "obtained_at": now, "expires_at": now + float(pair["expires_in"])})
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def set_up(plan: Plan, folder: Path, database: str, seed: int) -> AsyncIterator[Stage]:
    """SQLite: one whole hub and a second worker. PostgreSQL: two whole hubs."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = MovedClock(folder / "clock")
    sqlite = database.startswith("sqlite")
    async with running_crms(clock, seed=seed, search_lag_s=2.0) as crms:
        await _sign_in(database, crms, clock)
        hubs = []
        for number in (1, 2):
            port = free_port()
            config = folder / f"config{number}.yaml"
            text = CONFIG.format(port=port, database=database, secret=SECRET, number=number)
            config.write_text(text + crms.connections(oauth_of=("hs",)))
            roles = ("worker",) if sqlite and number == 2 else ("web", "worker", "scheduler")
            options = Options(
                str(config), roles, look_factor=plan.look_factor, pace=plan.pace, clock_file=str(folder / "clock")
            )
            hubs.append(Kept(f"hub{number}", options, folder, f"http://127.0.0.1:{port}" if "web" in roles else ""))
        senders = Senders([kept.url for kept in hubs if kept.url], ROUTES)
        stage = Stage(plan, folder, database, crms, clock, senders, hubs, random.Random(seed))
        try:
            await asyncio.gather(*(kept.start() for kept in hubs))
            yield stage
        finally:
            for kept in hubs:
                if kept.keeping is not None:
                    kept.keeping.cancel()
                if kept.hub is not None:
                    await kept.hub.kill()
            await senders.close()
