"""Repeated enquiries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leads.repeats import NewDeal, NoteOnOpen, Reopen, RepeatDecision, RepeatPolicy, decide_repeat

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
LATELY, LONG_AGO = NOW - timedelta(days=3), NOW - timedelta(days=31)


@pytest.mark.parametrize(
    ("do", "deal", "last_lead_at", "expected"),
    [
        ("note", "open", LATELY, NoteOnOpen(task=True)),
        ("note", "open", LONG_AGO, NewDeal()),
        ("note", "open", None, NoteOnOpen(task=True)),
        ("note", "closed", LATELY, NewDeal(is_repeat=True)),
        ("note", "closed", None, NewDeal()),
        ("note", "none", LATELY, NewDeal(is_repeat=True)),
        ("note", "none", None, NewDeal()),
        ("new_deal", "open", LATELY, NewDeal(is_repeat=True)),
        ("new_deal", "open", LONG_AGO, NewDeal()),
        ("reopen", "open", LATELY, NoteOnOpen(task=True)),
        ("reopen", "closed", LATELY, Reopen(task=True)),
        ("reopen", "closed", LONG_AGO, NewDeal()),
        ("reopen", "closed", None, NewDeal()),
        ("reopen", "none", LATELY, NewDeal(is_repeat=True)),
    ],
)
def test_what_a_repeat_becomes(do: Any, deal: Any, last_lead_at: datetime | None, expected: RepeatDecision) -> None:
    assert decide_repeat(RepeatPolicy(do=do), deal, last_lead_at, NOW) == expected


def test_without_any_setting_it_is_a_note_and_a_task_on_the_open_deal() -> None:
    assert decide_repeat(RepeatPolicy(), "open", LATELY, NOW) == NoteOnOpen(task=True)
    assert decide_repeat(RepeatPolicy(task=False), "open", LATELY, NOW) == NoteOnOpen(task=False)


def test_a_deal_that_people_work_on_is_no_old_deal() -> None:
    assert decide_repeat(RepeatPolicy(), "open", LONG_AGO, NOW, deal_updated_at=LATELY) == NoteOnOpen(task=True)
    assert decide_repeat(RepeatPolicy(), "open", None, NOW, deal_updated_at=LONG_AGO) == NewDeal()


def test_the_policy_is_read_as_it_is_written_in_yaml() -> None:
    policy = RepeatPolicy.model_validate({"within": "12h", "do": "reopen", "task": False})
    assert policy == RepeatPolicy(within=timedelta(hours=12), do="reopen", task=False)
    with pytest.raises(ValidationError):
        RepeatPolicy.model_validate({"whithin": "12h"})


@given(
    st.sampled_from(["note", "new_deal", "reopen"]),
    st.sampled_from(["open", "closed", "none"]),
    st.none() | st.integers(-100, 100),
)
def test_nothing_is_written_on_a_deal_that_is_not_there(do: Any, deal: Any, days: int | None) -> None:
    last = None if days is None else NOW - timedelta(days=days)
    match decide_repeat(RepeatPolicy(do=do), deal, last, NOW):
        case NoteOnOpen():
            assert deal == "open"
        case Reopen():
            assert (deal, do) == ("closed", "reopen")
        case NewDeal(is_repeat):
            assert not is_repeat or days is not None or deal == "open"
