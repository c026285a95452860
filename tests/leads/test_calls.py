"""A call is the same whatever order its events come in, and never goes back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.calls import Call, CallEvent, call_of, judged, waits_until

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


RINGS = CallEvent("ring", "1", "ringing", "in", "+79161234567", "+74951112233", at=at(0), started_at=at(0))
DESK = CallEvent("ring", "2", "ringing", "in", extension="101", at=at(3))
OTHER_DESK = CallEvent("ring", "3", "ringing", "in", extension="102", at=at(3))
ANSWER = CallEvent("answer", "4", "talking", extension="102", at=at(9), answered_at=at(9))
HANGUP = CallEvent("hangup", "5", "ended", extension="102", at=at(60), ended_at=at(60))
SUMMARY = CallEvent("summary", "6", "ended", "in", "+79161234567", talk_s=51, disposition="answered", ended_at=at(60))
RECORD = CallEvent("record", "7", recording_id="r1", at=at(90))
WHOLE = (RINGS, DESK, OTHER_DESK, ANSWER, HANGUP, SUMMARY, RECORD)

MOMENTS = st.none() | st.integers(0, 300).map(at)
EVENTS = st.builds(
    CallEvent,
    event_id=st.sampled_from(["", "1", "2", "3"]),
    state=st.sampled_from(["", "ringing", "talking", "ended"]),
    direction=st.sampled_from(["", "in", "out", "internal"]),
    client=st.sampled_from(["", "+79161234567", "9161234567"]),
    extension=st.sampled_from(["", "101", "102"]),
    at=MOMENTS,
    answered_at=MOMENTS,
    talk_s=st.none() | st.integers(0, 90),
    disposition=st.sampled_from(["", "answered", "missed", "busy", "failed", "no_answer"]),
)


def test_who_answered_how_long_and_where_the_recording_is() -> None:
    call = call_of(WHOLE)
    assert (call.direction, call.client, call.line) == ("in", "+79161234567", "+74951112233")
    assert (call.disposition, call.extension, call.talk_s) == ("answered", "102", 51)
    assert (call.started_at, call.answered_at, call.ended_at) == (at(0), at(9), at(60))
    assert call.recording_id == "r1"
    assert call.final


@pytest.mark.parametrize(
    ("events", "started"),
    [
        ((HANGUP, SUMMARY), 9),
        ((SUMMARY, RECORD), 9),
        ((ANSWER, SUMMARY, RECORD), 9),
        ((DESK, SUMMARY), 3),
        ((CallEvent("cdr", "8", "ended", talk_s=0, ring_s=20, disposition="missed", ended_at=at(60)),), 40),
        ((HANGUP,), 60),
    ],
)
def test_a_call_whose_beginning_has_not_come_did_not_begin_at_its_end(
    events: tuple[CallEvent, ...], started: float
) -> None:
    assert call_of(events).started_at == at(started)


@given(st.lists(EVENTS, max_size=7).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_order_means_nothing(both: tuple[list[CallEvent], list[CallEvent]]) -> None:
    assert call_of(both[0]) == call_of(both[1])


@given(
    st.lists(EVENTS, max_size=7).flatmap(lambda one: st.tuples(st.just(one), st.lists(st.sampled_from(one or WHOLE))))
)
def test_repeats_mean_nothing(both: tuple[list[CallEvent], list[CallEvent]]) -> None:
    events, again = both
    repeated = [*events, *(one for one in again if one in events)]
    assert call_of(events) == call_of(repeated)


@given(st.lists(EVENTS, max_size=7), EVENTS)
def test_an_answered_call_stays_answered_and_ended_stays_ended(events: list[CallEvent], more: CallEvent) -> None:
    before, after = call_of(events), call_of([*events, more])
    assert not before.answered or after.answered
    assert before.state != "ended" or after.state == "ended"


@given(st.lists(EVENTS, max_size=7))
def test_stored_and_read_again_it_is_the_same(events: list[CallEvent]) -> None:
    assert [CallEvent.from_json(one.to_json()) for one in events] == events
    assert Call.from_json(call_of(events).to_json()) == call_of(events)


@pytest.mark.parametrize(
    ("events", "direction", "disposition"),
    [
        ((RINGS, DESK), "in", "missed"),
        ((RINGS, DESK, ANSWER, HANGUP), "in", "answered"),
        ((RINGS, ANSWER), "in", "answered"),
        ((CallEvent("out", "1", "ringing", "out", "+79161234567", at=at(0)),), "out", "no_answer"),
    ],
)
def test_a_call_whose_last_event_never_comes_is_judged_in_time(
    events: tuple[CallEvent, ...], direction: str, disposition: str
) -> None:
    call = call_of(events)
    due = waits_until(call, at(60))
    assert due is not None
    assert not judged(call, due - at(60) - timedelta(seconds=1)).final
    over = judged(call, due - at(60))
    assert (over.direction, over.disposition, over.state) == (direction, disposition, "ended")
    assert waits_until(over, at(60)) is None


def test_a_phone_that_gave_up_is_not_the_end_while_the_next_one_rings() -> None:
    gave_up = CallEvent("hangup", "5", "ended", extension="101", at=at(20), ended_at=at(20))
    next_rings = CallEvent("ring", "6", "ringing", extension="102", at=at(20))
    assert waits_until(call_of((RINGS, DESK, gave_up)), at(20)) == at(50)
    assert waits_until(call_of((next_rings, DESK, gave_up, RINGS)), at(20)) == at(620)
    assert waits_until(call_of((RINGS, DESK, gave_up, OTHER_DESK)), at(20)) == at(50), "it rang before"
    later = (CallEvent("answer", "7", "talking", extension="102", at=at(25)), next_rings, gave_up, RINGS)
    assert judged(call_of(later), timedelta(hours=2)).answered


def test_a_late_ring_does_not_reopen_a_call_that_is_over() -> None:
    assert call_of((SUMMARY, RINGS)).final
