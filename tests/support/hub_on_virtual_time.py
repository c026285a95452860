"""The whole hub with its sandbox CRMs in one process, on time that passes only when everybody waits.

    @virtual
    async def test_a_lead_arrives() -> None:
        async with hub(CONFIG) as h:
            await h.post("site", {"name": "Иван", "phone": "8 916 123-45-67"})
            await h.quiet()
            assert len(h.amocrm.deals) == 1

Built of the simulator's parts, without its chance: nothing fails unless a test makes it fail.
"""

import asyncio
import functools
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
from sqlalchemy import Connection, bindparam

from connectors.oauth import token_from_answer
from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import Fault, FaultKind, FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from connectors.sandbox.telegram import TelegramSandbox
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import ROLES
from jobs.pace import Pace
from leads.incidents import Incident
from store import operator
from store.engines import make_engine
from store.inbox_tables import t_inbox_request
from store.incidents import recent_incidents
from store.tables import t_assignment, t_attempt, t_delivery, t_follow_up, t_lead, t_person
from store.tokens import StoredTokens
from tests.simulate.virtual import START, VirtualLoop
from tests.simulate.world import LIFE, Life, LifeDatabase, World
from tests.support.crm_views import deals as deals_of
from tests.support.databases import QuickDatabase, compiled_once, migrated_sqlite
from tests.support.in_process import InProcess
from web.app import WebApp

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
OPS = -100123
DAY = 86_400.0
CALM = Pace(idle_s=30.0, look_s=10.0, mend_s=120.0, clock_s=10.0, renew_s=15.0, lease_ttl_s=60.0)
"""What is woken by events is as quick as ever; each look for what nobody told of costs the test real time."""
PATIENT = Pace(look_s=60.0, clock_s=30.0, idle_s=60.0, mend_s=600.0, renew_s=60.0, lease_ttl_s=240.0)
"""For an hour of virtual time."""
UNHURRIED = Pace(
    idle_s=600.0,
    look_s=300.0,
    mend_s=3600.0,
    tidy_s=86_400.0,
    clock_s=300.0,
    alerts_s=300.0,
    renew_s=240.0,
    lease_ttl_s=900.0,
)
"""For days of virtual time."""

CONNECTIONS = """
connections:
  amo: {type: amocrm, base_url: "http://amo.test", access_token: sandbox}
  b24: {type: bitrix24, webhook_url: "http://b24.test/rest/1/sandbox/"}
  hs: {type: hubspot, base_url: "http://hs.test", access_token: sandbox}
alerts:
  channels: {ops: {type: telegram, bot_token: "1:sandbox", chat_id: -100123, api_url: "http://tg.test"}}
"""
VENDOR_OF = {"amo": "amocrm", "b24": "bitrix24", "hs": "hubspot"}


def config(
    routes: str = "",
    *,
    hub: str = "",
    sources: str = "site: {type: webform, rate_limit: off}",
    connections: str = CONNECTIONS,
) -> str:
    """A configuration around what a test is about; `routes` is the YAML under `routes:`, by default all to amoCRM."""
    return (
        "hub: {database: 'sqlite:///leadhub.db', default_region: RU, timezone: Europe/Moscow, locale: ru, "
        f"secret_key: key-of-the-tests-0001, {hub}}}\n"
        f"{connections}\n"
        f"sources: {{{sources}}}\n"
        f"routes:\n{routes or '  - {from: [site], to: [amo]}'}\n"
    )


def virtual(test: Callable[Params, Awaitable[None]]) -> Callable[Params, None]:
    """Runs an async test on virtual time."""

    @functools.wraps(test)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> None:
        loop = VirtualLoop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(test(*args, **kwargs))  # type: ignore[arg-type]  # an async def
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return run


