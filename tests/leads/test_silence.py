"""Silence of a source against its own habits."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.silence import (
    EXPECTED,
    FEWEST,
    WEEKS,
    YOUNG,
    Watched,
    expected,
    habits_of,
    open_time,
    silent,
    silent_by_hand,
)

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)  # a Tuesday, 14:00 in Moscow
OFFICE = range(6, 15)  # 9 to 18 in Moscow
HOUR = timedelta(hours=1)


def office(per_hour: int, *, days: int = 28, until: datetime = NOW) -> dict[datetime, int]:
    """So many events in each hour of each working day."""
    hours = (until.replace(minute=0) - HOUR * number for number in range(1, days * 24))
    return {at: per_hour for at in hours if at.hour in OFFICE and at.weekday() < 5}


def test_a_busy_form_that_falls_silent_in_its_hours_is_noticed_within_two_hours() -> None:
    habits = habits_of(office(4), MOSCOW, NOW)
    assert silent(habits, NOW - HOUR, NOW, MOSCOW) is None
    found = silent(habits, NOW - 2 * HOUR, NOW, MOSCOW)
    assert found is not None
    assert found.per_hour == pytest.approx(4.0)


def test_nights_and_weekends_count_for_nothing() -> None:
    habits = habits_of(office(4), MOSCOW, NOW)
    friday_evening = datetime(2026, 11, 20, 14, 50, tzinfo=UTC)
    monday_morning = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    sunday = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
    assert silent(habits, friday_evening, sunday, MOSCOW) is None
    assert silent(habits, friday_evening, monday_morning, MOSCOW) is None


def test_a_rare_source_is_given_days() -> None:
    habits = habits_of({NOW - timedelta(days=day): 1 for day in range(1, 28)}, MOSCOW, NOW)
    assert silent(habits, NOW - timedelta(days=3), NOW, MOSCOW) is None


@given(st.integers(1, 13), st.integers(1, 50))
def test_a_young_source_has_no_habits(days: int, per_hour: int) -> None:
    counts = {at: count for at, count in office(per_hour, days=days).items() if at > NOW - YOUNG}
    assert silent(habits_of(counts, MOSCOW, NOW), NOW - timedelta(days=1), NOW, MOSCOW) is None


def test_few_events_make_no_habit() -> None:
    counts = {NOW - timedelta(days=day): 1 for day in range(20, 20 + FEWEST - 1)}
    assert silent(habits_of(counts, MOSCOW, NOW), NOW - timedelta(days=15), NOW, MOSCOW) is None


COUNTS = st.dictionaries(
    st.integers(1, WEEKS * 7 * 24).map(lambda hours: NOW - HOUR * hours), st.integers(0, 30), max_size=300
)


@settings(max_examples=60)
@given(COUNTS, st.integers(0, 200), st.integers(0, 100))
def test_a_longer_silence_is_never_less_remarkable(counts: dict[datetime, int], first: int, more: int) -> None:
    habits = habits_of(counts, MOSCOW, NOW)
    shorter = silent(habits, NOW - timedelta(hours=first), NOW, MOSCOW)
    longer = silent(habits, NOW - timedelta(hours=first + more), NOW, MOSCOW)
    assert shorter is None or longer is not None


@settings(max_examples=60)
@given(COUNTS, st.integers(0, 5000))
def test_it_is_noticed_only_when_enough_was_expected_and_only_at_a_usual_hour(
    counts: dict[datetime, int], minutes: int
) -> None:
    habits = habits_of(counts, MOSCOW, NOW)
    last = NOW - timedelta(minutes=minutes)
    found = silent(habits, last, NOW, MOSCOW)
    if found is not None:
        assert habits is not None
        assert found.per_hour > 0
        assert expected(habits, last, NOW, MOSCOW) >= EXPECTED


@settings(max_examples=60)
@given(COUNTS, st.integers(0, 3000), st.integers(0, 3000))
def test_expectations_add_up(counts: dict[datetime, int], first: int, second: int) -> None:
    habits = habits_of({**counts, NOW - HOUR: 1}, MOSCOW, NOW)
    assert habits is not None
    middle = NOW - timedelta(minutes=second)
    begin = middle - timedelta(minutes=first)
    parts = expected(habits, begin, middle, MOSCOW) + expected(habits, middle, NOW, MOSCOW)
    assert parts == pytest.approx(expected(habits, begin, NOW, MOSCOW))


# --- by hand -------------------------------------------------------------------------------------------------------

RULE = Watched(timedelta(hours=2), (0, 1, 2, 3, 4), 9 * 60, 18 * 60)


@pytest.mark.parametrize(
    ("last", "now", "too_long"),
    [
        ("2026-11-24T10:30", "2026-11-24T12:00", False),
        ("2026-11-24T09:30", "2026-11-24T12:00", True),
        ("2026-11-23T17:30", "2026-11-24T10:00", False),  # half an hour yesterday, one today
        ("2026-11-23T17:30", "2026-11-24T10:31", True),
        ("2026-11-23T12:00", "2026-11-23T20:00", False),  # it is evening: nothing is to be expected now
        ("2026-11-20T17:00", "2026-11-22T12:00", False),
    ],
)
def test_by_hand_only_the_named_hours_count(last: str, now: str, too_long: bool) -> None:
    moments = [datetime.fromisoformat(text).replace(tzinfo=MOSCOW) for text in (last, now)]
    assert (silent_by_hand(RULE, *moments, MOSCOW) is not None) is too_long


def test_the_hours_of_a_week_are_as_many_as_were_named() -> None:
    assert open_time(RULE, NOW - timedelta(weeks=1), NOW, MOSCOW) == timedelta(hours=45)
    always = Watched(timedelta(hours=2))
    assert open_time(always, NOW - timedelta(weeks=1), NOW, MOSCOW) == timedelta(weeks=1)
