"""A sync inside the running hub: by the clock, by webhooks, on request; one at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from jobs.app import build_hub
from jobs.config.loading import load
from jobs.hub import Hub
from jobs.sync.beside import run_or_ask
from jobs.sync.passes import Wish
from jobs.sync.status import status
from leads.clock import SystemClock
from store.db import GroupCommitDatabase
from tests.support.databases import new_sqlite
from tests.support.memory_connector import MAPPING, Accounts, config, memory_crms
from web.app import WebApp

PHONE = "+79161234567"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


async def silent(_counts: object) -> None:
    pass


async def hub_with(folder: Path, accounts: Accounts, work: Callable[[Hub], Awaitable[None]], **settings: str) -> None:
    mapping = folder / "mappings" / "sync" / "contact.yaml"
    mapping.parent.mkdir(parents=True)
    mapping.write_text(MAPPING, encoding="utf-8")
    (folder / "mappings" / "memory-leads.yaml").write_text("deal: {title: lead}\n", encoding="utf-8")
    (folder / "config.yaml").write_text(config(**settings), encoding="utf-8")
    db = GroupCommitDatabase(new_sqlite(folder))
    hub = build_hub(load(folder / "config.yaml", {}), clock=SystemClock(), db=db)
    hub.start(("worker",))
    try:
        await work(hub)
    finally:
        await hub.stop()


async def test_a_running_hub_keeps_both_sides_equal_by_itself(tmp_path: Path) -> None:
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]
        left.put("contact", first_name="Анна", phones=(PHONE,))

        async def work(hub: Hub) -> None:
            await until(lambda: len(right.alive("contact")) == 1)
            (id,) = right.alive("contact")
            right.edit("contact", id, first_name="Аня")
            await until(lambda: left.alive("contact")["1"].values["first_name"] == "Аня")

        await hub_with(tmp_path, accounts, work)


async def test_a_webhook_is_stored_and_brings_the_change_over_without_a_poll(tmp_path: Path) -> None:
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]
        id = left.put("contact", first_name="Анна", phones=(PHONE,))

        async def work(hub: Hub) -> None:
            await until(lambda: len(right.alive("contact")) == 1)
            await asyncio.sleep(0.2)
            polls = left.calls["changed"]
            left.edit("contact", id, first_name="Аня")
            transport = httpx.ASGITransport(app=WebApp(hub))  # type: ignore[arg-type]  # an ASGI application
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as web:
                assert (await web.post(f"/hooks/sales/wrong?id={id}")).status_code == 401
                assert (await web.post(f"/hooks/nobody?id={id}")).status_code == 404
                assert (await web.get(f"/hooks/sales/s3cret?id={id}")).status_code == 405
                for _ in range(2):  # repeated, as CRMs do
                    answer = await web.post(f"/hooks/sales/s3cret?id={id}")
                    assert (answer.status_code, answer.json()) == (200, {})
            await until(lambda: [one.values["first_name"] for one in right.alive("contact").values()] == ["Аня"])
            assert left.calls["changed"] == polls
            assert right.writes == [("create", "1"), ("update", "1")]

        await hub_with(tmp_path, accounts, work, poll="1h")


async def test_a_run_from_the_command_line_is_done_by_the_hub_that_holds_the_sync(tmp_path: Path) -> None:
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]

        async def work(hub: Hub) -> None:
            await until(lambda: hub.syncs["sync:contacts"]._keeper.holding)
            left.put("contact", first_name="Анна", phones=(PHONE,))
            wish = Wish(full=True)
            result = await run_or_ask(
                hub.settings, "contacts", hub.db, SystemClock(), wish, asked_by="test", progress=silent
            )
            assert result.state == "done"
            assert len(right.alive("contact")) == 1

        await hub_with(tmp_path, accounts, work)


async def test_a_mass_change_waits_for_a_yes_and_is_told(tmp_path: Path) -> None:
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]
        for number in range(8):
            left.put("contact", first_name=f"N{number}", phones=(f"+7916000000{number}",))

        async def work(hub: Hub) -> None:
            async def told() -> bool:
                return any(one.kind == "sync_braked" for one in await hub.incidents.list_dirty(["any"]))

            async with asyncio.timeout(60):
                while not await told():
                    await asyncio.sleep(0.05)
            assert right.writes == []
            wish = Wish(full=True, yes=True)
            await run_or_ask(hub.settings, "contacts", hub.db, SystemClock(), wish, asked_by="test", progress=silent)
            assert len(right.alive("contact")) == 8

        await hub_with(tmp_path, accounts, work, brake="{at_least: 1, records: 5}")


async def test_a_sync_that_cannot_begin_says_so_in_its_status_and_a_mended_mapping_is_taken_when_a_person_asks(
    tmp_path: Path,
) -> None:
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]
        mapping = tmp_path / "mappings" / "sync" / "contact.yaml"
        left.put("contact", first_name="Анна", position="директор")

        async def work(hub: Hub) -> None:
            settings = hub.settings.syncs["contacts"]

            async def stands() -> tuple[str, str]:
                found = await hub.db.read(status, "contacts", settings, SystemClock().now())
                return found.state, found.last_pass["error"] if found.last_pass else ""

            async def ask() -> str:
                wish = Wish(full=True)
                clock = SystemClock()
                done = await run_or_ask(hub.settings, "contacts", hub.db, clock, wish, asked_by="test", progress=silent)
                return done.state

            await until(lambda: len(right.alive("contact")) == 1)
            good = mapping.read_text(encoding="utf-8")
            mapping.write_text(good.replace("position: {", "position: {left: positon, "), encoding="utf-8")
            assert await ask() == "failed"
            state, error = await stands()
            assert (state, 'no field "positon"' in error) == ("failed", True)
            mapping.write_text(good.replace("position: {conflict: ask}", "last_name: position"), encoding="utf-8")
            left.edit("contact", "1", last_name="Орлова")
            assert await ask() == "done"
            assert [one.values["position"] for one in right.alive("contact").values()] == ["Орлова"]
            assert (await stands())[0] == "ok"

        await hub_with(tmp_path, accounts, work, poll="1h")
