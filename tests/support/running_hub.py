"""A whole hub on loopback ports, sandbox CRMs included, on a thread and an event loop of its own."""

import asyncio
import json
import random
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from connectors.sandbox.app import SandboxApp, default_vendors
from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import ROLES, Hub
from jobs.serving import bind, listen
from leads.clock import SystemClock
from store.db import GroupCommitDatabase
from store.users import add_user, create_token
from tests.support.databases import new_sqlite
from tests.support.passwords import quick_hash
from web.app import WebApp

Result = TypeVar("Result")
SECRET = "a secret of the tests, long enough"

CONFIG = """
hub:
  listen: 127.0.0.1:{port}
  database: {database}
  timezone: Europe/Moscow
  locale: {locale}
  default_region: RU
  secret_key: "{secret}"
{hub}
connections:
  sales: {{type: amocrm, base_url: "http://127.0.0.1:{sandbox}/amocrm", access_token: sandbox}}
  service: {{type: bitrix24, webhook_url: "http://127.0.0.1:{sandbox}/bitrix24/rest/1/sandbox/"}}
  marketing: {{type: hubspot, base_url: "http://127.0.0.1:{sandbox}/hubspot", access_token: sandbox}}
sources:
  site: {{type: webform, rate_limit: null}}
  landing: {{type: webform, rate_limit: null}}
  nowhere: {{type: webform}}
{sources}
routes:
  - {{from: [landing], to: [service]}}
  - {{from: [site], when: "lead.utm_medium == 'cpc'", to: [sales, marketing]}}
  - {{from: [site], to: [sales]}}
"""


class OwnChance(SystemClock):
    """Draws of its own: Hypothesis watches the ones that all share."""

    def __init__(self) -> None:
        self._random = random.Random()

    def random(self) -> float:
        return self._random.random()

    def random_bits(self, bits: int) -> int:
        return self._random.getrandbits(bits)


@dataclass(slots=True)
class RunningHub:
    """`url` is the hub, `sandbox_url` the CRMs. Methods may be called from any thread."""

    hub: Hub
    sandbox: SandboxApp
    url: str
    sandbox_url: str
    folder: Path
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result], timeout_s: float = 120.0) -> Result:
        """Runs a coroutine on the hub's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        return self.run(self.hub.db.read(work))

    def write(self, work: Callable[[Connection], Result]) -> Result:
        return self.run(self.hub.db.write(work))

    def add_user(self, login: str = "anna", password: str = "correct horse", locale: str = "") -> None:
        hashed, now = quick_hash(password), self.hub.clock.now()
        self.write(lambda conn: add_user(conn, login, hashed, now, locale))

    def token(self, name: str = "bi") -> str:
        now = self.hub.clock.now()
        return self.write(lambda conn: create_token(conn, name, now))

    def send(self, source: str = "site", **fields: str) -> str:
        """A form is sent; returns the lead's id."""
        data = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(f"{self.url}/in/{source}", data, timeout=120) as answer:  # our own address
            lead_id: str = json.load(answer)["lead_id"]
            return lead_id

    def fault(self, kind: str, vendor: str = "*", **more: Any) -> None:
        problems = self.sandbox.add_fault({"vendor": vendor, "kind": kind, **more})
        assert not problems, problems

    def mend(self) -> None:
        self.sandbox.clear_faults()

    def wait_until_delivered(self) -> None:
        """Until every lead that was accepted is in its CRMs, also one that waits in the spool for a busy database."""
        query = "SELECT 1 FROM lead WHERE status <> 'delivered'"
        self.wait_for(lambda conn: not self.hub.spool.waiting and conn.exec_driver_sql(query).first() is None)

    def wait_for(self, work: Callable[[Connection], bool], timeout_s: float = 120.0) -> None:
        """Until a statement about the database is true."""

        async def waiting() -> None:
            async with asyncio.timeout(timeout_s):
                while not await self.hub.db.read(work):
                    await asyncio.sleep(0.05)

        self.run(waiting(), timeout_s + 5)


@contextmanager
def running_hub(
    folder: Path,
    *,
    database: str = "",
    locale: str = "ru",
    hub: str = "",
    sources: str = "",
    connections: str = "",
    more: str = "",
) -> Iterator[RunningHub]:
    """`database` is a migrated one, by default a new SQLite file in `folder`.

    `hub`, `sources`, `connections` are more lines of YAML in these sections, `more` after all of them.
    """
    sockets = [bind("127.0.0.1", 0) for _ in range(2)]
    port, sandbox_port = (one.getsockname()[1] for one in sockets)
    url = database or new_sqlite(folder, migrated=not (folder / "leadhub.db").exists())
    text = CONFIG.format(
        port=port, sandbox=sandbox_port, database=url, locale=locale, secret=SECRET, hub=hub, sources=sources
    )
    text = text.replace("\nsources:", f"\n{connections}sources:", 1) + more
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    settings = load(folder / "config.yaml", {})
    ready = threading.Event()
    box: list[RunningHub] = []
    failed: list[BaseException] = []
    stop: list[asyncio.Event] = []

    async def serve() -> None:
        clock = OwnChance()
        built = build_hub(settings, clock=clock, db=GroupCommitDatabase(settings.database_url))
        built.spool.open()
        sandbox = SandboxApp(default_vendors(clock), clock)
        servers = [listen(WebApp(built), sockets[0]), listen(sandbox, sockets[1])]
        stop.append(asyncio.Event())
        tasks = [asyncio.create_task(one.server.serve(sockets=[one.socket])) for one in servers]
        built.start(ROLES)
        await asyncio.gather(*(one.server.ready.wait() for one in servers))
        at, sandbox_at = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
        box.append(RunningHub(built, sandbox, at, sandbox_at, folder, asyncio.get_running_loop()))
        ready.set()
        await stop[0].wait()
        for one in servers:
            one.server.should_exit = True
        sandbox.clear_faults()
        await built.stop()
        await asyncio.gather(*tasks)

    def thread() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            ready.set()

    runner = threading.Thread(target=thread, name="hub")
    runner.start()
    ready.wait(120)
    if not box:
        raise RuntimeError("the hub did not start") from (failed[0] if failed else None)
    try:
        yield box[0]
    finally:
        box[0].loop.call_soon_threadsafe(stop[0].set)
        runner.join(30)
