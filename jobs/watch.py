"""What nobody asks for and somebody must look at: late leads, stuck lanes, the spool, a clock that jumped."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from connectors.errors import ConnectorError
from connectors.notify import Channel
from jobs.alerts.causes import code_of
from jobs.alerts.incidents import ENDS_WITH_ITS_LEADS, StoredIncidents, dead
from jobs.alerts.looking import Look
from jobs.alerts.memory import MemoryIncidents
from jobs.alerts.parts import crm_name
from jobs.alerts.words import Style
from jobs.config.syncs import SyncSettings
from jobs.fallback_text import fallback_notice
from jobs.intake.service import IntakeService
from jobs.sources.watch import look_at_errands, look_at_events, look_at_lists
from jobs.sync_watch import look_at_syncs
from jobs.talks.watch import look_at_notes, look_at_replies
from jobs.waking import woken
from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import cursors, follow_ups, mending, refused
from store import incidents as rows
from store.db import Database, StoreUnavailable
from store.fallbacks import mark_sent, waiting_for_fallback
from store.intake import lead_from_row
from store.lateness import drained, of_nobody, on_its_way, on_the_way
from store.partial import IS_INCOMPLETE, IS_OWED
from store.prepared import Prepared
from store.reading import UNROUTED
from store.spool import Spool
from store.tables import t_delivery, t_lead

log = logging.getLogger(__name__)

JUMP_S = 5.0
"""A difference between wall and monotonic time that is no drift any more."""
SPOOL_IDLE_S = 1.0
ORPHANS_S = 60.0
ALIVE = "alive"
"""Cursor: when the hub was last known to run."""
FALLBACKS_AT_ONCE = 10
Owed = tuple[int, datetime | None]
"""How many, and since when the oldest of them."""
DRAINED_WITHIN = timedelta(minutes=2)
"""So long the end of an outage waits for the leads that waited."""
EXTRAS_MISSING = timedelta(minutes=15)
"""A note or task that is missing for longer is told of."""

_INCOMPLETE = Prepared(
    select(t_delivery.c.incomplete, t_delivery.c.settled_at)
    .where(t_delivery.c.connection == bindparam("of_connection"), IS_INCOMPLETE)
    .order_by(t_delivery.c.settled_at)
)
_HELD = Prepared(
    select(
        func.count(t_delivery.c.lead_id.distinct()),
        func.min(t_delivery.c.created_at, type_=t_delivery.c.created_at.type),
    ).where(IS_OWED, t_delivery.c.state == "held")
)
_UNROUTED = Prepared(
    select(func.count(), func.min(t_lead.c.received_at, type_=t_lead.c.received_at.type)).where(*UNROUTED)
)


@dataclass(slots=True)
class Watch:
    """Each method is one look; `jobs.hub` calls them again and again. They may raise StoreUnavailable."""

    db: Database
    clock: Clock
    incidents: StoredIncidents
    connections: Mapping[str, dict[str, Any]]
    """Connection -> what a text may show of it."""
    late_after: timedelta
    wake: Callable[[tuple[str, ...]], None]
    fallback_after: timedelta | None = None
    fallback_channels: Mapping[str, tuple[Channel, Style]] = field(default_factory=dict)
    local: MemoryIncidents | None = None
    """For what must be told while the database is the trouble."""
    spool: Spool | None = None
    sources: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Source -> what a text may show of it."""
    syncs: Mapping[str, SyncSettings] = field(default_factory=dict)
    _since: datetime | None = None
    """When this process began to look."""
    _wall: datetime | None = None
    _monotonic: float = 0.0
    _spooling: bool = False

    async def started(self) -> None:
        """Leads owed by an earlier run are told of, with how long nobody worked on them."""
        now = self.clock.now()

        def work(conn: Connection) -> None:
            before = cursors.load(conn, ALIVE)
            owed_now = [on_the_way(conn, name) for name in self.connections]
            count = sum(one[0] for one in owed_now)
            if before and count:
                oldest = min(one[1] for one in owed_now if one[1] is not None)
                away = {"down_from": before["at"], "up_at": now.isoformat()}
                seen = Observation("hub_restarted", "", "", count, oldest, away)
                rows.observe(conn, seen, now, new_id(self.clock))
            self._mark_alive(conn, now)

        await self.db.write(work)
        self.incidents.changed()

    @staticmethod
    def _mark_alive(conn: Connection, now: datetime) -> None:
        cursors.save(conn, ALIVE, {"at": now.isoformat()})

    async def look(self) -> None:
        """Late, failed, held and unrouted leads -> incidents, opened and closed."""
        look = await self.db.read(self._look, self.clock.now())

        def keep(conn: Connection) -> None:
            look.write(conn, self.clock)
            self._mark_alive(conn, look.now)

        await self.db.write_behind(keep)
        self.incidents.changed()

    def _look(self, conn: Connection, now: datetime) -> Look:
        look = Look.begin(conn, now)
        owed_now = 0
        for name, about in self.connections.items():
            count, oldest = on_the_way(conn, name)
            owed_now += count
            self._late(conn, look, name, about, (count, oldest))
            _failed(conn, look, name, about)
            _incomplete(conn, look, name, about)
            _doubled(conn, look, name, about)
            down = any(incident_key(kind, name) in look.told for kind in ENDS_WITH_ITS_LEADS)
            look_at_notes(conn, look, name, about, down=down)
        if not owed_now:
            look.over("hub_restarted")
        self._missing(conn, look)
        look_at_errands(conn, look, self.sources, self.late_after)
        look_at_events(conn, look)
        look_at_lists(conn, look, self.sources)
        look_at_replies(conn, look, self.sources)
        self._since = self._since or now
        look_at_syncs(conn, look, self.syncs, self._since)
        look.counted("spam_held", "", "", *_held(conn))
        look.counted("source_unrouted", "", "", *_unrouted(conn))
        return look

    def _late(self, conn: Connection, look: Look, name: str, about: dict[str, Any], owed_now: Owed) -> None:
        before = look.now - self.late_after
        late = on_the_way(conn, name, before) if owed_now[1] and owed_now[1] < before else (0, None)
        # A connection that is down or refused tells of its waiting leads itself.
        down = [look.told[key] for kind in ENDS_WITH_ITS_LEADS if (key := incident_key(kind, name)) in look.told]
        if not late[0]:
            look.over("lead_late", name)
        elif not down:
            look.observe(Observation("lead_late", name, _cause_of_oldest(conn, name), *late, about))
        for one in down:
            if one.recovered_at is not None:
                _end_with_its_leads(conn, look, one, one.recovered_at)
            elif owed_now != (one.count, one.oldest_at):
                look.observe(Observation(one.kind, name, one.cause, *owed_now))

    def _missing(self, conn: Connection, look: Look) -> None:
        """Of connections that are not configured any more: nobody delivers what is owed to them, nor says that they are
        well again."""
        missing = of_nobody(conn, self.connections)
        for name, owed_now in missing.items():
            look.observe(Observation("connection_missing", name, "", *owed_now))
        for one in look.told.values():
            if one.kind == "connection_missing" and one.connection not in missing:
                look.end(one)
            elif one.kind in (*ENDS_WITH_ITS_LEADS, "lead_late") and one.connection not in self.connections:
                look.end(one, {"removed": True})

    async def mend(self) -> None:
        """Frees lanes that wait behind nobody: none is expected, so each is logged."""
        now = self.clock.now()
        freed = await self.db.write(mending.free_stuck_lanes, now)
        if freed:
            log.error("lanes waited behind nobody", extra={"event": "outbox.stuck", "count": freed})
            self.wake(tuple(self.connections))

    async def tidy(self) -> None:
        now = self.clock.now()
        await self.db.write(lambda conn: (refused.forget_old_refused(conn, now), rows.forget_old(conn, now)))

    async def mind_the_clock(self) -> None:
        """A clock set back would leave retries in the future: they become due at once."""
        wall, monotonic = self.clock.now(), self.clock.monotonic()
        if self._wall is not None:
            jumped = (wall - self._wall).total_seconds() - (monotonic - self._monotonic)
            if abs(jumped) > JUMP_S:
                log.warning("the clock jumped", extra={"event": "clock.jumped", "seconds": round(jumped, 1)})
                for name in self.connections:
                    await self.db.write(mending.make_due, name, wall)
                self.wake(tuple(self.connections))
        self._wall, self._monotonic = wall, monotonic

    async def mind_the_spool(self) -> None:
        """Leads that go to the spool are safe and late: told while it lasts, without asking the database."""
        if self.local is None or self.spool is None:
            return
        waiting = self.spool.waiting
        if waiting:
            self._spooling = True
            await self.local.observe(Observation("spool_in_use", count=waiting))
        elif self._spooling:
            self._spooling = False
            await self.local.resolve(incident_key("spool_in_use"))
        else:
            return
        self.incidents.changed()

    async def fall_back(self) -> None:
        """The second way out: leads that the CRM does not take are told to people. They stay owed."""
        if self.fallback_after is None or not self.fallback_channels:
            return
        now = self.clock.now()
        before = now - self.fallback_after
        waiting = await self.db.read(waiting_for_fallback, before, limit=FALLBACKS_AT_ONCE)
        for row in waiting:
            about = self.connections.get(row.connection, {})
            for name, (channel, style) in self.fallback_channels.items():
                title = crm_name(about, row.connection, style)
                notice = fallback_notice(lead_from_row(row), title, row.last_error, style, now)
                try:
                    await channel.send(notice)
                except ConnectorError as error:
                    # Unknown outcomes are sent again: a double costs a glance, silence costs the lead.
                    log.warning(
                        "fallback not sent",
                        extra={"event": "fallback.failed", "lead_id": row.id, "channel": name, "error": str(error)},
                    )
                    return
            await self.db.write(mark_sent, row.delivery_id, now)
            log.info("lead told by the second way out", extra={"event": "fallback.sent", "lead_id": row.id})


