"""What is kept of a delivery is read again by later versions, which may know more kinds of records."""

from datetime import UTC, datetime

from connectors.base import KINDS, CallDraft
from jobs.delivery.progress import Progress, Step, kind_of, next_look
from store.tables import to_us

AT = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)
BEFORE_CALLS = {
    "contact": {"id": "7"},
    "deal": {"sent_at": to_us(AT), "refused": ["stage"], "bare": True, "repeats": 1},
    "mode": "new",
    "found_contact": True,
    "user": "12",
}


def test_what_was_kept_before_there_were_calls_is_read_whole() -> None:
    progress = Progress.from_json(BEFORE_CALLS)
    assert set(progress.steps) == set(KINDS)
    assert progress.step("deal") == Step(sent_at=AT, refused=["stage"], bare=True, repeats=1)
    assert progress.step("call") == Step()
    assert progress.unknown
    assert progress.to_json() == BEFORE_CALLS


def test_the_step_of_a_call_is_kept_like_any_other() -> None:
    call = CallDraft("c-1", "77", "7", "in", "+79161234567", "", AT, 62, 9, "answered")
    progress = Progress()
    progress.step(kind_of(call)).sent_at = AT
    assert Progress.from_json(progress.to_json()).step("call") == Step(sent_at=AT)


def test_a_look_that_is_due_but_for_a_fraction_counts_as_made() -> None:
    assert next_look(34.9, (5.0, 35.0)) == 35.0
    assert next_look(34.999999999, (5.0, 35.0)) is None  # its time would be now, again and again
