"""Has a source been silent for longer than its own habits explain?

How many events an hour of a weekday usually brings is counted from its own last weeks. So and so many were to be
expected since the last event; when so many stay away by chance but once in thousands of times, somebody should look.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

WEEKS = 4
YOUNG = timedelta(days=14)
"""A source that is known for a shorter time has no habits yet."""
FEWEST = 20
"""Nor has one with fewer events in the last weeks."""
EXPECTED = 8.0
"""So many expected events must have stayed away: by chance once in 3,000 times."""
SHORTEST = timedelta(minutes=15)
HOUR = timedelta(hours=1)
Slot = tuple[int, int]
"""Weekday (Monday 0) and hour, in local time."""


@dataclass(frozen=True, slots=True)
class Habits:
    """`rates`: slot -> events an hour, of those slots that ever had any."""

    rates: Mapping[Slot, float]
    known_since: datetime
    events: int


@dataclass(frozen=True, slots=True)
class Silence:
    """`per_hour`: what this hour usually brings, 0 where nobody counts."""

    last_at: datetime
    per_hour: float = 0.0


def habits_of(counts: Mapping[datetime, int], zone: tzinfo, now: datetime) -> Habits | None:
    """`counts`: beginning of an hour -> events in it, of the last WEEKS weeks, whole hours only. None for no events."""
    this_hour = now - timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
    known = {at: count for at, count in counts.items() if count > 0 and at < this_hour}
    if not known:
        return None
    since = max(min(known), this_hour - timedelta(weeks=WEEKS))
    times: dict[Slot, int] = {}
    sums: dict[Slot, int] = {}
    at = since
    while at < this_hour:
        slot = _slot(at, zone)
        times[slot] = times.get(slot, 0) + 1
        sums[slot] = sums.get(slot, 0) + known.get(at, 0)
        at += HOUR
    rates = {slot: total / times[slot] for slot, total in sums.items() if total}
    return Habits(rates, min(known), sum(known.values()))


def silent(habits: Habits | None, last_at: datetime, now: datetime, zone: tzinfo) -> Silence | None:
    """None while the silence is nothing unusual; also at an hour that never brings anything."""
    if habits is None or habits.events < FEWEST or now - habits.known_since < YOUNG or now - last_at < SHORTEST:
        return None
    rate = habits.rates.get(_slot(now, zone), 0.0)
    if rate <= 0 or expected(habits, max(last_at, now - timedelta(weeks=1)), now, zone) < EXPECTED:
        return None
    return Silence(last_at, rate)


def expected(habits: Habits, since: datetime, until: datetime, zone: tzinfo) -> float:
    """How many events the habits promise for [since, until)."""
    total, at = 0.0, since
    while at < until:
        end = min(until, _next_hour(at))
        total += habits.rates.get(_slot(at, zone), 0.0) * ((end - at) / HOUR)
        at = end
    return total


@dataclass(frozen=True, slots=True)
class Watched:
    """Set by hand: `after` of open time without an event is too long. No days, no hours: always open."""

    after: timedelta
    days: tuple[int, ...] = tuple(range(7))
    opens: int = 0
    closes: int = 1_440
    """Minutes after midnight, local time."""


def silent_by_hand(rule: Watched, last_at: datetime, now: datetime, zone: tzinfo) -> Silence | None:
    """Only in the hours that were named, and counting only them."""
    if open_time(rule, now - timedelta(seconds=1), now, zone) <= timedelta(0):
        return None
    return Silence(last_at) if open_time(rule, last_at, now, zone) >= rule.after else None


def open_time(rule: Watched, since: datetime, until: datetime, zone: tzinfo) -> timedelta:
    """How much of [since, until) lies in the named hours; more than five weeks ago does not count."""
    since = max(since, until - timedelta(weeks=5))
    total, day = timedelta(0), since.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        if day.weekday() in rule.days:
            begins, ends = (_clock(day, minutes, zone) for minutes in (rule.opens, rule.closes))
            first, end = max(since.timestamp(), begins.timestamp()), min(until.timestamp(), ends.timestamp())
            total += timedelta(seconds=max(0.0, end - first))
        day += timedelta(days=1)
    return total


def _clock(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Where a clock of that day shows so many minutes after midnight; 1,440 is the next midnight."""
    whole = datetime.combine(day + timedelta(days=minutes // 1_440), time(0), tzinfo=zone)
    return whole.replace(hour=minutes % 1_440 // 60, minute=minutes % 60)


def _slot(at: datetime, zone: tzinfo) -> Slot:
    local = at.astimezone(zone)
    return local.weekday(), local.hour


def _next_hour(at: datetime) -> datetime:
    hours = math.floor(at.timestamp() / 3600) + 1
    return datetime.fromtimestamp(hours * 3600, at.tzinfo)
