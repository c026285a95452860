"""What outlives a hub: the CRMs, the database file, the network between, and the power to kill."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx

from connectors.oauth import token_from_answer
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from connectors.sandbox.telegram import TelegramSandbox
from connectors.transport import LEAVES
from jobs.app import build_hub
from jobs.config.loading import Settings
from jobs.hub import Hub
from jobs.pace import Pace
from store.db import StoreUnavailable
from store.tokens import StoredTokens
from tests.simulate.virtual import SimClock, VirtualLoop
from tests.support.databases import QuickDatabase
from tests.support.in_process import answered

ACCESS_LIFE_S = 90.0
"""Of amoCRM's access token: a schedule sees many refreshes."""
SLOW = Pace(
    lease_ttl_s=40.0,
    renew_s=13.0,
    contend_s=8.0,
    idle_s=30.0,
    look_s=60.0,
    mend_s=120.0,
    tidy_s=7200.0,
    clock_s=15.0,
    alerts_s=60.0,
)
"""Looks cost real time, waiting does not: what wakes others at once does so here as well."""

LIFE: "ContextVar[Life | None]" = ContextVar("life", default=None)


class Killed(BaseException):
    """The process that runs this does not exist any more."""


class Life:
    """One run of one hub process: dies without a word, or freezes for a while."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.died = asyncio.Event()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.refreshing: bytes | None = None
        """While a refresh is under way: the stored pair that it replaces. A kill before the new pair is
        committed loses it, and nobody can help that."""
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.hub: Hub | None = None

    async def step(self) -> None:
        """Every touch of the outside passes here: a dead process touches nothing, a frozen one waits."""
        while not self.thawed.is_set():
            await self.thawed.wait()
        if not self.alive:
            raise Killed

    def kill(self) -> None:
        self.alive = False
        self.died.set()
        self.thawed.set()
        if self.hub is not None:
            self.hub.spool.abandon()
        for task in list(self.tasks):
            task.cancel()

    async def checkpoint(self, name: str) -> None:
        await self.step()
        await self.world.maybe_crash(self, f"at {name}", weight=3.0)


class LifeDatabase(QuickDatabase):
    """The database as one process sees it: may be away, and the process may die around any commit."""

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url)
        self._life = life

    async def _run(self, work: Callable[..., Any], item: Any, *, batched: bool) -> Any:
        await self._life.step()
        if self._life.world.database_down:
            await asyncio.sleep(0.01)
            raise StoreUnavailable("the database is away")
        await self._life.world.maybe_crash(self._life, "before a commit")
        result = await super()._run(work, item, batched=batched)
        if self._life.refreshing not in (None, self._life.world.stored_token()):
            self._life.refreshing = None
        self._life.world.tell_of_commit(self._life)
        await self._life.step()
        await self._life.world.maybe_crash(self._life, "after a commit")
        return result

    async def read(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        await self._life.step()
        if self._life.world.database_down:
            raise StoreUnavailable("the database is away")
        return await super().read(work, *args, **named)

    async def close(self) -> None:
        if self._life.alive:
            await super().close()


class Wire(httpx.AsyncBaseTransport):
    """The network between one process and one vendor: delays; the other end works on when this one is gone."""

    def __init__(self, world: "World", life: Life, layer: Any) -> None:
        self._world = world
        self._life = life
        self._layer = layer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._life.step()
        body = await request.aread()
        await asyncio.sleep(self._world.rng.expovariate(1 / 0.02))
        await self._life.step()
        if (leaves := request.extensions.get(LEAVES)) is not None:
            leaves()
        refresh = "/oauth2/" in request.url.path
        if refresh:
            self._life.refreshing = self._world.stored_token()
        work = self._world.own_task(self._serve(request, body))
        response = await asyncio.shield(work)
        await self._life.step()
        if refresh:
            if response.status_code != 200:
                self._life.refreshing = None
            return response
        await self._world.maybe_crash(self._life, "with an answer in hand")
        return response

    async def _serve(self, request: httpx.Request, body: bytes) -> httpx.Response:
        response = await answered(self._layer, request, body)
        await asyncio.sleep(self._world.rng.expovariate(1 / 0.02))
        return response


class Nobody(httpx.AsyncBaseTransport):
    """The network where a vendor that this world does not have would be."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)


NOBODY = Nobody()