def _end_with_its_leads(conn: Connection, look: Look, one: Incident, recovered_at: datetime) -> None:
    """The end is told once, with how many arrived; when that takes long, with how many are still coming."""
    found = drained(conn, one.connection, one.opened_at, recovered_at)
    if found.left == 0 or not timedelta(0) <= look.now - recovered_at < DRAINED_WITHIN:
        data: dict[str, Any] = {"waiting": found.left}
        if found.left == 0 and found.arrived and found.last_at is not None:
            data |= {"delivered": found.arrived, "last_at": found.last_at.isoformat()}
        look.end(one, data)


def _cause_of_oldest(conn: Connection, name: str) -> str:
    query = (
        select(t_delivery.c.last_error)
        .where(t_delivery.c.connection == name, on_its_way(), t_delivery.c.last_error != "")
        .order_by(t_delivery.c.created_at)
        .limit(1)
    )
    return conn.execute(query).scalar() or ""


def _failed(conn: Connection, look: Look, name: str, about: dict[str, Any]) -> None:
    """When nothing has failed any more, its incidents are over; what failed while nobody could say so is told."""
    count, oldest = dead(conn, name)
    if count == 0:
        _over_but(look, "lead_failed", name, ())
    elif not any(one.kind == "lead_failed" and one.connection == name for one in look.told.values()):
        query = select(t_delivery.c.last_error).where(t_delivery.c.connection == name, t_delivery.c.state == "dead")
        cause = conn.execute(query.order_by(t_delivery.c.settled_at.desc()).limit(1)).scalar() or ""
        look.observe(Observation("lead_failed", name, cause, count, oldest, about))


