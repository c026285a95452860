"""Which of our numbers was called tells where the caller came from."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leads.calls import Call
from leads.lines import Line, titled, touch_by

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BOARD = Line("Билборд на Ленина", {"utm_source": "billboard", "utm_medium": "outdoor"})
LINES = {"+74951112233": BOARD, "+74951112244": Line("Приёмная")}
CALL = Call(direction="in", client="+79161234567", line="+74951112233", started_at=NOW, disposition="missed")


def test_a_call_has_the_title_of_its_line() -> None:
    assert titled(CALL, LINES).line_title == "Билборд на Ленина"
    assert titled(replace(CALL, line="+74959999999"), LINES) == replace(CALL, line="+74959999999")
    assert Call.from_json(titled(CALL, LINES).to_json()) == titled(CALL, LINES)


def test_a_call_to_an_advertised_number_is_a_touch_of_that_advertisement() -> None:
    touch = touch_by(CALL, LINES, NOW)
    assert touch is not None
    assert (touch.at, touch.utm) == (NOW, {"utm_source": "billboard", "utm_medium": "outdoor"})
    assert touch.channel == "ad"


def test_a_line_whose_utm_tell_no_channel_is_a_call_and_no_link() -> None:
    for utm, channel in (
        ({"utm_source": "billboard"}, "call"),
        ({"utm_campaign": "osen"}, "call"),
        ({"utm_source": "yandex"}, "ad"),
        ({"utm_source": "2gis", "utm_medium": "maps"}, "referral"),
    ):
        touch = touch_by(CALL, {number: Line("", utm) for number in LINES}, NOW)
        assert touch is not None
        assert touch.channel == channel


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, direction="out"),
        replace(CALL, line="+74951112244"),
        replace(CALL, line=""),
        replace(CALL, line="x"),
    ],
)
def test_other_calls_tell_nothing_of_where_the_caller_came_from(call: Call) -> None:
    assert touch_by(call, LINES, NOW) is None
