"""Webhooks that nothing proves are taken slowly."""

from tests.support.manual_clock import ManualClock
from web.hooks import BURST, PER_S, Allowance


def test_unproven_hints_are_taken_in_a_burst_and_then_at_a_steady_pace() -> None:
    clock = ManualClock()
    allowance = Allowance(clock)
    assert allowance.take(BURST)
    assert not allowance.take(1)
    clock.forward(1)
    assert allowance.take(PER_S)
    assert not allowance.take(1)


def test_a_long_quiet_time_allows_no_more_than_the_burst() -> None:
    clock = ManualClock()
    allowance = Allowance(clock)
    assert allowance.take(1)
    clock.forward(86_400)
    assert not allowance.take(BURST + 1)
    assert allowance.take(BURST)
