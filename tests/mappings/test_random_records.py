"""Whatever two CRMs hold: carrying a record never raises, and once carried there is nothing more to carry."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mappings.pairs import FieldPair, Side, other
from mappings.records import RecordMapping, parse_record_mapping
from tests.mappings.accounts import AMO, HUBSPOT
from tests.mappings.random_leads import NASTY

MAPPING = """
object: contact
match: [emails, phones]
fields:
  first_name: {to_right: strip}
  position: {on_missing: skip}
  phones: {conflict: append}
  emails: {conflict: append}
  responsible: responsible
  "Город": {right: city, to_left: truncate}
  kind: {left: "Тип клиента", right: kind, map: {Новый: New, Постоянный: Regular}}
  likes: {left: "Интересы", right: likes}
  score: {left: "Баллы", right: score, direction: left_to_right}
  day: {left: "День", right: day}
  consent: {left: "Согласие", right: consent}
  price: {conflict: max}
  stage: stage
"""
CONTACT = parse_record_mapping(MAPPING.encode(), "m.yaml").bound(AMO, HUBSPOT)
WORDS = st.sampled_from(
    ["1", "2", "5", "6", "new", "regular", "w", "d", "101", "102", "9", "100", "142", "talks", "Окна"]
)
VALUE: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    NASTY,
    WORDS,
    st.text(max_size=20),
    st.text("+0123456789 ()-", max_size=16),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(),
)
KEYS: dict[Side, tuple[str, ...]] = {"left": CONTACT.keys("left"), "right": CONTACT.keys("right")}


def records(side: Side) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS[side]), VALUE | st.lists(VALUE, max_size=4).map(tuple))


RECORD = st.sampled_from(["left", "right"]).flatmap(lambda side: st.tuples(st.just(side), records(side)))  # type: ignore[arg-type]


@given(RECORD)
def test_carrying_never_raises_and_the_same_record_gives_the_same(given: tuple[Side, dict[str, Any]]) -> None:
    side, record = given
    converted = CONTACT.convert(record, other(side))
    assert CONTACT.convert(record, other(side)) == converted
    assert set(converted.values) <= {*KEYS[other(side)]}
    CONTACT.match_keys(record, side)


@given(RECORD)
def test_once_carried_nothing_is_left_to_carry(given: tuple[Side, dict[str, Any]]) -> None:
    side, record = given
    there = CONTACT.convert(record, other(side)).values
    both = (record, there) if side == "left" else (there, record)
    for pair in CONTACT.pairs:
        if pair.end(other(side)).key in there and pair.conflict != "append":
            assert pair.same(*both), pair.name


@given(RECORD)
def test_what_a_record_holds_is_compared_in_one_form_whatever_was_written(given: tuple[Side, dict[str, Any]]) -> None:
    side, record = given
    there = CONTACT.convert(record, other(side)).values
    once = CONTACT.comparables(there, other(side))
    again = CONTACT.convert(there, side).values
    back = CONTACT.convert(again, other(side)).values
    for pair in CONTACT.pairs:
        if pair.end(other(side)).key in back and _lossless(pair):
            assert CONTACT.comparables(back, other(side))[pair.name] == once[pair.name], pair.name


def _lossless(pair: FieldPair) -> bool:
    """What is changed or cut on the way (steps, lists that are full, whole amounts) does not come back as it was."""
    return not (pair.left.steps or pair.right.steps) and pair.name not in ("phones", "price", "stage")


@given(records("left"), records("right"))
def test_appending_twice_adds_nothing(left: dict[str, Any], right: dict[str, Any]) -> None:
    for name in ("phones", "emails"):
        pair = CONTACT.pair(name)
        once = {**right, **pair.appended(right, left, "right")}
        assert pair.comparable({**once, **pair.appended(once, left, "right")}, "right") == pair.comparable(
            once, "right"
        )


def test_the_strategy_reaches_every_pair() -> None:
    full = {
        "first_name": " Иван ",
        "position": "Директор",
        "phones": ("89161234567",),
        "emails": ("a@b.ru",),
        "responsible": "101",
        "901": "Казань",
        "902": "1",
        "903": ("5",),
        "904": 5,
        "905": date(2026, 1, 2),
        "906": "Y",
        "price": Decimal("1.5"),
        "stage": "142",
        "pipeline": "7",
    }
    mapping: RecordMapping = CONTACT
    assert set(full) == set(KEYS["left"])
    assert set(mapping.to_right(full)) == set(KEYS["right"])
    assert datetime(2026, 1, 2, tzinfo=UTC).date() == mapping.to_right(full)["day"]
