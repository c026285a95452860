"""Retrying leads and the questions about them, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from jobs.config.loading import load
from jobs.intake.routing import Router
from jobs.reports import day_status, list_leads
from jobs.retrying import make_router, retry_leads
from store.intake import Intake
from store.operator import discard
from store.reading import LeadFilter, ids_beginning, story
from store.tables import t_delivery, t_lead
from tests.support.databases import QuickDatabase
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

CONFIG = """\
connections:
  sales: {type: amocrm, base_url: "http://127.0.0.1:1", access_token: sandbox}
  service: {type: hubspot, base_url: "http://127.0.0.1:1", access_token: sandbox}
sources:
  site: {type: webform}
  other: {type: webform}
routes:
  - {name: all, from: [site], to: [sales, service]}
"""
MOSCOW = ZoneInfo("Europe/Moscow")


class World:
    """A database with leads, and the routes of CONFIG."""

    def __init__(self, url: str, folder: Path) -> None:
        self.clock = ManualClock()
        self.db = QuickDatabase(url)
        (folder / "config.yaml").write_text(CONFIG)
        self.settings = load(folder / "config.yaml", {})
        self._intake = Intake(self.clock)

    @property
    def router(self) -> Router:
        return make_router(self.settings, self.clock)

    async def accept(self, *, to: tuple[str, ...] = ("sales",), **values: object) -> str:
        item = replace(acceptance(self.clock, to=to, **values), status="pending" if to else "failed")
        await self.db.write(lambda conn: self._intake.accept(conn, [item]))
        self.clock.forward(1)
        return item.lead.id

    async def states(self, lead_id: str) -> dict[str, str]:
        query = select(t_delivery.c.connection, t_delivery.c.state).where(t_delivery.c.lead_id == lead_id)
        return {row.connection: row.state for row in await self.db.read(lambda conn: conn.execute(query).all())}

    async def set(self, lead_id: str, **values: object) -> None:
        query = update(t_delivery).where(t_delivery.c.lead_id == lead_id).values(**values)
        await self.db.write(lambda conn: conn.execute(query))

    async def status(self, lead_id: str) -> str:
        query = select(t_lead.c.status).where(t_lead.c.id == lead_id)
        found: str = await self.db.read(lambda conn: conn.execute(query).scalar_one())
        return found


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    made = World(database_url, tmp_path)
    yield made
    await made.db.close()


async def test_an_unrouted_lead_gets_the_deliveries_of_its_route_behind_those_of_its_person(world: World) -> None:
    lost = await world.accept(to=())
    await world.accept(to=("sales",))
    done = await retry_leads(world.db, world.router, world.clock, [lost], "anna")
    assert (done.changed, done.refused, done.connections) == ([lost], {}, {"sales", "service"})
    assert await world.states(lost) == {"sales": "waiting", "service": "ready"}
    assert await world.status(lost) == "pending"
    again = await retry_leads(world.db, world.router, world.clock, [lost], "anna")
    assert again.changed == [lost]
    assert len(await world.states(lost)) == 2, "pressed twice, delivered once"


async def test_an_unrouted_lead_that_no_route_takes_stays_and_says_so(world: World) -> None:
    lost = await world.accept(to=(), source="other")
    done = await retry_leads(world.db, world.router, world.clock, [lost, "nobody"], "anna")
    assert done.refused == {lost: "unrouted", "nobody": "no such lead"}
    assert (await world.states(lost), await world.status(lost)) == ({}, "failed")


async def test_a_discarded_unrouted_lead_is_not_routed_again(world: World) -> None:
    lost = await world.accept(to=())
    await world.db.write(lambda conn: discard(conn, lost, why="ours", actor="anna", clock=world.clock))
    done = await retry_leads(world.db, world.router, world.clock, [lost], "anna")
    assert done.changed == []
    assert (await world.states(lost), await world.status(lost)) == ({}, "discarded")


async def test_each_state_answers_a_retry_in_its_own_way(world: World) -> None:
    phones = iter(f"+7916123456{number}" for number in range(10))
    ids = {}
    for state in ("dead", "held", "ready", "claimed", "delivered", "discarded"):
        ids[state] = await world.accept(phones=(next(phones),))
        await world.set(ids[state], state=state, due_at=world.clock.now())
    done = await retry_leads(world.db, world.router, world.clock, list(ids.values()), "anna")
    assert done.changed == [ids["dead"], ids["held"], ids["ready"]]
    assert done.refused == {ids[word]: word for word in ("claimed", "delivered", "discarded")}
    assert (await world.states(ids["dead"]), await world.states(ids["held"])) == ({"sales": "ready"},) * 2


async def test_leads_are_found_by_what_a_person_knows_of_them(world: World) -> None:
    ivan = await world.accept(name="Иван Петров", comment="Нужны 100% окна", flags=("bad_email", "no_contact"))
    anna = await world.accept(name="Anna", phones=("+447700900123",), emails=("anna_b@example.com",), source="landing")
    await world.set(anna, record_id="24515001")

    async def found(**wanted: str) -> list[str]:
        leads = await world.db.read(lambda conn: list_leads(conn, LeadFilter(**wanted), limit=10))  # type: ignore[arg-type]
        return [lead["id"] for lead in leads]

    assert await found(text="иван") == await found(text="ПЕТРОВ") == [ivan]
    assert await found(text="100% окна") == [ivan]
    assert await found(text="100_ окна") == [], "an underscore is an underscore"
    assert await found(text="anna_b@") == await found(text="24515001") == await found(text=anna) == [anna]
    assert await found(phone="+79161234567", text="8 916 123 45 67") == [ivan]
    assert await found(flag="no_contact") == [ivan]
    assert await found(flag="contact") == []
    assert await found(source="landing", status="pending", connection="sales") == [anna]
    assert await world.db.read(lambda conn: ids_beginning(conn, ivan[:30])) == [ivan]
    assert await world.db.read(lambda conn: ids_beginning(conn, "%")) == []


async def test_the_day_groups_what_is_owed_by_reason_and_takes_a_failing_connection_for_degraded(world: World) -> None:
    for number in range(3):
        lead_id = await world.accept(phones=(f"+7916123456{number}",))
        await world.set(lead_id, last_error="create deal: HTTP 503: no", error_kind="retryable")
    refused = await world.accept(phones=("+79161234569",), to=("service",))
    await world.set(refused, state="dead", last_error="HTTP 400: no")
    now = world.clock.now()
    day = await world.db.read(lambda conn: day_status(conn, date(2026, 11, 24), MOSCOW, ["sales", "service"], now))
    assert [(one.connection, one.state, one.count) for one in day.groups] == [
        ("sales", "ready", 3),
        ("service", "dead", 1),
    ]
    assert day.groups[1].lead_id == refused
    assert {name: one["state"] for name, one in day.connections.items()}["sales"] == "degraded"
    assert (day.accepted, day.connections["service"]["failed"]) == (4, 1)


async def test_a_story_of_an_unknown_lead_is_none(world: World) -> None:
    assert await world.db.read(lambda conn: story(conn, "nobody")) is None