def _incomplete(conn: Connection, look: Look, name: str, about: dict[str, Any]) -> None:
    by_field: dict[str, tuple[int, datetime, str, str]] = {}
    for entries, settled_at in _INCOMPLETE.all(conn, {"of_connection": name}):
        for entry in entries:
            extra = entry["field"] in ("note", "task")
            lacks_right = extra and code_of(entry.get("why", "")) == "rights"
            if extra and not lacks_right and look.now - settled_at < EXTRAS_MISSING:
                continue  # written anew by itself, mostly within a minute or two
            where = entry.get("where", "")
            no_value = bool(where) and not entry.get("value")  # the mapping gave none
            why = entry.get("why", "") if no_value or lacks_right else ""
            count, since, where, why = by_field.get(entry["field"], (0, settled_at, where, why))
            by_field[entry["field"]] = (count + 1, since, where, why)
    kept = set()
    for title, (count, since, where, why) in by_field.items():
        shown = {**about, "field": title, "mapping": where, "why": why}
        cause = f"mapping:{title}" if why and where else f"field:{title}"
        seen = Observation("field_removed", name, cause, count, since, shown)
        kept.add(seen.key)
        look.observe(seen)
    _over_but(look, "field_removed", name, kept)


def _doubled(conn: Connection, look: Look, name: str, about: dict[str, Any]) -> None:
    records = follow_ups.doubled(conn, name)
    look.counted("lead_doubled", name, "", len(records), None, {**about, "records": records})


def _over_but(look: Look, kind: str, name: str, keep: Collection[str]) -> None:
    """All of a kind and connection are over, but for the keys in `keep`."""
    for key, one in look.told.items():
        if (one.kind, one.connection) == (kind, name) and key not in keep:
            look.end(one)


def _held(conn: Connection) -> Owed:
    """Leads, not deliveries: one that is held for several CRMs is decided once."""
    row = _HELD.first(conn)
    return int(row[0]), row[1]


def _unrouted(conn: Connection) -> Owed:
    row = _UNROUTED.first(conn)
    return int(row[0]), row[1]


async def drain_spool(intake: IntakeService, spool: Spool, clock: Clock) -> None:
    """Takes the spool in whenever the database can be written; runs until cancelled."""
    while True:
        if spool.waiting == 0:
            intake.spooling.clear()
            if not await woken(intake.spooling, ORPHANS_S):
                spool.recount()  # a process beside us may have died and left something
                continue
        try:
            if await intake.drain() == 0:
                await clock.sleep(SPOOL_IDLE_S)
                spool.recount()
        except (StoreUnavailable, TimeoutError) as error:
            log.info("spool waits", extra={"event": "intake.spool_waits", "error": type(error).__name__})
            await clock.sleep(SPOOL_IDLE_S)
        except OSError as error:
            log.error("spool cannot be read", extra={"event": "intake.spool_broken", "error": str(error)})
            await clock.sleep(SPOOL_IDLE_S * 10)


async def again_and_again(work: Callable[[], Any], every_s: float, clock: Clock, name: str) -> None:
    """Calls `work` for ever; a database that is away is only waited for."""
    while True:
        try:
            await work()
        except StoreUnavailable:
            log.info("look skipped", extra={"event": "watch.skipped", "look": name})
        except Exception:  # a fault of ours in one look: the next one comes all the same
            log.exception("look failed", extra={"event": "watch.bug", "look": name})
        await clock.sleep(every_s)
