"""What a source tells over a connection that the hub keeps: stored before the next is asked for; told of when cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connectors.doors import Parsed, ParsedLead
from connectors.errors import RetryableError
from jobs.leasing import LeaseKeeper
from jobs.sources.listening import Listening
from jobs.sources.worker import SourceWorker
from tests.support.hub_on_virtual_time import VirtualHub, hub, virtual


class Box:
    """Gives its letters in order; one is gone from it once the next was asked for."""

    def __init__(self, *uids: str) -> None:
        self.letters = list(uids)
        self.trouble = ""
        self.broken = False

    async def listen(self) -> AsyncIterator[Parsed]:
        while True:
            if self.broken:
                raise RetryableError("connection lost: ConnectionResetError", "box")
            while self.letters:
                yield Parsed((ParsedLead(lead_uid=self.letters[0], phones=("+79161234567",)),))
                self.letters.pop(0)
            await asyncio.sleep(1.0)

    async def close(self) -> None:
        return None


@asynccontextmanager
async def listening(h: VirtualHub, box: Box, life: str = "one") -> AsyncIterator[SourceWorker]:
    built: Any = h.lives[life].hub
    source = built.intake.source("site")
    part = Listening(source, box, built.db, built.clock, built.intake, {"title": "Почта"}, built.alerts.wake)
    worker = SourceWorker("site", LeaseKeeper("source:site", built.db, built.clock, h.pace), [part])
    task = asyncio.ensure_future(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


@virtual
async def test_what_is_heard_is_a_lead_in_order_and_once() -> None:
    box = Box("1", "2", "3")
    async with hub() as h, listening(h, box):
        await h.until(lambda: not box.letters, 30.0)
        await h.quiet()
        assert sorted(lead.lead_uid for lead in h.leads()) == ["1", "2", "3"]


@virtual
async def test_what_could_not_be_stored_is_heard_again() -> None:
    box = Box("1", "2")
    async with hub() as h:
        h.world.database_down = True
        async with listening(h, box):
            await h.wait(5.0)
            assert box.letters == ["1", "2"]
            h.world.database_down = False
            await h.until(lambda: not box.letters, 60.0)
            assert sorted(lead.lead_uid for lead in h.leads()) == ["1", "2"]


@virtual
async def test_two_processes_listen_one_at_a_time_and_the_second_goes_on() -> None:
    box = Box("1")
    async with hub() as h:
        await h.start("two")
        async with listening(h, box) as first, listening(h, box, "two") as second:
            await h.until(lambda: not box.letters, 30.0)
            assert first.keeper.holding != second.keeper.holding
            (first if first.keeper.holding else second).stop()
            box.letters.append("2")
            await h.until(lambda: not box.letters, 60.0)
        assert sorted(lead.lead_uid for lead in h.leads()) == ["1", "2"]


@virtual
async def test_a_connection_that_stays_away_is_told_of_until_it_is_back() -> None:
    box = Box()
    box.broken = True
    async with hub() as h, listening(h, box):
        await h.until(lambda: "source_disconnected" in h.open_incidents(), 120.0)
        await h.until(lambda: any("Нет связи с источником: «Почта»" in text for text in h.told()), 60.0)
        box.broken = False
        box.letters.append("1")
        await h.until(lambda: "source_disconnected" not in h.open_incidents(), 60.0)
        await h.until(lambda: len(h.leads()) == 1, 30.0)


@virtual
async def test_a_link_that_mends_itself_says_what_is_wrong_meanwhile() -> None:
    box = Box()
    box.trouble = "imap.login: the login is refused"
    async with hub() as h, listening(h, box):
        await h.until(lambda: "source_disconnected" in h.open_incidents(), 120.0)
        box.trouble = ""
        await h.until(lambda: "source_disconnected" not in h.open_incidents(), 60.0)


@virtual
async def test_a_short_break_rings_nobody() -> None:
    box = Box()
    async with hub() as h, listening(h, box):
        await h.wait(5.0)
        box.trouble = "connection lost"
        await h.wait(40.0)
        box.trouble = ""
        await h.wait(120.0)
        assert h.incidents("source_disconnected") == []