@asynccontextmanager
async def hub(
    text: str = "",
    *,
    pace: Pace = CALM,
    database: str = "",
    mappings: dict[str, str] | None = None,
    at: datetime = START,
    roles: Collection[str] = ROLES,
    prepare: "Callable[[VirtualHub], None] | None" = None,
) -> "AsyncIterator[VirtualHub]":
    """`text`: config.yaml; `database`: URL of a migrated one instead of a fresh SQLite file; `mappings`: name -> YAML.

    `at`: when it begins; `prepare` changes the CRMs before the hub starts.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "the test is not @virtual"
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as name:
        folder = Path(name)
        migrated_sqlite(folder / "template.db")
        (folder / "mappings").mkdir()
        for mapping, yaml in (mappings or {}).items():
            (folder / "mappings" / f"{mapping}.yaml").write_text(yaml, encoding="utf-8")
        one = VirtualHub(loop, folder, text or config(), pace, database)
        one.world.clock.skew = at - START
        if prepare is not None:
            prepare(one)
        await one.start("one", roles)
        try:
            yield one
        finally:
            await one.end()


@lru_cache
def _rows_where(table: Any, names: tuple[str, ...]) -> Any:
    """Of a table, in the order of its key. Built once: tests ask again and again until something is there."""
    where = (table.c[name] == bindparam(name, type_=table.c[name].type) for name in names)
    return table.select().where(*where).order_by(*table.primary_key.columns)


class VirtualHub:
    """What a test sees and does. The hub's processes are `Life`s; mostly there is one."""

    def __init__(self, loop: VirtualLoop, folder: Path, text: str, pace: Pace, database: str) -> None:
        self.folder = folder
        self.config_file = folder / "config.yaml"
        self.config_file.write_text(text, encoding="utf-8")
        self.settings = self._load()
        self.world = World(loop, 1, folder, self.settings, folder / "template.db")
        if database:
            self.world.url = database
        clock = self.world.clock
        self.amocrm = AmocrmSandbox(clock)
        self.bitrix24 = Bitrix24Sandbox(clock)
        self.hubspot = HubSpotSandbox(clock, search_lag_s=0.0)
        self.telegram = TelegramSandbox(clock)
        vendors = (self.amocrm, self.bitrix24, self.hubspot, self.telegram)
        self.world.vendors = {vendor.name: vendor for vendor in vendors}
        self.world.layers = {vendor.name: FaultLayer(vendor, clock, random.Random(1)) for vendor in vendors}
        self.clock = clock
        self.pace = pace
        self.lives: dict[str, Life] = {}
        self._web: dict[str, WebApp] = {}
        self._reader = compiled_once(make_engine(self.world.url, writer=False))
        self._writer = compiled_once(make_engine(self.world.url, writer=True))

    def _load(self) -> Any:
        settings = load(self.config_file, {})
        return replace(settings, hub=settings.hub.model_copy(update={"spool_dir": self.folder / "spool"}))

    # --- processes ------------------------------------------------------------------------------------------------

    async def start(self, name: str = "one", roles: Collection[str] = ROLES) -> Life:
        """One more process of the hub, on the configuration as it is in the file now."""
        self.settings = self._load()
        life = Life(self.world, name)
        token = LIFE.set(life)
        try:
            built = build_hub(
                self.settings,
                clock=self.clock,
                db=LifeDatabase(self.world.url, life),
                transport=self.world.transport(life),
                inline_spool=True,
                pace=self.pace,
            )
            built.spool.open()
            built.start(roles)
        finally:
            LIFE.reset(token)
        life.hub = built
        self.lives[name] = life
        self.world.lives.append(life)
        self._web.pop(name, None)
        await asyncio.sleep(0.2)  # it takes its leases
        return life

    async def stop(self, name: str = "one") -> None:
        """As SIGTERM does."""
        life = self.lives.pop(name)
        assert life.hub is not None
        token = LIFE.set(life)
        try:
            await asyncio.create_task(life.hub.stop())
        finally:
            LIFE.reset(token)
        life.alive = False

    async def kill(self, name: str = "one") -> None:
        """As SIGKILL does."""
        self.lives.pop(name).kill()
        await asyncio.sleep(0)

    async def restart(self, config_text: str = "") -> None:
        if config_text:
            self.config_file.write_text(config_text, encoding="utf-8")
        await self.stop()
        await self.start()

    async def end(self) -> None:
        self.calm()
        self.world.database_down = False
        for name in list(self.lives):
            await self.stop(name)
        await asyncio.sleep(60.0)  # late writes land
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        self._reader.dispose()
        self._writer.dispose()
        self.world.close()

    def owner(self, connection: str, name: str = "one") -> Any:
        found = self.lives[name].hub
        assert found is not None
        return found.connections[connection].owner

    # --- what comes in --------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        ip: str = "203.0.113.7",
        headers: dict[str, str] | None = None,
        to: str = "one",
        **kwargs: Any,
    ) -> httpx.Response:
        """Through the hub's own ASGI application, as from the network."""
        app = self.web(to)
        if not path.startswith("/in/"):
            app.make_pages()  # there is no other thread on virtual time
        token = LIFE.set(self.lives[to])
        try:
            async with httpx.AsyncClient(transport=InProcess(app, (ip, 50_000)), base_url="http://hub.test") as client:
                answer = await client.request(method, path, headers=headers, **kwargs)
        finally:
            LIFE.reset(token)
        if method == "POST" and path.startswith("/in/"):
            await self._worked_on_at_once()
        return answer

    def web(self, of: str = "one") -> WebApp:
        hub_ = self.lives[of].hub
        assert hub_ is not None
        if of not in self._web:
            self._web[of] = WebApp(hub_)
        return self._web[of]

    async def _worked_on_at_once(self) -> None:
        """Events are worked on after their answer; here before any time passes, unless something hinders that."""
        for _ in range(50):
            if not self.rows(t_inbox_request):
                return
            await asyncio.sleep(0)

    async def post(self, source: str, fields: dict[str, Any], **kwargs: Any) -> str:
        """Sends a lead as JSON; it must be accepted. Returns its id."""
        answer = await self.request("POST", f"/in/{source}", json=fields, **kwargs)
        assert answer.status_code == 202, answer.text
        lead_id: str = answer.json()["lead_id"]
        return lead_id

    # --- time -----------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self.clock.monotonic()

    async def wait(self, seconds: float) -> None:
        assert seconds <= 7200 or self.pace is UNHURRIED, "each look costs real time: wait less or be UNHURRIED"
        await asyncio.sleep(seconds)

    def jump(self, seconds: float) -> None:
        """Somebody sets the machine's clock; no time passes."""
        self.clock.skew += timedelta(seconds=seconds)

    async def until(self, true: Callable[[], Any], within_s: float = 600.0, what: str = "") -> float:
        """Waits until `true()`; returns how many seconds that took."""
        began, step = self.now_s, 0.05
        while not true():
            assert self.now_s - began < within_s, f"not within {within_s} s: {what or self.story()}"
            await asyncio.sleep(step)
            step = min(step * 1.1, 30.0)
        return self.now_s - began

    async def quiet(self, within_s: float = 600.0) -> float:
        """Waits until nothing is on its way to a CRM; returns how many seconds that took."""
        return await self.until(lambda: not self.rows(t_inbox_request) and not self.owed(), within_s)

    async def worked_on(self, within_s: float = 60.0) -> float:
        """Waits until every event that was accepted is made into what it tells of."""
        return await self.until(lambda: not self.rows(t_inbox_request), within_s)

    # --- trouble ---------------------------------------------------------------------------------------------------

    def fault(self, vendor: str, kind: FaultKind, match: str = "", **more: Any) -> Fault:
        """From now on, until `calm`: see connectors.sandbox.base.Fault."""
        fault = Fault(kind, match, **more)
        self.world.layers[vendor].faults.append(fault)
        return fault

    def calm(self, vendor: str = "") -> None:
        for name, layer in self.world.layers.items():
            if vendor in ("", name):
                layer.faults.clear()

    def break_spool(self) -> None:
        """A file stands where the folder should be."""
        for path in self.folder.glob("spool/*"):
            path.unlink()
        (self.folder / "spool").rmdir()
        (self.folder / "spool").write_text("", encoding="utf-8")

    async def sign_in(self) -> None:
        """What a person does with `leadhub auth amo`."""
        hub_ = next(iter(self.lives.values())).hub
        assert hub_ is not None
        token = token_from_answer(self.amocrm.issue_tokens(), self.clock.now())
        await StoredTokens(QuickDatabase(self.world.url), hub_.sealer, "amo", self.clock).save(token)

    async def retry(self, *lead_ids: str) -> operator.Done:
        """The button."""
        from jobs.retrying import retry_leads

        hub_ = next(iter(self.lives.values())).hub
        assert hub_ is not None
        done = await retry_leads(QuickDatabase(self.world.url), hub_.router, self.clock, lead_ids, "test")
        hub_.wake(done.connections)
        return done

    async def discard(self, lead_id: str, why: str = "spam") -> operator.Done:
        return self.write(lambda conn: operator.discard(conn, lead_id, why=why, actor="test", clock=self.clock))

    # --- what is kept ---------------------------------------------------------------------------------------------

    def read(self, work: Callable[[Connection], Answer]) -> Answer:
        with self._reader.connect() as conn:
            return work(conn)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        with self._writer.begin() as conn:
            return work(conn)

    def rows(self, table: Any, **where: Any) -> list[Any]:
        query = _rows_where(table, tuple(where))
        return self.read(lambda conn: list(conn.execute(query, where)))

    def leads(self) -> list[Any]:
        return self.rows(t_lead)

    def lead(self, lead_id: str) -> Any:
        return self.rows(t_lead, id=lead_id)[0]

    def persons(self) -> list[Any]:
        return self.rows(t_person)

    def deliveries(self, **where: Any) -> list[Any]:
        return self.rows(t_delivery, **where)

    def delivery(self, lead_id: str) -> Any:
        (found,) = self.rows(t_delivery, lead_id=lead_id)
        return found

    def attempts(self, lead_id: str) -> list[Any]:
        return self.rows(t_attempt, lead_id=lead_id)

    def assignments(self, **where: Any) -> list[Any]:
        return self.rows(t_assignment, **where)

    def follow_ups(self) -> list[Any]:
        return self.rows(t_follow_up)

    def owed(self) -> list[Any]:
        """On their way and not held by anybody."""
        on_the_way = ("ready", "waiting", "claimed")
        return [row for row in self.deliveries() if row.state in on_the_way and row.error_kind != "hold"]

    def story(self) -> list[tuple[str, ...]]:
        """For a failing test: how things stand."""
        return [
            (row.connection, row.state, row.error_kind, row.last_error, str(row.attempts), str(row.due_at))
            for row in self.deliveries()
        ]

    # --- what people are told ---------------------------------------------------------------------------------------

    def incidents(self, kind: str = "") -> list[Incident]:
        """Newest first."""
        return [one for one in self.read(recent_incidents) if kind in ("", one.kind)]

    def open_incidents(self) -> set[str]:
        return {one.kind for one in self.incidents() if one.resolved_at is None}

    def told(self) -> list[str]:
        """Texts in the ops chat, as they stand now, oldest first."""
        return [message.text for message in self.telegram.chat_messages(OPS)]

    # --- what the CRMs hold ----------------------------------------------------------------------------------------

    def crm(self, connection: str) -> Any:
        return self.world.vendors[VENDOR_OF.get(connection, connection)]

    async def close_deal(self, connection: str) -> None:
        """Somebody gives up the first deal; it may be found as closed when this returns."""
        crm = self.crm(connection)
        deal_id = next(iter(crm.deals))
        match crm.name:
            case "amocrm":
                crm.move_deal(deal_id, 7700001, 143)
            case "bitrix24":
                crm.crm.change("deal", deal_id, {"STAGE_ID": "LOSE"}, pipeline_too=False)
            case _:
                crm.records.update("deals", crm.deals[deal_id], {"dealstage": "closedlost"})
        await self.wait(10.0)

    def deal_ids(self, connection: str) -> list[str]:
        """In the order in which they were made."""
        return [record_id for record_id, _, _ in deals_of(self.crm(connection))]

    def keys(self, connection: str) -> list[str]:
        """Our key on each deal, in the order in which they were made."""
        return [key for _, key, _ in deals_of(self.crm(connection))]

    def notes(self, connection: str) -> list[str]:
        crm = self.crm(connection)
        match crm.name:
            case "amocrm":
                return [str((note.get("params") or {}).get("text", "")) for note in crm.notes.values()]
            case "bitrix24":
                return [str(note["COMMENT"]) for note in crm.comments.values()]
            case _:
                return [str(note["properties"]["hs_note_body"]).replace("<br>", "\n") for note in crm.notes.values()]

    def tasks(self, connection: str) -> list[tuple[str, str]]:
        """(text, responsible) of each call task."""
        crm = self.crm(connection)
        match crm.name:
            case "amocrm":
                return [(task["text"], str(task["responsible_user_id"])) for task in crm.tasks.values()]
            case "bitrix24":
                return [(one["DESCRIPTION"], str(one["RESPONSIBLE_ID"])) for one in crm.activities.values()]
            case _:
                found = [task["properties"] for task in crm.tasks.values()]
                return [(one["hs_task_subject"], str(one.get("hubspot_owner_id") or "")) for one in found]

    def responsible(self, connection: str) -> list[str]:
        """User id on each deal, in the order in which they were made."""
        crm = self.crm(connection)
        match crm.name:
            case "amocrm":
                return [str(deal["responsible_user_id"]) for deal in crm.deals.values()]
            case "bitrix24":
                return [str(deal["ASSIGNED_BY_ID"]) for deal in crm.deals.values()]
            case _:
                return [str(deal["properties"].get("hubspot_owner_id") or "") for deal in crm.deals.values()]
