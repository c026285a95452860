"""A hub of which only the web side is used, in this process, on a clock that the test moves."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import Connection, update

from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from store.tables import t_delivery, t_lead
from store.users import add_user, create_token
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock
from tests.support.passwords import quick_hash
from tests.support.running_hub import CONFIG, SECRET
from web.app import WebApp

Result = TypeVar("Result")
HERE = "http://127.0.0.1:8080"


@dataclass(slots=True)
class QuietHub:
    hub: Hub
    clock: ManualClock
    app: WebApp

    def visitor(self, address: str = "127.0.0.1", base: str = HERE, **headers: str) -> httpx.AsyncClient:
        """A browser or program at `address`, with cookies of its own."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 50_000))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=transport, base_url=base, headers=named)

    def program(self, token: str) -> httpx.AsyncClient:
        return self.visitor(Authorization=f"Bearer {token}")

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        return await self.hub.db.read(work)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        return await self.hub.db.write(work)

    async def token(self, name: str = "bi") -> str:
        return await self.write(lambda conn: create_token(conn, name, self.clock.now()))

    async def add_user(self, login: str = "anna", password: str = "correct horse", locale: str = "") -> None:
        hashed = quick_hash(password)
        await self.write(lambda conn: add_user(conn, login, hashed, self.clock.now(), locale))

    async def send(self, source: str = "site", **fields: str) -> str:
        async with self.visitor() as browser:
            answer = await browser.post(f"/in/{source}", data=fields)
        assert answer.status_code == 202, answer.text
        lead_id: str = answer.json()["lead_id"]
        self.clock.forward(0.001)
        return lead_id

    async def fail(self, lead_id: str, error: str = "create deal: HTTP 400: Bad Request") -> None:
        """As if the CRM had refused it."""
        delivery = {"state": "dead", "error_kind": "refused", "last_error": error, "attempts": 1}

        def work(conn: Connection) -> None:
            conn.execute(update(t_delivery).where(t_delivery.c.lead_id == lead_id).values(**delivery))
            conn.execute(update(t_lead).where(t_lead.c.id == lead_id).values(status="failed"))

        await self.write(work)


@asynccontextmanager
async def quiet_hub(
    folder: Path, database: str, *, listen: str = "127.0.0.1", hub: str = "", routes: str = "", sources: str = ""
) -> AsyncIterator[QuietHub]:
    """`hub`, `sources` and `routes` are more lines of the configuration."""
    text = CONFIG.format(port=8080, sandbox=1, database=database, locale="ru", secret=SECRET, hub=hub, sources=sources)
    text = text.replace("listen: 127.0.0.1", f"listen: {listen}") + routes
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    clock = ManualClock()
    settings = load(folder / "config.yaml", {})
    built = build_hub(settings, clock=clock, db=QuickDatabase(database), inline_spool=True)
    built.spool.open()
    yield QuietHub(built, clock, WebApp(built))
    await built.stop()


def form_token(page: httpx.Response) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found, page.text
    return found.group(1)


async def sign_in(browser: httpx.AsyncClient, login: str = "anna", password: str = "correct horse") -> httpx.Response:
    page = await browser.get("/login")
    fields: dict[str, Any] = {"token": form_token(page), "login": login, "password": password, "next": "/"}
    return await browser.post("/login", data=fields)
