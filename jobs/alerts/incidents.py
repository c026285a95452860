"""Incidents in the database, and the reporter through which owners tell of theirs."""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import RECOVERED, Incident, Observation, Sent, incident_key
from store import incidents as rows
from store.db import Database, StoreUnavailable
from store.lateness import on_the_way
from store.partial import IS_OWED
from store.prepared import Prepared
from store.tables import t_delivery

log = logging.getLogger(__name__)

ENDS_WITH_ITS_LEADS = ("connection_down", "token_refused")
"""Their end is told when the leads that waited have arrived; `jobs.watch` looks after it."""


class StoredIncidents:
    """Keeps `jobs.alerts.delivering.IncidentStore`. Methods raise StoreUnavailable."""

    def __init__(self, db: Database, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        self._db = db
        self._clock = clock
        self.changed = changed

    async def list_dirty(self, channels: Collection[str]) -> list[Incident]:
        now = self._clock.now()
        return await self._db.read(rows.list_dirty, channels, now)

    async def mark_sent(self, incident_id: str, channel: str, sent: Sent) -> None:
        await self._db.write(rows.mark_sent, incident_id, channel, sent)

    async def observe(self, seen: Observation) -> None:
        now, made = self._clock.now(), new_id(self._clock)
        await self._db.write(rows.observe, seen, now, made)
        self.changed()

    async def resolve(self, key: str, data: Mapping[str, Any] | None = None) -> None:
        now = self._clock.now()
        if await self._db.write(rows.resolve, key, now, data):
            self.changed()

    async def mute(self, incident_id: str, until: datetime) -> None:
        now = self._clock.now()
        await self._db.write(rows.mute, incident_id, until, now)
        self.changed()

    async def acknowledge(self, incident_id: str, who: str) -> None:
        now = self._clock.now()
        await self._db.write(rows.acknowledge, incident_id, who, now)
        self.changed()


class IncidentReporter:
    """What owners see of their connections -> incidents, with how many leads it concerns. Never raises."""

    def __init__(self, store: StoredIncidents, db: Database, clock: Clock, about: Mapping[str, dict[str, Any]]) -> None:
        """`about`: connection -> what a text about it may show: vendor, title, oauth."""
        self._store = store
        self._db = db
        self._clock = clock
        self._about = about

    async def observe(self, kind: str, connection: str, *, cause: str = "", data: dict[str, Any] | None = None) -> None:
        again = {RECOVERED: ""} if kind in ENDS_WITH_ITS_LEADS else {}
        now, made = self._clock.now(), new_id(self._clock)

        def work(conn: Connection) -> None:
            count, oldest = dead(conn, connection) if kind == "lead_failed" else on_the_way(conn, connection)
            # The lead that failed is settled after this was seen.
            count = max(count, 1) if kind == "lead_failed" else count
            seen = Observation(
                kind, connection, cause, count, oldest, {**self._about.get(connection, {}), **again, **(data or {})}
            )
            rows.observe(conn, seen, now, made)

        await self._quietly(work)

    async def resolve(self, kind: str, connection: str, *, data: dict[str, Any] | None = None) -> None:
        now = self._clock.now()
        key = incident_key(kind, connection)
        if kind in ENDS_WITH_ITS_LEADS:
            await self._quietly(lambda conn: rows.mark_recovered(conn, key, now))
        else:
            await self._quietly(lambda conn: rows.resolve(conn, key, now, data))

    async def _quietly(self, work: Callable[[Connection], Any]) -> None:
        try:
            await self._db.write(work)
        except StoreUnavailable as error:
            log.warning("incident not kept", extra={"event": "incident.lost", "error": type(error).__name__})
            return
        self._store.changed()


_DEAD = Prepared(
    select(func.count(), func.min(t_delivery.c.created_at, type_=t_delivery.c.created_at.type)).where(
        t_delivery.c.connection == bindparam("of_connection"), IS_OWED, t_delivery.c.state == "dead"
    )
)


def dead(conn: Connection, connection: str) -> tuple[int, datetime | None]:
    """How many deliveries of a connection have failed for good, and since when the oldest of them."""
    count, oldest = _DEAD.first(conn, {"of_connection": connection})
    return int(count), oldest
