import json

import pytest

from connectors.doors import Parsed, Refused, Unreadable
from connectors.events import Errand
from tests.support import form_doors as doors
from tests.support.requests import inbound

INSIGHT = {"call_id": "ats:77", "text": "Клиент просит счёт", "tags": ["счёт", "срочно"], "score": 0.8, "source": "asr"}


def test_an_insight_is_an_errand_of_its_call() -> None:
    (errand,) = doors.taken("call_insight", inbound(json.dumps(INSIGHT))).errands
    assert errand == (
        Errand(
            "call_insight",
            errand.key,
            {
                "call_id": "ats:77",
                "text": "Клиент просит счёт",
                "tags": "счёт, срочно",
                "score": "0.8",
                "source": "asr",
            },
        )
    )


def test_the_same_insight_is_one_and_another_of_the_same_call_is_another() -> None:
    def key(**more: object) -> str:
        return doors.taken("call_insight", inbound(json.dumps({**INSIGHT, **more}))).errands[0].key

    assert key() == key()
    assert key() != key(text="Другое")


def test_what_was_not_told_is_left_out_and_numbers_are_text() -> None:
    (errand,) = doors.taken("call_insight", inbound('{"call_id": 77, "score": 5, "tags": "счёт"}')).errands
    assert errand.data == ({"call_id": "77", "score": "5", "tags": "счёт"})


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
