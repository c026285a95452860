"""The retry schedule: quick at first, then patient, and at last a person."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.retry import DEFAULT, DeadLetter, Outcome, PauseConnection, RetryAt, RetryPolicy, decide, wait_s

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
JITTERS = st.floats(0, 1, exclude_max=True)
RETRIED = st.sampled_from([Outcome.RETRYABLE, Outcome.UNKNOWN])


def due(decision: object) -> datetime:
    assert isinstance(decision, RetryAt)
    return decision.at


@given(JITTERS, RETRIED)
def test_the_first_retry_comes_within_a_second(jitter: float, outcome: Outcome) -> None:
    at = due(decide(outcome, 1, NOW, NOW, jitter))
    assert timedelta(0) < at - NOW <= timedelta(seconds=1)


@given(st.lists(JITTERS, min_size=40, max_size=40))
def test_whatever_the_draws_there_are_12_tries_in_the_first_ten_minutes(jitters: list[float]) -> None:
    now, tries = NOW, 1
    for attempt, jitter in enumerate(jitters, 1):
        now = due(decide(Outcome.RETRYABLE, attempt, NOW, now, jitter))
        if now - NOW > timedelta(minutes=10):
            break
        tries += 1
    assert 12 <= tries <= 40


def test_the_longest_waits_grow_up_to_ten_minutes_and_stay_there() -> None:
    waits = [wait_s(attempt, 0.999999, DEFAULT) for attempt in range(1, 5_000)]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(1.0, abs=1e-3)
    assert waits[-1] == pytest.approx(600, abs=1e-2)


@given(st.integers(1, 100_000), JITTERS)
def test_no_wait_is_zero_or_above_the_cap(attempt: int, jitter: float) -> None:
    assert 0 < wait_s(attempt, jitter) <= 600


@given(st.integers(1, 10_000), JITTERS, st.integers(0, 10 * 86_400), RETRIED)
def test_it_is_tried_until_three_days_and_then_a_person_hears(
    attempt: int, jitter: float, age_s: int, outcome: Outcome
) -> None:
    now = NOW + timedelta(seconds=age_s)
    decision = decide(outcome, attempt, NOW, now, jitter)
    if age_s >= 3 * 86_400:
        assert decision == DeadLetter("too_old", timedelta(seconds=age_s))
    else:
        assert now < due(decision) <= NOW + timedelta(days=3)


@settings(max_examples=20)
@given(JITTERS)
def test_a_whole_outage_ends_in_one_last_try_at_the_very_end_of_the_age(jitter: float) -> None:
    now, attempt = NOW, 1
    while isinstance(decision := decide(Outcome.RETRYABLE, attempt, NOW, now, jitter), RetryAt):
        now, attempt = decision.at, attempt + 1
        assert attempt < 6_000
    assert now == NOW + timedelta(days=3)


def test_an_unknown_outcome_is_looked_up_before_anything_is_written() -> None:
    unknown, retryable = (decide(outcome, 1, NOW, NOW, 0.5) for outcome in (Outcome.UNKNOWN, Outcome.RETRYABLE))
    assert isinstance(unknown, RetryAt)
    assert isinstance(retryable, RetryAt)
    assert (unknown.look_up_first, retryable.look_up_first) == (True, False)


@given(st.integers(1, 100), JITTERS, st.floats(0.1, 3_600))
def test_told_to_slow_down_the_whole_connection_waits_as_told_and_a_little(
    attempt: int, jitter: float, told_s: float
) -> None:
    decision = decide(Outcome.RATE_LIMITED, attempt, NOW, NOW, jitter, retry_after_s=told_s)
    assert isinstance(decision, RetryAt)
    waited_s = (decision.at - NOW).total_seconds()
    assert told_s - 1e-5 <= waited_s <= told_s * 1.1 + 0.25
    assert decision.hold_connection_until == decision.at
    assert not decision.spends_attempt


def test_a_rate_limit_never_makes_a_dead_letter_and_never_waits_a_day() -> None:
    decision = decide(Outcome.RATE_LIMITED, 1, NOW - timedelta(days=30), NOW, 0.0, retry_after_s=10**9)
    assert due(decision) == NOW + timedelta(hours=1)
    assert due(decide(Outcome.RATE_LIMITED, 1, NOW, NOW, 0.0)) == NOW + timedelta(seconds=1)


def test_a_refused_token_pauses_the_connection_whatever_the_age() -> None:
    assert decide(Outcome.AUTH, 99, NOW - timedelta(days=30), NOW, 0.5) == PauseConnection()


def test_what_was_refused_for_its_content_goes_to_a_person_at_once() -> None:
    assert decide(Outcome.PERMANENT, 1, NOW, NOW + timedelta(seconds=2), 0.5) == DeadLetter(
        "refused", timedelta(seconds=2)
    )


def test_a_503_with_retry_after_is_obeyed_up_to_the_cap() -> None:
    assert due(decide(Outcome.RETRYABLE, 1, NOW, NOW, 0.5, retry_after_s=30)) == NOW + timedelta(seconds=30)
    assert due(decide(Outcome.RETRYABLE, 1, NOW, NOW, 0.5, retry_after_s=9_999)) == NOW + timedelta(minutes=10)


@given(st.integers(-7_200, 7_200), JITTERS)
def test_a_clock_that_jumps_an_hour_neither_kills_a_fresh_lead_nor_puts_it_off(jump_s: int, jitter: float) -> None:
    now = NOW + timedelta(seconds=jump_s)
    assert due(decide(Outcome.RETRYABLE, 1, NOW, now, jitter)) - now <= timedelta(seconds=1)


def test_the_age_is_a_setting() -> None:
    policy = RetryPolicy(max_age=timedelta(hours=1))
    late = NOW + timedelta(hours=1)
    assert decide(Outcome.RETRYABLE, 9, NOW, late, 0.5, policy=policy) == DeadLetter("too_old", timedelta(hours=1))
