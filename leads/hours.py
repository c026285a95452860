"""Working time: is it open, when does it open next, when are N working minutes over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from leads.holiday_dates import holidays_of
from leads.hours_settings import MINUTES_A_DAY, DateRange, Hours, Span, parse_days

HORIZON_DAYS = 400  # over a year: what does not open by then never will


@dataclass(frozen=True)
class Schedule:
    """`Hours` made ready. Ask `open_at`, `next_opening`, `add_working_minutes`; None in its place is "always open"."""

    zone: ZoneInfo
    week: tuple[tuple[tuple[int, int], ...], ...]
    """For each weekday (start, end) in local minutes; an end above 1440 is on the next day."""
    country: str = ""
    days_off: tuple[DateRange, ...] = ()
    days_on: tuple[DateRange, ...] = ()


Interval = tuple[datetime, datetime]


def schedule_of(hours: Hours, default_timezone: str = "UTC") -> Schedule:
    """Also loads the holidays once, so that no lead waits for that (0.7 s and 20 MB at the first use)."""
    week: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for span in hours.spans:
        for day in parse_days(span.days):
            week[day].append(_minutes(span))
    if hours.holidays:
        holidays_of(hours.holidays, 2026)
    return Schedule(
        ZoneInfo(hours.timezone or default_timezone or "UTC"),
        tuple(tuple(sorted(day)) for day in week),
        hours.holidays,
        hours.days_off,
        hours.days_on,
    )


def _minutes(span: Span) -> tuple[int, int]:
    return span.start, span.end if span.end > span.start else span.end + MINUTES_A_DAY


def open_at(schedule: Schedule | None, now: datetime) -> bool:
    """Whether work goes on at `now` (aware); the closing minute itself is closed."""
    if schedule is None:
        return True
    today = now.astimezone(schedule.zone).date()
    return any(
        start <= now < end for day in (today - timedelta(days=1), today) for start, end in _day_intervals(schedule, day)
    )


def next_opening(schedule: Schedule | None, now: datetime) -> datetime | None:
    """`now` itself while open, else when it opens (UTC); None when it does not within 400 days."""
    if schedule is None or open_at(schedule, now):
        return now
    return next((start for start, _ in _intervals_from(schedule, now)), None)


def add_working_minutes(schedule: Schedule | None, now: datetime, minutes: float) -> datetime:
    """When `minutes` of working time from `now` are over (UTC); at 0 the next working moment.

    Work that ends exactly at closing is due at closing, not next morning. A schedule that never
    opens is taken as always open: a task has to be due at some time.
    """
    begin = now.astimezone(UTC)
    left = timedelta(minutes=minutes)
    if schedule is None:
        return begin + left
    for start, end in _intervals_from(schedule, now):
        if start + left <= end:
            return start + left
        left -= end - start
    return begin + timedelta(minutes=minutes)


def local_date(schedule: Schedule | None, now: datetime, default_timezone: str = "UTC") -> date:
    """The date where the schedule is."""
    zone = schedule.zone if schedule is not None else ZoneInfo(default_timezone or "UTC")
    return now.astimezone(zone).date()


def _intervals_from(schedule: Schedule, now: datetime) -> Iterator[Interval]:
    """Open intervals (UTC) in order from `now` on, the first cut at `now`, none overlapping another."""
    reached = now.astimezone(UTC)
    today = now.astimezone(schedule.zone).date()
    for step in range(-1, HORIZON_DAYS):  # a night shift that began yesterday may still go on
        for start, end in _day_intervals(schedule, today + timedelta(days=step)):
            if end > reached:
                yield max(start, reached), end
                reached = end


def _day_intervals(schedule: Schedule, day: date) -> Iterator[Interval]:
    """What begins on that local day. Wall time is turned into UTC one by one, so a shift over a change of
    summer time is as long as it really is; a time that the change leaves out is taken as the one after it.
    """
    for start, end in _spans_on(schedule, day):
        begin, finish = _instant(schedule.zone, day, start), _instant(schedule.zone, day, end)
        if begin < finish:
            yield begin, finish


def _instant(zone: ZoneInfo, day: date, minutes: int) -> datetime:
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _spans_on(schedule: Schedule, day: date) -> tuple[tuple[int, int], ...]:
    own = schedule.week[day.weekday()]
    usual = own or next((spans for spans in schedule.week if spans), ())
    if any(day in on for on in schedule.days_on):
        return usual
    if any(day in off for off in schedule.days_off):
        return ()
    if schedule.country:
        days_off, working_weekends = holidays_of(schedule.country, day.year)
        if day in days_off:
            return ()
        if day in working_weekends:
            return usual  # a Saturday worked in exchange for a moved day off
    return own
