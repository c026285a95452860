"""A look is written after it was taken: what changed meanwhile is left to the next one."""

from sqlalchemy import Connection

from jobs.alerts.looking import Look
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import incidents
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock

LATE = Observation("lead_late", "sales", "no answer", 3)


class Desk:
    def __init__(self, url: str) -> None:
        self.db, self.clock = QuickDatabase(url), ManualClock()

    async def see(self, seen: Observation) -> None:
        now, id = self.clock.now(), new_id(self.clock)
        await self.db.write(lambda conn: incidents.observe(conn, seen, now, id))

    async def begin(self) -> Look:
        return await self.db.read(Look.begin, self.clock.now())

    async def write(self, look: Look) -> list[tuple[str, int]]:
        """What is open afterwards: kind and count."""

        def work(conn: Connection) -> list[Incident]:
            look.write(conn, self.clock)
            return incidents.open_incidents(conn)

        return [(one.kind, one.count) for one in await self.db.write(work)]


async def test_what_is_seen_is_opened_and_what_is_not_seen_any_more_is_over(database_url: str) -> None:
    desk = Desk(database_url)
    await desk.see(LATE)
    look = await desk.begin()
    look.over("lead_late", "sales")
    look.over("lead_late", "another")
    look.counted("spam_held", "", "", 2, desk.clock.now())
    look.counted("source_unrouted", "", "", 0, None)
    assert await desk.write(look) == [("spam_held", 2)]
    await desk.db.close()


async def test_what_was_told_of_anew_since_it_began_is_not_over(database_url: str) -> None:
    desk = Desk(database_url)
    await desk.see(LATE)
    look = await desk.begin()
    look.over("lead_late", "sales")
    desk.clock.forward(1)
    await desk.see(Observation("lead_late", "sales", "no answer", 4))
    assert await desk.write(look) == [("lead_late", 4)]
    look = await desk.begin()
    look.end(look.told[incident_key("lead_late", "sales")], {"waiting": 0})
    assert await desk.write(look) == []
    await desk.db.close()
