"""One seeded schedule: senders, faults and crashes; afterwards the five promises are checked."""

import asyncio
import json
import random
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.doors import Inbound
from connectors.sandbox.base import Fault
from jobs.config.loading import Settings, load
from store import admin
from store.spool import SpoolUnavailable
from store.tables import t_delivery, t_incident, t_lead, t_person
from tests.simulate.in_crm import broken_in
from tests.simulate.virtual import VirtualLoop
from tests.simulate.world import LIFE, Killed, Life, World
from tests.support.databases import migrated_sqlite

CONFIG = """
hub: {{database: "sqlite:///leadhub.db", default_region: RU, secret_key: simulated-secret-key-0001, spool_dir: spool}}
connections:
  amo:
    type: amocrm
    base_url: "http://amo.test"
    oauth: {{client_id: sandbox-client, client_secret: sandbox-secret, redirect_uri: "http://127.0.0.1:8080/oauth"}}
  b24: {{type: bitrix24, webhook_url: "http://b24.test/rest/1/sandbox/"}}
  hs: {{type: hubspot, base_url: "http://hs.test", access_token: sandbox}}
sources: {{a: {{type: webform}}, b: {{type: webform}}, c: {{type: webform}}}}
routes:
  - {{from: [a], to: [amo, hs], repeat: {{do: new_deal}}, assign: {{strategy: round_robin, users: ["{amo_user}"]}}}}
  - {{from: [b], to: [b24], repeat: {{do: new_deal}}}}
  - {{from: [c], to: [amo, b24, hs], repeat: {{within: 30d, do: note}}}}
alerts:
  channels: {{ops: {{type: telegram, bot_token: "1:sandbox", chat_id: -100123, api_url: "http://tg.test"}}}}
"""
CRM_OF = {"amo": "amocrm", "b24": "bitrix24", "hs": "hubspot"}
KINDS = (
    *("500", "500_after", "502", "504_late", "504_late", "429", "503", "hang", "slow", "reset", "reset_after"),
    *("html200", "truncated", "down"),
)
QUIET_LIMIT_S = 12 * 3600.0
SENDING_LIMIT_S = 6 * 3600.0
"""Who is not answered until then never will be: the schedule ends with TimeoutError instead of going on for ever."""
TWO_WORKERS = 0.4
"""Share of schedules with two processes."""
LOOK_S = 0.2
"""So often the service manager looks whether a process still runs."""
ALERTS_S = 300.0
"""After so long of nothing wrong no trouble is told of any more."""
TROUBLES = {"fault": 70, "database": 8, "clock": 8, "freeze": 8, "kill": 6}
"""What happens beside the senders, by weight."""


class Broken(Exception):
    """A promise was not kept."""


@dataclass(slots=True)
class Report:
    seed: int
    accepted: int = 0
    duplicates_sent: int = 0
    crashes: list[str] = field(default_factory=list)
    faults: int = 0
    virtual_s: float = 0.0
    calls: int = 0
    problems: list[str] = field(default_factory=list)


def prepare(folder: Path, text: str = CONFIG) -> tuple[Settings, Path]:
    """Configuration and an empty migrated database, made once for many schedules."""
    config = folder / "config.yaml"
    config.write_text(text.format(amo_user="1010101"), encoding="utf-8")
    template = folder / "template.db"
    migrated_sqlite(template)
    return load(config, {}), template


def run_seed(seed: int, settings: Settings, template: Path) -> Report:
    """Plays one schedule from its seed to its end."""
    return play_seed(seed, settings, template, Schedule)


def play_seed(seed: int, settings: Settings, template: Path, kind: "type[Schedule]") -> Report:
    loop = VirtualLoop()
    loop.set_exception_handler(_unless_killed)
    asyncio.set_event_loop(loop)
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as name:
        folder = Path(name)
        own = _in_folder(settings, folder)
        try:
            world = World(loop, seed, folder, own, template)
            try:
                return loop.run_until_complete(kind(world, seed).play())
            finally:
                world.close()
        finally:
            _close(loop)


