import json

import pytest

from connectors.doors import Parsed, Refused, Unreadable
from connectors.events import Errand
from tests.support import form_doors as doors
from tests.support.requests import inbound

INSIGHT = {"call_id": "ats:77", "text": "Клиент просит счёт", "tags": ["счёт", "срочно"], "score": 0.8, "source": "asr"}


def test_an_insight_is_an_errand_of_its_call() -> None:
    assert doors.taken("call_insight", inbound(json.dumps(INSIGHT))).errands == (
        Errand(
            "call_insight",
            "ats:77",
            {
                "call_id": "ats:77",
                "text": "Клиент просит счёт",
                "tags": "счёт, срочно",
                "score": "0.8",
                "source": "asr",
            },
        ),
    )


def test_what_was_not_told_is_left_out_and_numbers_are_text() -> None:
    (errand,) = doors.taken("call_insight", inbound('{"call_id": 77, "score": 5, "tags": "счёт"}')).errands
    assert (errand.key, errand.data) == ("77", {"call_id": "77", "score": "5", "tags": "счёт"})


@pytest.mark.parametrize("body", ['{"text": "x"}', '{"call_id": ""}', "[]", "text=x"])
def test_an_insight_of_no_call_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        doors.taken("call_insight", inbound(body))


def test_the_bearer_and_the_token_must_both_hold_where_they_are_set() -> None:
    good = inbound(json.dumps(INSIGHT), path_tail="t", headers={"Authorization": "Bearer b"})
    assert doors.taken("call_insight", good, url_token="t", bearer="b").errands
    for settings in ({"url_token": "t", "bearer": "c"}, {"url_token": "u", "bearer": "b"}):
        with pytest.raises(Refused):
            doors.taken("call_insight", good, **settings)


def test_an_empty_post_makes_nothing() -> None:
    assert doors.taken("call_insight", inbound(b"")) == Parsed()
