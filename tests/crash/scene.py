"""One crash test's stage: a database, three CRMs, hubs that may be killed, leads and the verdict at the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from leads.clock import SystemClock
from store.tables import t_lead
from tests.support.crms import CRM_OF, Crms, running_crms
from tests.support.hub_main import QUICK, Options
from tests.support.hub_process import PATIENCE_S, HubProcess, Zygote, free_port
from tests.support.promises import Verdict, judge, owed, rows
from tests.support.senders import Senders, lead

LOOK_FACTOR = 0.03
"""The recipes' 35 and 65 seconds become one and two."""
LOOK_S = 0.1

CONFIG = """
hub:
  listen: 127.0.0.1:{port}
  database: "{database}"
  default_region: RU
  secret_key: secret-key-of-the-crash-tests
  spool_dir: spool
sources:
  all: {{type: webform, rate_limit: null}}
routes:
  - {{from: [all], to: [amo, b24, hs], repeat: {{do: new_deal}}}}
"""
ALL = tuple(CRM_OF)


@dataclass
class Scene:
    """`hubs` of this scene are killed when it ends."""

    folder: Path
    database: str
    crms: Crms
    zygote: Zygote
    senders: Senders
    port: int
    oauth: bool = False
    hubs: list[HubProcess] = field(default_factory=list)
    sent: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    async def boot(self, *, roles: str = "web,worker,scheduler", hold_at: str = "", quick: bool = True) -> HubProcess:
        """A hub that answers, at the tests' pace or, not `quick`, at the real one."""
        options = Options(
            str(self.config),
            tuple(roles.split(",")),
            look_factor=LOOK_FACTOR,
            pace=QUICK if quick else {},
            hold_at=hold_at,
        )
        hub = await self.zygote.start(options, self.folder)
        self.hubs.append(hub)
        return await hub.ready()

    async def send(self, persons: int, each: int = 1) -> None:
        """So many persons at once, each with so many enquiries one after the other."""
        first = self.sent

        async def enquire(person: int) -> None:
            for number in range(each):
                await self.senders.send("all", lead(person, first + number))

        await asyncio.gather(*(enquire(person) for person in range(persons)))
        self.sent += each

    async def send_one(self, person: int, **more: str) -> None:
        """The next enquiry of one person."""
        number, self.sent = self.sent, self.sent + 1
        await self.senders.send("all", lead(person, number, **more))

    async def taken_in(self, count: int) -> None:
        """Waits until so many leads are in the database."""
        async with asyncio.timeout(PATIENCE_S):
            while len(await asyncio.to_thread(rows, self.database, t_lead)) < count:
                await asyncio.sleep(LOOK_S)

    async def all_arrived(self, timeout_s: float = PATIENCE_S) -> float:
        """Waits until nothing is owed any more; the seconds that it took."""
        started = time.monotonic()
        while left := await asyncio.to_thread(owed, self.database):
            if time.monotonic() - started > timeout_s:
                tails = "\n".join(hub.tail() for hub in self.hubs[-2:])
                raise AssertionError(f"still owed after {timeout_s} s: {left}\n{tails}")
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - started

    def judge(self) -> Verdict:
        return judge(self.database, self.crms.vendors(), self.senders.accepted.values())

    async def every_lead_arrives_once(self, leads: int) -> None:
        """All that was accepted is in all CRMs, once, in order; and so it stays."""
        await self.all_arrived()
        assert len(self.senders.accepted) == leads
        assert self.judge().problems() == []


@contextlib.asynccontextmanager
async def staged(folder: Path, database: str, zygote: Zygote, *, oauth: bool = False) -> AsyncIterator[Scene]:
    port = free_port()
    async with running_crms(SystemClock()) as crms:
        senders = Senders([f"http://127.0.0.1:{port}"], {"all": ALL})
        scene = Scene(folder, database, crms, zygote, senders, port, oauth)
        scene.config.write_text(
            CONFIG.format(port=port, database=database) + crms.connections(oauth_of=("amo", "hs") if oauth else ())
        )
        try:
            yield scene
        finally:
            for hub in scene.hubs:
                await hub.kill()
            await senders.close()