def _unless_killed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """That a task of a killed process ended so is no news. It would be printed whenever memory is tidied up, also
    in the middle of `ast.parse`, which printing calls as well and which cannot stand that."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


def _in_folder(settings: Settings, folder: Path) -> Settings:
    from dataclasses import replace

    hub = settings.hub.model_copy(update={"spool_dir": folder / "spool"})
    return replace(settings, hub=hub)


def _close(loop: VirtualLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    asyncio.set_event_loop(None)
    loop.close()


class Schedule:
    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.report = Report(seed)
        self.accepted: dict[str, dict[str, Any]] = {}
        """lead_uid -> what was sent and answered."""
        self.order: list[str] = []
        self.workers: dict[str, Life] = {}
        self.faults: list[Fault] = []

    async def play(self) -> Report:
        world, rng = self.world, self.rng
        world.crash_rate = rng.choice([0.0, 0.002, 0.005, 0.02])
        world.max_crashes = rng.randint(0, 6)
        two = rng.random() < TWO_WORKERS
        self.workers = {"one": world.boot("one", ("web", "worker", "scheduler"))}
        if two:
            self.workers["two"] = world.boot("two", ("web", "worker", "scheduler"))
        await world.sign_in(self.workers["one"])
        keepers = [world.own_task(self._keep_alive(name)) for name in self.workers]
        for _ in range(rng.randint(0, 4)):
            self._break_something()
        storm = world.own_task(self._storm())
        senders = [world.own_task(self._send_all(number)) for number in range(rng.randint(2, 6))]
        async with asyncio.timeout(SENDING_LIMIT_S):
            await asyncio.gather(*senders)
        storm.cancel()
        await asyncio.gather(storm, return_exceptions=True)
        self._calm()
        await self._until_quiet()
        for keeper in keepers:
            keeper.cancel()
        # Late writes land, and a hub that comes back much later does what is still owed: nothing may change any more.
        for life in self.workers.values():
            life.kill()
        await asyncio.sleep(2 * 3600.0)
        self.workers = {"later": world.boot("later", ("web", "worker", "scheduler"))}
        await asyncio.sleep(90.0)
        await self._until_complete()
        await asyncio.sleep(ALERTS_S)
        self._check()
        self.workers["later"].kill()
        await asyncio.sleep(1.0)
        self.report.virtual_s = world.loop.virtual_s
        self.report.crashes = world.crashes
        self.report.calls = sum(len(layer.requests) for layer in world.layers.values())
        self.report.faults = sum(fault.hits for fault in self.faults)
        return self.report

    # --- the world's troubles --------------------------------------------------------------

    async def _keep_alive(self, name: str) -> None:
        """The service manager: starts a process again a moment after it died."""
        looked_at = self.world.loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(25 * LOOK_S):
                    await self.workers[name].died.wait()
            if not self.workers[name].alive:
                looks = int((self.world.loop.time() - looked_at) / LOOK_S) + 1
                # On virtual time: a service manager notices at its next look, not in the moment of death.
                await asyncio.sleep(looked_at + looks * LOOK_S - self.world.loop.time())
                await asyncio.sleep(self.rng.uniform(0.1, 20.0))
                self.workers[name] = self.world.boot(name, ("web", "worker", "scheduler"))
            looked_at = self.world.loop.time()
            await self._mind_the_token(self.workers[name])

    async def _mind_the_token(self, life: Life) -> None:
        """Ops sign in again when the token is refused; that is only fair when a clock or a freeze made it run out."""
        if life.hub is None or life.hub.connections["amo"].owner.breaker.state != "unauthorized":
            return
        self.world.signed_in_again += 1
        await self.world.sign_in(life)
        await asyncio.sleep(30.0)

    async def _storm(self) -> None:
        rng, world = self.rng, self.world
        every_s = rng.choice([2.0, 6.0, 20.0])
        while True:
            await asyncio.sleep(rng.expovariate(1 / every_s))
            match rng.choices(list(TROUBLES), list(TROUBLES.values()))[0]:
                case "fault":
                    self._break_something()
                case "database":
                    world.database_down = True
                    world.own_task(self._database_back(rng.choice([1.0, 8.0, 40.0])))
                case "clock":
                    world.clock.skew = timedelta(seconds=rng.choice([-3600, -30, 0, 30, 3600]))
                case "freeze":
                    life = self.workers[rng.choice(list(self.workers))]
                    if life.refreshing is not None:
                        continue  # somebody else would try the pair that is spent: nobody can help that
                    life.thawed.clear()
                    world.own_task(self._thaw(life, rng.choice([1.0, 20.0, 90.0, 400.0])))
                case _:
                    name = rng.choice(list(self.workers))
                    life = self.workers[name]
                    if life.alive and life.refreshing is None and len(world.crashes) < 20:
                        world.crashes.append(f"{world.loop.virtual_s:.3f} {name} killed from outside")
                        life.kill()

    def _break_something(self) -> None:
        rng = self.rng
        layer = self.world.layers[rng.choice(list(self.world.layers))]
        fault = Fault(
            rng.choice(KINDS),  # type: ignore[arg-type]  # one of FaultKind
            match=rng.choice(["", "", "POST", "GET", "PATCH"]),
            share=rng.choice([0.2, 0.5, 1.0]),
            times=rng.choice([1, 1, 2, 5, -1]),
            delay_s=rng.choice([0.5, 3.0, 8.0, 25.0]),
        )
        layer.faults.append(fault)
        self.faults.append(fault)
        self.world.own_task(self._lift(layer, fault, rng.choice([2.0, 10.0, 60.0, 1200.0])))

    async def _lift(self, layer: Any, fault: Fault, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if fault in layer.faults:
            layer.faults.remove(fault)

    async def _database_back(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.world.database_down = False

    async def _thaw(self, life: Life, after_s: float) -> None:
        await asyncio.sleep(after_s)
        life.thawed.set()

    def _calm(self) -> None:
        self.world.crash_rate = 0.0
        self.world.database_down = False
        for layer in self.world.layers.values():
            layer.faults.clear()
        for life in self.workers.values():
            life.thawed.set()

    # --- the senders ------------------------------------------------------------------------

    async def _send_all(self, number: int) -> None:
        rng = self.rng
        for count in range(rng.randint(1, 7)):
            await asyncio.sleep(rng.choice([0.0, 0.05, 1.0, 20.0, 200.0]) * rng.random())
            person = rng.randint(0, 4)
            body = {
                "name": f"Person {person}",
                "phone": rng.choice([f"+7916000000{person}", f"8 (916) 000-00-0{person}"]),
                "comment": f"enquiry {number}.{count}",
                "utm_source": rng.choice(["yandex", "google", ""]),
                "lead_uid": f"uid-{number}-{count}",
            }
            if rng.random() < 0.5:
                body["email"] = f"person{person}@example.ru"
            await self._send(rng.choice("abc"), body)
            if rng.random() < 0.2:
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.uniform(60.0, 200.0))
                self.report.duplicates_sent += 1
                await self._send(self.accepted[body["lead_uid"]]["source"], body)

    async def _send(self, source: str, body: dict[str, str]) -> None:
        """As a careful site does: again until the answer is below 300."""
        while True:
            answer = await self._post(source, body)
            if answer is not None and answer[0] < 300:
                break
            await asyncio.sleep(self.rng.uniform(0.5, 3.0))
        uid = body["lead_uid"]
        if uid not in self.accepted:
            self.accepted[uid] = {"source": source, "phone": body["phone"], "lead_id": answer[1]["lead_id"]}
            self.order.append(uid)
            self.report.accepted += 1

    async def _post(self, source: str, body: dict[str, str]) -> tuple[int, Any] | None:
        return await self._in_process(self._receive, source, body)

    async def _in_process(self, receive: Any, source: str, body: Any) -> Any:
        """What one of the processes answers, None if it died or took too long."""
        life = self.workers[self.rng.choice(list(self.workers))]
        if not life.alive or life.hub is None:
            return None
        token = LIFE.set(life)
        try:
            task = self.world.loop.create_task(receive(life, source, body))
        finally:
            LIFE.reset(token)
        done, _ = await asyncio.wait({task}, timeout=30.0)
        if not done or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def _receive(self, life: Life, source: str, body: dict[str, str]) -> tuple[int, Any]:
        assert life.hub is not None
        await life.step()
        inbound = Inbound(
            method="POST",
            path_tail="",
            query=[],
            headers={"content-type": "application/json"},
            body=json.dumps(body).encode(),
            remote_ip="203.0.113.7",
            received_at=self.world.clock.now(),
        )
        found = life.hub.intake.source(source)
        assert found is not None
        try:
            reply = await life.hub.intake.receive(found, inbound)
        except SpoolUnavailable:
            return 503, None
        except Killed:
            raise asyncio.CancelledError from None
        await life.step()
        return reply.status, json.loads(reply.body)

    # --- the end ----------------------------------------------------------------------------

    async def _until_quiet(self) -> None:
        waited = 0.0
        while waited < QUIET_LIMIT_S:
            pause = max(5.0, waited / 50)
            await asyncio.sleep(pause)
            waited += pause
            if self._is_quiet():
                return
        self.report.problems.append(f"still owed after {waited} s: {self.world.owed()}")

    async def _until_complete(self) -> None:
        """Records that lack their note or a field are completed once nothing is wrong any more."""
        waited = 0.0
        while left := self.world.incomplete():
            if waited > QUIET_LIMIT_S:
                self.report.problems.append(f"still incomplete after {waited} s: {left}")
                return
            waited += 60.0
            await asyncio.sleep(60.0)  # virtual, as all time here: no event tells that a follow-up is done

    def _is_quiet(self) -> bool:
        return (
            not self.world.owed()
            and not self.world.count("inbox_request")
            and all(life.hub and life.hub.spool.waiting == 0 for life in self.workers.values())
        )

    def _rows(self, table: Any) -> list[Any]:
        from sqlalchemy import create_engine

        engine = create_engine(self.world.url)
        with engine.connect() as conn:
            rows = list(conn.execute(table.select()))
        engine.dispose()
        return rows

    def _check(self) -> None:
        problems = self.report.problems
        rows = self._rows(t_lead)
        leads = {row.lead_uid: row for row in rows}
        if len(rows) != len(leads):
            problems.append(f"{len(rows)} leads of {len(leads)} event ids")
        by_id = {row.id: row for row in leads.values()}
        deliveries = self._rows(t_delivery)
        for uid in self.accepted:
            if uid not in leads:
                problems.append(f"lost: {uid} was accepted and is nowhere")
        for row in deliveries:
            if row.state == "delivered" and not row.record_id:
                problems.append(f"delivered without a record: {row.lead_id} {row.connection}")
        for connection, vendor in CRM_OF.items():
            problems += broken_in(connection, self.world.vendors[vendor], by_id, deliveries)
        problems += [f"still told of: {one.kind} {one.key}" for one in self._rows(t_incident) if is_open(one)]
        self._check_order(deliveries, by_id)
        self._check_first_touch(leads)
        if self.world.signed_in_again:
            problems.append(
                f"the token was lost {self.world.signed_in_again} times although every refresh was answered"
            )
        problems += [f"database: {one}" for one in admin.check(self.world.url)]

    def _check_order(self, deliveries: list[Any], leads: dict[str, Any]) -> None:
        """Leads of one person arrive in each CRM in the order in which they were taken in."""
        lanes = defaultdict(list)
        for row in deliveries:
            if row.outcome == "created":
                lanes[row.lane, row.connection].append(row)
        for (_, connection), rows in lanes.items():
            rows.sort(key=lambda row: row.place)
            numbers = [int(row.record_id) for row in rows]
            if numbers != sorted(numbers):
                uids = [leads[row.lead_id].lead_uid for row in rows]
                self.report.problems.append(f"order in {connection}: {uids} became {numbers}")

    def _check_first_touch(self, leads: dict[str, Any]) -> None:
        for person in self._rows(t_person):
            first = next((row for row in leads.values() if row.id == person.first_lead_id), None)
            if first is None or (first.data.get("touch") or {}) != person.first_touch:
                self.report.problems.append(f"first touch of {person.id} is not that of its first lead")


def is_open(incident: Any) -> bool:
    """Of what ends by itself; that nobody has called back yet is no fault."""
    return incident.resolved_at is None and incident.kind != "not_called_back"
