"""A missed call waits until somebody of us talks to the client, or tries to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from leads.callbacks import PastCall, is_missed, missed_of, reaches
from leads.calls import Call

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
CLIENT = "+79161234567"
MISSED = Call("ended", "in", CLIENT, disposition="missed")
ANSWERED = Call("ended", "in", CLIENT, disposition="answered")
OUTGOING = Call("ended", "out", CLIENT, disposition="no_answer")
RINGING = Call("ringing", "in", CLIENT)

CALLS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.builds(
            Call,
            state=st.sampled_from(["ringing", "talking", "ended"]),
            direction=st.sampled_from(["in", "out", "internal", ""]),
            client=st.just(CLIENT),
            disposition=st.sampled_from(["", "answered", "missed", "busy", "voicemail", "no_answer"]),
        ),
    ),
    max_size=8,
).map(lambda drawn: [past(number, minute, call) for number, (minute, call) in enumerate(drawn)])


def past(number: int, minute: int, call: Call) -> PastCall:
    return PastCall(f"c{number}", NOW + timedelta(minutes=minute), call)


def closed_by(*calls: Call) -> list[str]:
    """For each missed call the id of what closed it, or ""."""
    found = missed_of(past(number, number, call) for number, call in enumerate(calls))
    return [one.closed.id if one.closed else "" for one in found]


def test_a_call_to_the_client_or_one_that_he_got_through_closes_what_was_missed_before() -> None:
    assert closed_by(MISSED) == [""]
    assert closed_by(MISSED, OUTGOING) == ["c1"]
    assert closed_by(MISSED, ANSWERED) == ["c1"]
    assert closed_by(MISSED, MISSED, OUTGOING, ANSWERED) == ["c2", "c2"]
    assert closed_by(OUTGOING, MISSED) == [""]
    assert closed_by(ANSWERED, MISSED, RINGING) == [""]
    assert closed_by(MISSED, replace(RINGING, state="talking")) == ["c1"]
    assert closed_by(MISSED, replace(RINGING, direction="out")) == ["c1"]


def test_what_was_to_be_done_is_done_by_the_first_later_call_in_which_both_talked() -> None:
    def talked(*calls: Call) -> list[str]:
        found = missed_of(past(number, number, call) for number, call in enumerate(calls))
        return [one.talked.id if one.talked else "" for one in found]

    reached = replace(OUTGOING, disposition="answered")
    assert talked(MISSED, OUTGOING) == [""]
    assert talked(MISSED, OUTGOING, reached, ANSWERED) == ["c2"]
    assert talked(MISSED, ANSWERED, MISSED, replace(RINGING, state="talking")) == ["c1", ""]


def test_who_hides_his_number_cannot_be_called_back() -> None:
    assert not is_missed(replace(MISSED, client=""))
    assert not is_missed(replace(MISSED, client="anonymous"))
    assert is_missed(replace(MISSED, disposition="voicemail"))
    assert not is_missed(replace(MISSED, disposition=""))


@given(CALLS.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_order_means_nothing(both: tuple[list[PastCall], list[PastCall]]) -> None:
    assert missed_of(both[0]) == missed_of(both[1])


@given(CALLS)
def test_every_missed_call_is_open_exactly_when_nothing_later_reaches_the_client(calls: list[PastCall]) -> None:
    found = {one.id: one for one in missed_of(calls)}
    assert set(found) == {one.id for one in calls if is_missed(one.call)}
    for one in calls:
        later = [other for other in calls if (other.at, other.id) > (one.at, one.id) and reaches(other.call)]
        if one.id in found:
            assert (found[one.id].closed is None) == (not later)
            assert found[one.id].closed in (None, *later)


@given(CALLS)
def test_one_call_back_closes_everything(calls: list[PastCall]) -> None:
    assert all(one.closed for one in missed_of([*calls, past(99, 60, OUTGOING)]))
