"""A source that falls silent is told of once, until its next event."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection

from connectors.doors import DoorSettings, hours_of
from jobs.sources.silence import SilenceWatch
from store.rhythm import by_hour, last_event_at
from store.tables import t_event
from tests.support.databases import QuickDatabase
from tests.support.hub_on_virtual_time import PATIENT, UNHURRIED, config, hub, virtual
from tests.support.manual_clock import ManualClock


def site(silence: object = None) -> str:
    return "site: " + json.dumps({"type": "webform", "rate_limit": "off", "silence": silence or "auto"})


@virtual
async def test_set_by_hand_a_silence_is_an_alert_and_the_next_lead_ends_it() -> None:
    async with hub(config(sources=site({"after": "30m"})), pace=PATIENT) as h:
        await h.post("site", {"phone": "+79160000001", "lead_uid": "1"})
        await h.wait(1500.0)
        assert h.incidents("source_silent") == []
        await h.until(lambda: "source_silent" in h.open_incidents(), 600.0)
        await h.until(lambda: any("«site» молчит 3" in text for text in h.told()), 120.0)
        await h.wait(600.0)
        assert len(h.incidents("source_silent")) == 1
        await h.post("site", {"phone": "+79160000002", "lead_uid": "2"})
        await h.until(lambda: "source_silent" not in h.open_incidents(), 120.0)


@virtual
async def test_a_source_learns_its_hours_and_a_young_one_is_left_alone() -> None:
    nowhere = "  - {from: [site], to: [amo], when: 'false'}"
    async with hub(config(nowhere, sources=site()), pace=UNHURRIED) as h:
        for number in range(15 * 24):
            await h.post("site", {"phone": "+79160000001", "lead_uid": f"{number}"})
            await h.wait(1.0 if number % 24 else 600.0)
            h.jump(3600.0 if number % 24 else 3000.0)
        assert h.incidents("source_silent") == []
        await h.wait(12 * 3600.0)
        (told,) = h.incidents("source_silent")
        assert told.data["per_hour"] == 1
        await h.post("site", {"phone": "+79160000001", "lead_uid": "last"})
        await h.wait(1200.0)
        assert "source_silent" not in h.open_incidents()


@virtual
async def test_it_can_be_switched_off() -> None:
    async with hub(config(sources=site("off"))) as h:
        hub_ = h.lives["one"].hub
        assert hub_ is not None
        assert hub_.silence.rules == {}


@virtual
async def test_the_hours_of_leads_are_counted() -> None:
    async with hub(pace=PATIENT) as h:
        for number in range(3):
            await h.post("site", {"phone": "+79160000001", "lead_uid": f"{number}"})
        await h.wait(3600.0)
        await h.post("site", {"phone": "+79160000001", "lead_uid": "x"})
        counts = h.read(lambda conn: by_hour(conn, "site", h.clock.now() - timedelta(days=1)))
        assert list(counts.values()) == [3, 1]
        assert all(at.minute == at.second == 0 for at in counts)
        last = h.read(lambda conn: last_event_at(conn, "site"))
        assert last is not None
        assert h.clock.now() - last < timedelta(minutes=1)


async def test_what_is_counted_hour_by_hour_is_what_is_counted_at_once(database_url: str) -> None:
    """Events that come late included."""
    clock, db = ManualClock(), QuickDatabase(database_url)
    numbers = count()

    def come(conn: Connection, at: datetime) -> None:
        row = {"id": f"{next(numbers)}", "source": "pbx", "kind": "call", "received_at": at, "data": {}}
        conn.execute(t_event.insert().values(**row, key=row["id"], dedup_key=row["id"]))

    def watch() -> SilenceWatch:
        return SilenceWatch({"pbx": None}, {}, db, clock, UTC)

    grown = watch()
    for hour in range(60):
        clock.forward(3600.0 + 7.0)
        await db.write(come, clock.now())
        if hour % 5 == 0:
            await db.write(come, clock.now() - timedelta(hours=20))
        await grown.look()
    fresh = watch()
    await fresh.look()
    assert grown._habits["pbx"][1] == fresh._habits["pbx"][1]
    assert fresh._habits["pbx"][1] is not None
    assert fresh._habits["pbx"][1].events == 71
    await db.close()


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("mon-fri 9-18", ((0, 1, 2, 3, 4), 540, 1080)),
        ("sat,sun 10:00-14:30", ((5, 6), 600, 870)),
        ("пн-пт 9:30-24", ((0, 1, 2, 3, 4), 570, 1440)),
        ("9-18", ((0, 1, 2, 3, 4, 5, 6), 540, 1080)),
        ("", ((0, 1, 2, 3, 4, 5, 6), 0, 1440)),
    ],
)
def test_hours_are_written_as_people_do(text: str, hours: object) -> None:
    assert hours_of(text) == hours


@pytest.mark.parametrize("text", ["mon-fri", "9-25", "18-9", "someday 9-18", "9:70-18"])
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        DoorSettings.model_validate({"silence": {"after": "2h", "hours": text}})
