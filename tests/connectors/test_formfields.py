from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bodies import MAX_FIELDS, UnreadableBody
from connectors.formfields import (
    Answer,
    FormSettings,
    Labels,
    asked,
    currency,
    lead_of_answers,
    moment,
    money,
    object_of,
    order_line,
)
from tests.support.requests import inbound


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4990.00", "4990.00"), ("4 990,50", "4990.50"), ("4\u00a0990", "4990"), ("1,234.50", "1234.50"), (0, "0"),
        (4990, "4990"), ("-5", "-5"), ("0.1", "0.1"), ("10'000.5", "10000.5"),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly(text: object, amount: str) -> None:
    assert str(money(text)) == amount


@pytest.mark.parametrize(
    "text", ["", "NaN", "Infinity", "1e9", "1.2.3", "5 руб", None, True, 1.5, [], "٥", "9" * 16, "--5"]
)
def test_what_is_no_amount_is_none(text: object) -> None:
    assert money(text) is None


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2))
def test_every_amount_with_two_places_survives(amount: Decimal) -> None:
    assert money(f"{amount:f}") == amount


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-05T08:00:00.999Z", datetime(2026, 1, 5, 8, 0, tzinfo=UTC)),
        ("2026-01-05T08:00:00+0300", datetime(2026, 1, 5, 5, 0, tzinfo=UTC)),
        ("2026-01-05 08:00:00", datetime(2026, 1, 5, 5, 0, tzinfo=UTC)),
        ("2026-01-05", datetime(2026, 1, 4, 21, 0, tzinfo=UTC)),
        (1767600000, datetime(2026, 1, 5, 8, 0, tzinfo=UTC)),
    ],
)
def test_times_are_aware_whole_seconds(text: object, at: datetime) -> None:
    assert moment(text, ZoneInfo("Europe/Moscow")) == at


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "999999999999", None, [], "2026-13-01", "²"),
        *("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert moment(text, ZoneInfo("Europe/Moscow")) is None


def test_currencies_are_three_letters() -> None:
    assert [currency(code) for code in ("eur", "RUB", "", None, "рубль", "EURO", 643)] == ["EUR", "RUB", *[""] * 5]


def test_a_line_of_an_order_is_readable_however_little_is_known() -> None:
    assert order_line("Kit", 2, "398.00", "Red") == "Kit (Red) × 2 = 398.00"
    assert (order_line("Kit"), order_line(None, 2)) == ("Kit", "")


@pytest.mark.parametrize(
    ("question", "ours"),
    [
        ("What's your first name?", "first_name"), ("And your last name?", "last_name"), ("Phone", ""),
        ("Подскажите, как вас зовут?", "name"), ("Как мне к вам обращаться?", "name"), ("Which city?", ""),
        ("Please tell us your full name", "name"), ("Your company name please", ""), ("x" * 81 + " your name", ""),
        ("Какое имя у вашего проекта?", ""),
    ],
)  # fmt: skip
def test_a_question_that_asks_for_a_name_is_known(question: str, ours: str) -> None:
    assert asked(question) == ours


@given(st.lists(st.sampled_from(["A", "A (2)", "A (3)", "A (2) (2)", "", "[A]", " a\nb "]), max_size=30))
def test_labels_never_meet(labels: list[str]) -> None:
    names = Labels()
    made = [names.free(label) for label in labels]
    assert len(set(made)) == len(made)


def test_ever_so_many_answers_cost_little_and_what_is_over_is_counted() -> None:
    answers = [Answer("A", "x") for _ in range(50_000)]
    lead = lead_of_answers(FormSettings(), inbound(), "RU", answers)
    assert len(lead.extra) == MAX_FIELDS + 1
    assert lead.extra["fields left out"] == str(50_000 - MAX_FIELDS)


@pytest.mark.parametrize("body", ["", "[1]", "a=b", "{", '"x"', "null"])
def test_only_a_json_object_is_one(body: str) -> None:
    with pytest.raises(UnreadableBody):
        object_of(inbound(body))


@pytest.mark.parametrize("body", ["{}", '{"events": []}', '{"a": null}'])
def test_an_object_that_tells_nothing_is_one_all_the_same(body: str) -> None:
    assert isinstance(object_of(inbound(body)), dict)