class World:
    """Seeded: the same seed gives the same history, to the last draw."""

    def __init__(self, loop: VirtualLoop, seed: int, folder: Path, settings: Settings, template: Path) -> None:
        self.loop = loop
        self.rng = random.Random(seed)
        self.clock = SimClock(loop, random.Random(seed + 1))
        self.settings = settings
        shutil.copy(template, folder / "leadhub.db")
        self.url = f"sqlite:///{folder / 'leadhub.db'}"
        self._watcher = sqlite3.connect(folder / "leadhub.db")
        self._version = 0
        self.database_down = False
        self.crash_rate = 0.0
        self.crashes: list[str] = []
        self.max_crashes = 0
        self.lives: list[Life] = []
        self._own: set[asyncio.Task[Any]] = set()
        lag = self.rng.choice([0.0, 3.0])
        right = SimClock(loop, random.Random(seed + 3))  # it is the hub's machine whose clock is wrong at times
        self.vendors = {
            "amocrm": AmocrmSandbox(right, token="", search_lag_s=lag, access_life_s=ACCESS_LIFE_S),
            "bitrix24": Bitrix24Sandbox(right),
            "hubspot": HubSpotSandbox(right, search_lag_s=5.0),
            "telegram": TelegramSandbox(right),
        }
        fault_rng = random.Random(seed + 2)
        self.layers = {name: FaultLayer(vendor, right, fault_rng) for name, vendor in self.vendors.items()}
        self.layers["amocrm"].spared = ("/oauth2/",)
        self.others: dict[str, Any] = {}
        """ASGI applications of vendors that only a test knows, by the type of the source."""
        self.signed_in_again = 0
        loop.set_task_factory(self._make_task)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **kwargs)
        life = LIFE.get()
        if life is not None:
            life.tasks.add(task)
            task.add_done_callback(life.tasks.discard)
        return task

    def own_task(self, coro: Any) -> asyncio.Task[Any]:
        """A task that belongs to no process."""
        token = LIFE.set(None)
        try:
            task = self.loop.create_task(coro)
        finally:
            LIFE.reset(token)
        self._own.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._own.discard(task)
        if not task.cancelled():
            task.exception()  # a cut connection concerns who waited for it, and he may be dead

    async def maybe_crash(self, life: Life, where: str, weight: float = 1.0) -> None:
        if life.refreshing is not None:
            return
        if len(self.crashes) < self.max_crashes and self.rng.random() < self.crash_rate * weight:
            self.crashes.append(f"{self.loop.virtual_s:.3f} {life.name} {where}")
            life.kill()
            raise Killed

    def stored_token(self) -> bytes:
        """amoCRM's pair as it is in the database, sealed."""
        row = self._watcher.execute("SELECT sealed FROM token WHERE connection = 'amo'").fetchone()
        return bytes(row[0]) if row else b""

    def count(self, rows: str) -> int:
        """Of `SELECT … FROM rows`."""
        (found,) = self._watcher.execute(f"SELECT count(*) FROM {rows}").fetchone()
        return int(found)

    def owed(self) -> list[tuple[str, str, str]]:
        """(lead, connection, state and last error) of deliveries that are not done."""
        done = "('delivered', 'discarded')"
        query = f"SELECT lead_id, connection, state, last_error FROM delivery WHERE state NOT IN {done}"
        return [(lead, name, f"{state} {error}") for lead, name, state, error in self._watcher.execute(query)]

    def incomplete(self) -> list[tuple[str, str, str]]:
        """(lead, connection, what is missing) of deliveries that were made without some of what belongs to them."""
        query = "SELECT lead_id, connection, incomplete FROM delivery WHERE error_kind = 'incomplete'"
        return list(self._watcher.execute(query))

    def tell_of_commit(self, life: Life) -> None:
        """Other processes are told when one changed something; now and then the word is lost."""
        (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        for other in self.lives:
            if other is not life and other.alive and other.hub is not None and self.rng.random() < 0.95:
                other.hub.wake([])

    def transport(self, life: Life) -> Callable[[str], httpx.AsyncBaseTransport | None]:
        def to(vendor: str) -> httpx.AsyncBaseTransport:
            there = self.layers.get(vendor) or self.others.get(vendor)
            return NOBODY if there is None else Wire(self, life, there)

        return to

    def close(self) -> None:
        self._watcher.close()

    async def sign_in(self, life: Life) -> None:
        """What a person does with `leadhub auth`: a new pair of tokens for amoCRM."""
        assert life.hub is not None
        connection = life.hub.connections["amo"]
        answer = self.vendors["amocrm"].issue_tokens()  # type: ignore[union-attr]  # amoCRM's own
        token = token_from_answer(answer, self.clock.now())
        await StoredTokens(QuickDatabase(self.url), life.hub.sealer, connection.name, self.clock).save(token)

    def boot(self, name: str, roles: tuple[str, ...]) -> Life:
        """A new process."""
        life = Life(self, name)
        token = LIFE.set(life)
        try:
            hub = build_hub(
                self.settings,
                clock=self.clock,
                db=LifeDatabase(self.url, life),
                transport=self.transport(life),
                checkpoint=life.checkpoint,
                inline_spool=True,
                pace=SLOW,
            )
            hub.spool.open()
            hub.start(roles)
        finally:
            LIFE.reset(token)
        life.hub = hub
        self.lives.append(life)
        return life
