"""What record sync tells people by itself: questions that wait, stopped pairs, passes that never end."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest_asyncio
from sqlalchemy import Connection

from connectors.sandbox.telegram_html import parse_html
from jobs.alerts.looking import Look
from jobs.alerts.texts import render
from jobs.alerts.words import Style
from jobs.config.syncs import SyncSettings
from jobs.sync.passes import times_name
from jobs.sync_watch import look_at_syncs
from leads.ids import new_id
from leads.incidents import Incident, Send, Sent, acknowledge, next_step
from store import cursors, incidents, sync_log
from store.sync_log import Issue
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock

SETTINGS = SyncSettings.model_validate({"left": "sales", "right": "hs", "object": "contact"})
MOSCOW = ZoneInfo("Europe/Moscow")
HOUR = 3600.0


class Desk:
    """One sync, watched."""

    def __init__(self, url: str) -> None:
        self.db = QuickDatabase(url)
        self.clock = ManualClock()
        self.syncs = {"contacts": SETTINGS}
        self.since = self.clock.now()

    async def look(self) -> dict[str, Incident]:
        """The open incidents by kind, after a look."""

        def work(conn: Connection) -> dict[str, Incident]:
            look = Look.begin(conn, self.clock.now())
            look_at_syncs(conn, look, self.syncs, self.since)
            look.write(conn, self.clock)
            return {one.kind: one for one in incidents.open_incidents(conn)}

        return await self.db.write(work)

    async def issue(self, kind: str, subject: str) -> None:
        id, now = new_id(self.clock), self.clock.now()
        await self.db.write(lambda conn: sync_log.raise_issue(conn, "contacts", id, Issue(kind, subject), now))

    async def close(self, kind: str) -> None:
        now = self.clock.now()
        await self.db.write(lambda conn: sync_log.close_issues(conn, "contacts", now, "left", kind=kind))

    async def looked(self) -> None:
        kept = {"looked_at": self.clock.now().isoformat()}
        await self.db.write(lambda conn: cursors.save(conn, times_name("contacts"), kept))

    def text(self, one: Incident, locale: str = "ru", url: str = "") -> str:
        style = Style("ru" if locale == "ru" else "en", MOSCOW, url)
        return parse_html(render(one, style, self.clock.now()).html)[0]


@pytest_asyncio.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    made = Desk(database_url)
    yield made
    await made.db.close()


async def test_questions_are_told_once_they_wait_for_hours_and_are_over_when_decided(desk: Desk) -> None:
    await desk.issue("conflict", "a")
    await desk.looked()
    assert await desk.look() == {}
    desk.clock.forward(3 * HOUR)
    await desk.issue("ambiguous", "b")
    await desk.looked()
    assert await desk.look() == {}
    desk.clock.forward(HOUR + 60)
    await desk.looked()
    waiting = (await desk.look())["sync_waiting"]
    assert desk.text(waiting) == (
        "🟡 Синхронизация «contacts»: 2 вопроса ждут вашего решения\n"
        "Споры о значениях: 1, неясных совпадений: 1. Старший ждёт 4 ч 1 мин. "
        "До решения эти поля и записи не трогаются.\n"
        "Решить: leadhub sync conflicts list"
    )
    assert desk.text(waiting, "en", "https://hub.example.com") == (
        '🟡 Sync "contacts": 2 questions wait for your decision\n'
        "Conflicts of values: 1, unclear matches: 1. The oldest waits 4 h 1 min. Until then these fields and records "
        "are not touched.\n"
        "Decide: https://hub.example.com/syncs"
    )
    await desk.close("conflict")
    await desk.close("ambiguous")
    assert await desk.look() == {}


async def test_waiting_questions_ring_again_once_a_day_until_somebody_looks_after_them(desk: Desk) -> None:
    await desk.issue("conflict", "a")
    desk.clock.forward(5 * HOUR)
    await desk.looked()
    one = (await desk.look())["sync_waiting"]
    at = desk.clock.now()
    sent = Sent("open", at, at, message_id="7")

    def rings(now: datetime, incident: Incident = one) -> bool:
        return isinstance(next_step(incident, sent, now, sent.reads, edits=True), Send)

    assert not rings(at + timedelta(hours=23))
    assert rings(at + timedelta(hours=24, seconds=1))
    assert not rings(at + timedelta(hours=30), acknowledge(one, "anna", at))


async def test_stopped_pairs_are_told_at_once_with_what_to_do(desk: Desk) -> None:
    for subject in ("a", "b"):
        await desk.issue("loop", subject)
    one = (await desk.look())["sync_loop"]
    assert desk.text(one).splitlines()[0] == "🟡 Синхронизация «contacts»: остановлены 2 пары записей"
    assert (
        desk.text(one).splitlines()[2] == "Найдите, кто правит это поле, потом продолжите: leadhub sync conflicts list"
    )
    await desk.close("loop")
    assert await desk.look() == {}


async def test_a_sync_that_finishes_no_pass_for_long_is_told_and_says_whether_one_runs(desk: Desk) -> None:
    desk.clock.forward(6 * HOUR + 60)
    one = (await desk.look())["sync_late"]
    assert desk.text(one).splitlines()[0] == "🔴 Синхронизация «contacts» не закончила ни одного прохода за 6 ч 1 мин"
    assert "Проход не идёт" in desk.text(one)
    now = desk.clock.now()
    values = {"id": "p", "sync": "contacts", "kind": "full", "started_at": now, "counts": {}, "error": ""}
    await desk.db.write(lambda conn: sync_log.begin_pass(conn, **values, state="running", shadow=False, request_id=""))
    assert "Идёт проход" in desk.text((await desk.look())["sync_late"])
    await desk.looked()
    assert await desk.look() == {}


async def test_a_rare_sync_is_late_only_after_missed_polls_and_a_hub_that_starts_waits(desk: Desk) -> None:
    desk.syncs = {"contacts": SETTINGS.model_copy(update={"poll": timedelta(hours=12)})}
    desk.clock.forward(35 * HOUR)
    assert await desk.look() == {}
    desk.clock.forward(2 * HOUR)
    assert "sync_late" in await desk.look()
    desk.since = desk.clock.now()
    assert await desk.look() == {}


async def test_what_was_told_of_a_sync_that_is_no_longer_configured_is_over(desk: Desk) -> None:
    await desk.issue("loop", "a")
    assert "sync_loop" in await desk.look()
    desk.syncs = {}
    assert await desk.look() == {}
