"""Working hours: Moscow offices, holidays, night shifts, summer time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from leads.hours import Schedule, add_working_minutes, local_date, next_opening, open_at, schedule_of
from leads.hours_settings import DateRange, Hours, parse_days, parse_time

MOSCOW = ZoneInfo("Europe/Moscow")
OFFICE: dict[str, Any] = {"timezone": "Europe/Moscow", "days": "mon-fri", "from": "09:00", "to": "18:00"}


def schedule(data: Any, zone: str = "UTC") -> Schedule:
    return schedule_of(Hours.model_validate(data), zone)


def moscow(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=MOSCOW)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (moscow(24, 8, 59), False),
        (moscow(24, 9), True),
        (moscow(24, 17, 59), True),
        (moscow(24, 18), False),
        (moscow(28, 12), False),  # a Saturday
    ],
)
def test_an_office_is_open_from_nine_until_six_on_workdays(now: datetime, expected: bool) -> None:
    assert open_at(schedule(OFFICE), now) is expected
    assert open_at(schedule(OFFICE), now.astimezone(UTC)) is expected


def test_it_opens_next_on_the_next_workday() -> None:
    office = schedule(OFFICE)
    assert next_opening(office, moscow(24, 12)) == moscow(24, 12)
    assert next_opening(office, moscow(24, 7)) == moscow(24, 9)
    assert next_opening(office, moscow(27, 18)) == moscow(30, 9)  # Friday evening -> Monday


def test_working_minutes_skip_nights_and_weekends() -> None:
    office = schedule(OFFICE)
    assert add_working_minutes(office, moscow(24, 14, 2), 15) == moscow(24, 14, 17)
    assert add_working_minutes(office, moscow(24, 17, 50), 15) == moscow(25, 9, 5)
    assert add_working_minutes(office, moscow(27, 23), 15) == moscow(30, 9, 15)
    assert add_working_minutes(office, moscow(24, 17, 45), 15) == moscow(24, 18)
    assert add_working_minutes(office, moscow(24, 3), 0) == moscow(24, 9)
    assert add_working_minutes(office, moscow(24, 9), 9 * 60 * 5 + 1) == moscow(1, 9, 1, month=12)


def test_public_holidays_of_the_country_are_days_off() -> None:
    office = schedule({**OFFICE, "holidays": "RU"})
    assert not open_at(office, moscow(4, 12))  # Unity Day, a Wednesday
    assert next_opening(office, moscow(3, 19)) == moscow(5, 9)
    assert next_opening(office, datetime(2025, 12, 30, 19, tzinfo=MOSCOW)) == moscow(12, 9, month=1)
    assert open_at(schedule(OFFICE), moscow(4, 12))


def test_a_saturday_worked_in_exchange_for_a_moved_holiday_is_open() -> None:
    saturday = datetime(2025, 11, 1, 12, tzinfo=MOSCOW)
    assert open_at(schedule({**OFFICE, "holidays": "RU"}), saturday)
    assert not open_at(schedule(OFFICE), saturday)


def test_own_days_off_and_on_count_more_than_the_calendar() -> None:
    office = schedule(
        {**OFFICE, "holidays": "RU", "days_off": ["2026-11-24..2026-11-25"], "days_on": ["2026-11-04", "2026-11-28"]}
    )
    assert next_opening(office, moscow(24, 10)) == moscow(26, 9)
    assert open_at(office, moscow(4, 12))
    assert open_at(office, moscow(28, 12))
    assert not open_at(office, moscow(29, 12))


def test_spans_may_differ_by_day_and_leave_out_lunch() -> None:
    office = schedule(
        [
            {"days": "mon-fri", "from": "09:00", "to": "13:00"},
            {"days": "mon-fri", "from": "14:00", "to": "18:00"},
            {"days": "sat", "from": "10:00", "to": "15:00"},
        ],
        "Europe/Moscow",
    )
    assert not open_at(office, moscow(24, 13, 30))
    assert open_at(office, moscow(28, 14, 59))
    assert add_working_minutes(office, moscow(24, 12, 50), 20) == moscow(24, 14, 10)


def test_a_night_shift_goes_on_past_midnight() -> None:
    night = schedule({"timezone": "Europe/Moscow", "days": "fri", "from": "22:00", "to": "06:00"})
    assert open_at(night, moscow(27, 23))
    assert open_at(night, moscow(28, 5, 59))
    assert not open_at(night, moscow(28, 6))
    assert not open_at(night, moscow(27, 5))
    assert add_working_minutes(night, moscow(28, 5, 50), 15) == moscow(4, 22, 5, month=12)


def test_overlapping_spans_count_once() -> None:
    double = schedule(
        [{"days": "daily", "from": "09:00", "to": "13:00"}, {"days": "daily", "from": "10:00", "to": "14:00"}]
    )
    assert add_working_minutes(double, datetime(2026, 11, 24, 9, tzinfo=UTC), 300) == datetime(
        2026, 11, 24, 14, tzinfo=UTC
    )


BERLIN = ZoneInfo("Europe/Berlin")
ROUND_THE_CLOCK = {"timezone": "Europe/Berlin", "days": "daily", "from": "00:00", "to": "24:00"}


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (datetime(2026, 3, 29, 0, tzinfo=BERLIN), datetime(2026, 3, 29, 12, tzinfo=BERLIN), 11),  # an hour left out
        (datetime(2026, 10, 25, 0, tzinfo=BERLIN), datetime(2026, 10, 25, 12, tzinfo=BERLIN), 13),  # an hour twice
    ],
)
def test_a_shift_over_a_change_of_summer_time_is_as_long_as_it_really_is(
    start: datetime, end: datetime, hours: int
) -> None:
    assert add_working_minutes(schedule(ROUND_THE_CLOCK), start, hours * 60) == end


def test_an_opening_in_the_hour_that_is_left_out_comes_right_after_it() -> None:
    early = schedule({"timezone": "Europe/Berlin", "days": "sun", "from": "02:30", "to": "10:00"})
    assert next_opening(early, datetime(2026, 3, 29, 0, tzinfo=BERLIN)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_no_schedule_is_always_open() -> None:
    now = moscow(28, 3)
    assert open_at(None, now)
    assert next_opening(None, now) == now
    assert add_working_minutes(None, now, 15) == now + timedelta(minutes=15)


def test_a_schedule_that_never_opens_says_so_and_still_gives_a_task_a_time() -> None:
    never = schedule({**OFFICE, "days_off": ["2020-01-01..2040-01-01"]})
    now = moscow(24, 12)
    assert next_opening(never, now) is None
    assert add_working_minutes(never, now, 15) == now + timedelta(minutes=15)


def test_the_date_is_that_of_the_place() -> None:
    late = datetime(2026, 11, 24, 22, tzinfo=UTC)
    assert local_date(schedule(OFFICE), late) == date(2026, 11, 25)
    assert local_date(None, late, "America/New_York") == date(2026, 11, 24)


# --- properties --------------------------------------------------------------------------------------

SPANS = st.lists(
    st.builds(
        lambda first, last, start, length: {
            "days": f"{first}-{last}",
            "from": f"{start // 60:02}:{start % 60:02}",
            "to": f"{(start + length) % 1440 // 60:02}:{(start + length) % 60:02}",
        },
        st.sampled_from(["mon", "wed", "sat"]),
        st.sampled_from(["tue", "fri", "sun"]),
        st.integers(0, 1_439),
        st.integers(120, 1_439),
    ),
    min_size=1,
    max_size=3,
)
ZONES = st.sampled_from(["UTC", "Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))


@settings(max_examples=200)
@given(SPANS, ZONES, TIMES)
def test_the_next_opening_is_open_and_a_moment_before_it_was_closed(spans: Any, zone: str, now: datetime) -> None:
    found = schedule(spans, zone)
    opening = next_opening(found, now)
    assert opening is not None
    assert opening >= now
    assert open_at(found, opening)
    if opening > now:
        assert not open_at(found, now)
        assert not open_at(found, opening - timedelta(microseconds=1))


@settings(max_examples=200)
@given(SPANS, ZONES, TIMES, st.integers(0, 3_000), st.integers(0, 3_000))
def test_working_minutes_add_up_and_never_go_back(
    spans: Any, zone: str, now: datetime, first: int, second: int
) -> None:
    found = schedule(spans, zone)
    halfway = add_working_minutes(found, now, first)
    assert halfway >= now + timedelta(minutes=first)
    assert add_working_minutes(found, halfway, second) in (
        add_working_minutes(found, now, first + second),
        next_opening(found, halfway),  # nothing more to do and it is closing time
    )


# --- what is written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("пн-пт", (0, 1, 2, 3, 4)),
        ("sat, sun", (5, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        ("Mon - Wed, sat", (0, 1, 2, 5)),
        ("daily", (0, 1, 2, 3, 4, 5, 6)),
        ("ср", (2,)),
    ],
)
def test_days_are_read(text: str, expected: tuple[int, ...]) -> None:
    assert parse_days(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("09:00", 540), ("9:00", 540), ("24:00", 1440), (9, 540), (1080, 1080)]
)
def test_times_are_read(value: Any, expected: int) -> None:
    assert parse_time(value) == expected


@pytest.mark.parametrize(
    "data",
    [
        {**OFFICE, "days": "mon-frei"},
        {**OFFICE, "days": ""},
        {**OFFICE, "from": "25:00"},
        {**OFFICE, "from": "09:60"},
        {**OFFICE, "from": "nine"},
        {**OFFICE, "from": "09:00", "to": "09:00"},
        {**OFFICE, "timezone": "Moscow"},
        {**OFFICE, "timezone": "../etc/passwd"},
        {**OFFICE, "holidays": "XX"},
        {**OFFICE, "days_off": ["24.11.2026"]},
        {**OFFICE, "days_off": ["2026-11-25..2026-11-24"]},
        {**OFFICE, "day": "mon"},
        [],
        {},
    ],
)
def test_hours_with_a_mistake_are_refused(data: Any) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate(data)


def test_a_range_of_dates_holds_both_its_ends() -> None:
    dates = DateRange.model_validate("2026-12-01..2026-12-14")
    assert date(2026, 12, 1) in dates
    assert date(2026, 12, 14) in dates
    assert date(2026, 12, 15) not in dates
    assert DateRange.model_validate(date(2026, 12, 1)) == DateRange.model_validate("2026-12-01")
