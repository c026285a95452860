"""Looks for sources that have fallen silent; one incident each, over with the next event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

from sqlalchemy import Connection

from connectors.doors import SilenceRule, hours_of
from jobs.intake.source import Source
from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Observation, incident_key
from leads.silence import WEEKS, Habits, Silence, Watched, habits_of, silent, silent_by_hand
from store import incidents as rows
from store import rhythm
from store.db import Database

EVERY_S = 60.0
HABITS_S = 3600.0
"""Habits are counted anew so often."""
ANEW = timedelta(days=1)
"""Before the last hour that is known: what the spool held may have come since then."""
KIND = "source_silent"


@dataclass(slots=True)
class SilenceWatch:
    """`rules`: source -> what was set by hand, None where its own habits count; others are not watched."""

    rules: Mapping[str, Watched | None]
    about: Mapping[str, dict[str, Any]]
    db: Database
    clock: Clock
    zone: tzinfo
    told: Callable[[], None] = lambda: None
    _looked_at: float = float("-inf")
    _habits: dict[str, tuple[float, Habits | None]] = field(default_factory=dict)
    _counts: dict[str, dict[datetime, int]] = field(default_factory=dict)

    async def look(self) -> None:
        """At most once a minute. Raises StoreUnavailable."""
        if self.clock.monotonic() - self._looked_at < EVERY_S:
            return
        self._looked_at = self.clock.monotonic()
        now = self.clock.now()
        last, opened = await self.db.read(self._read)
        changed = False
        for name, rule in self.rules.items():
            at = last.get(name)
            found = None if at is None else await self._silence(name, rule, at, now)
            was = opened.get(name)
            if found is not None:
                changed |= await self.db.write(self._tell, name, found)
            elif was is not None and at is not None and was != at.isoformat():
                key = incident_key(KIND, name)
                changed |= await self.db.write(rows.resolve, key, now)
        if changed:
            self.told()

    def _read(self, conn: Connection) -> tuple[dict[str, datetime], dict[str, str]]:
        """Source -> its last event; source that is silent -> the last event as its incident has it."""
        last = {name: at for name in self.rules if (at := rhythm.last_event_at(conn, name)) is not None}
        opened = {
            one.connection: str(one.data.get("last_at", "")) for one in rows.open_incidents(conn) if one.kind == KIND
        }
        return last, opened

    async def _silence(self, name: str, rule: Watched | None, last_at: datetime, now: datetime) -> Silence | None:
        if rule is not None:
            return silent_by_hand(rule, last_at, now, self.zone)
        counted_at, habits = self._habits.get(name, (float("-inf"), None))
        if self.clock.monotonic() - counted_at >= HABITS_S:
            habits = habits_of(await self._counted(name, now), self.zone, now)
            self._habits[name] = self.clock.monotonic(), habits
        return silent(habits, last_at, now, self.zone)

    async def _counted(self, name: str, now: datetime) -> Mapping[datetime, int]:
        """Of the last WEEKS, by the hour. What was counted before is counted anew where more may have come since."""
        since = now - timedelta(weeks=WEEKS)
        kept = {at: count for at, count in self._counts.get(name, {}).items() if at >= since}
        anew = max(since, max(kept) - ANEW) if kept else since
        self._counts[name] = {**kept, **await self.db.read(rhythm.by_hour, name, anew)}
        return self._counts[name]

    def _tell(self, conn: Connection, name: str, found: Silence) -> bool:
        data = {**self.about.get(name, {}), "last_at": found.last_at.isoformat()}
        if found.per_hour >= 0.5:
            data["per_hour"] = round(found.per_hour)
        before = {one.key for one in rows.open_incidents(conn)}
        seen = Observation(KIND, name, "", 0, found.last_at, data)
        rows.observe(conn, seen, self.clock.now(), new_id(self.clock))
        return seen.key not in before


def silence_watch(
    sources: Mapping[str, Source],
    about: Mapping[str, dict[str, Any]],
    db: Database,
    clock: Clock,
    zone: tzinfo,
    told: Callable[[], None],
) -> SilenceWatch:
    """By the settings of the sources."""
    rules = {
        name: _watched(source.settings.silence)
        for name, source in sources.items()
        if source.settings.silence is not False
    }
    return SilenceWatch(rules, about, db, clock, zone, told)


def _watched(rule: SilenceRule | Literal[False] | None) -> Watched | None:
    return Watched(timedelta(seconds=rule.after), *hours_of(rule.hours)) if isinstance(rule, SilenceRule) else None
