"""The owner's day: counted from the store, told once a day, at the hour or when the hub is back."""

import asyncio
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from jobs.alerts.digest import day_digest, yesterday
from jobs.alerts.digest_text import digest_observation
from jobs.alerts.incidents import StoredIncidents
from jobs.alerts.words import Style
from jobs.timetable import daily
from leads.ids import new_id
from leads.records import Touch
from store import leases, outbox
from store.db import InlineDatabase
from store.delivery_records import AttemptRecord, Settlement
from store.engines import make_engine
from store.intake import Intake
from tests.support.leads import acceptance
from tests.support.manual_clock import ManualClock

MOSCOW = ZoneInfo("Europe/Moscow")


def test_a_day_is_counted_as_its_leads_stand_now(database_url: str) -> None:
    clock = ManualClock()
    engine = make_engine(database_url, writer=True)
    at = clock.now()
    direct = Touch(at=at, source="site", channel="direct")
    with engine.begin() as conn:
        Intake(clock).accept(
            conn,
            [
                acceptance(clock, phones=("+79160000001",), touch=direct, form="Калькулятор"),
                acceptance(clock, phones=("+79160000002",), utm={"utm_source": "yandex"}),
                acceptance(clock, phones=("+79160000003",), flags=("spam_rate", "recovered")),
            ],
        )
        held = leases.take(conn, "sales", "w", at)
        assert held is not None
        claimed = outbox.claim(conn, held, at, limit=2).claimed
        clock.forward(1740)
        for number, one in enumerate(claimed):
            done = at + timedelta(seconds=0.2 if number == 0 else 1740)
            outbox.settle(
                conn,
                [
                    Settlement(
                        held=held,
                        delivery_id=one.id,
                        lead_id=one.lead.id,
                        lane=one.person.id,
                        state="delivered",
                        now=clock.now(),
                        attempt=AttemptRecord(new_id(clock), 1, at, 5, "created"),
                        record_id=str(number),
                        outcome="created" if number == 0 else "joined",
                        arrived_at=done,
                    )
                ],
            )
        digest = day_digest(conn, at.astimezone(MOSCOW).date(), MOSCOW)
        lines = {"site": {"vendor": "Mango Office", "group": "telephony"}}
        with_lines = day_digest(conn, at.astimezone(MOSCOW).date(), MOSCOW, lines)
        before = day_digest(conn, yesterday(at.astimezone(MOSCOW).date()), MOSCOW)
    engine.dispose()
    assert (digest.accepted, digest.delivered, digest.not_arrived) == (3, 2, 1)
    assert (digest.within_5s, digest.slowest_s, digest.repeats, digest.spam) == (1, 1740.0, 1, 1)
    assert (digest.no_source, digest.no_source_form) == (1, "Калькулятор")
    assert before.accepted == 0
    assert (digest.recovered, with_lines.recovered) == ((), ((1, "Mango Office"),))


async def test_it_is_told_once_a_day_however_often_it_is_asked(database_url: str) -> None:
    clock = ManualClock()
    db = InlineDatabase(database_url)
    incidents = StoredIncidents(db, clock)
    told = 0
    heard = asyncio.Event()

    async def tell() -> None:
        nonlocal told
        today = clock.now().astimezone(MOSCOW).date()
        digest = await db.read(lambda conn: day_digest(conn, yesterday(today), MOSCOW))
        await incidents.observe(digest_observation(digest, today, {"ru": Style(locale="ru", zone=MOSCOW)}))
        told += 1
        heard.set()

    for _ in range(2):  # two starts of the hub after the hour
        heard.clear()
        running = asyncio.create_task(daily(time(9, 0), MOSCOW, tell, clock))
        async with asyncio.timeout(60):
            await heard.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert told == 2
    kept = await incidents.list_dirty(["ops"])
    assert [one.kind for one in kept] == ["owner_digest"]
    assert "Обращений" in str(kept[0].data) or "обращени" in str(kept[0].data).lower()
    await db.close()


async def test_before_the_hour_nothing_is_told() -> None:
    clock = ManualClock()  # 14:02 in Moscow
    told: list[int] = []

    async def tell() -> None:
        told.append(1)

    running = asyncio.create_task(daily(time(23, 59), MOSCOW, tell, clock))
    await asyncio.sleep(0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert told == []
