"""Fields of two CRMs kept equal: values carried both ways, and when two records are the same."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from mappings.problems import MappingError
from mappings.records import RecordMapping, load_record_mapping, parse_record_mapping
from tests.mappings.accounts import AMO, HUBSPOT

FIELDS = """
object: contact
left: amocrm
right: hubspot
match: [emails, phones]
fields:
  first_name: first_name
  phones: {conflict: append}
  emails: {conflict: append}
  responsible: responsible
  "Город": {right: city, to_left: [strip, truncate]}
  kind: {left: "Тип клиента", right: kind, map: {Новый: New, Постоянный: Regular}}
  likes: {left: "Интересы", right: likes}
  score: {left: "Баллы", right: score, direction: left_to_right, conflict: max}
  day: {left: "День", right: day}
  consent: {left: "Согласие", right: consent}
"""
DEAL = "object: deal\nfields: {title: title, price: price, stage: {map: {Продажи/Новая: Appointment}}}\n"
IVAN = {
    "first_name": "Иван",
    "phones": ("8 (916) 123-45-67", "+7 916 765-43-21", "+7 495 123-45-67"),
    "emails": (" Ivan@Example.RU ",),
    "responsible": "101",
    "901": "Казань",
    "902": "2",
    "903": ("6", "5"),
    "904": "12.50",
    "905": datetime(2026, 3, 4, 22, 0, tzinfo=UTC),
    "906": "Да",
}
IVAN_THERE = {
    "first_name": "Иван",
    "phones": ("+79161234567", "+79167654321"),
    "emails": ("ivan@example.ru",),
    "responsible": "9",
    "city": "Казань",
    "kind": "regular",
    "likes": ("d", "w"),
    "score": Decimal("12.50"),
    "day": date(2026, 3, 5),
    "consent": True,
}


def bound(text: str = FIELDS) -> RecordMapping:
    return parse_record_mapping(text.encode(), "m.yaml").bound(AMO, HUBSPOT)


def test_every_kind_of_value_arrives_as_the_other_crm_keeps_it() -> None:
    assert bound().to_right(IVAN) == IVAN_THERE


def test_what_arrived_is_the_same_and_needs_no_second_write() -> None:
    mapping = bound()
    assert mapping.differences(IVAN, mapping.to_right(IVAN)) == ()


def test_values_go_back_by_the_same_names() -> None:
    assert bound().to_left(IVAN_THERE) == {
        "first_name": "Иван",
        "phones": ("+79161234567", "+79167654321"),
        "emails": ("ivan@example.ru",),
        "responsible": "101",
        "901": "Казань",
        "902": "2",
        "903": ("6", "5"),
        "905": date(2026, 3, 5),
        "906": True,
    }


def test_records_are_compared_as_people_would() -> None:
    changed = {
        **IVAN_THERE,
        "phones": ("8 916 765 43 21", "+7(916)1234567"),
        "likes": ("w", "d"),
        "first_name": "Иван ",
    }
    assert bound().differences(IVAN, changed) == ()
    assert bound().differences(IVAN, {**IVAN_THERE, "kind": "new", "city": "Москва"}) == ("Город", "kind")


def test_a_text_that_the_other_side_cannot_hold_whole_is_the_same() -> None:
    long = {**IVAN_THERE, "city": "Верхнеуральск"}
    there = bound().to_left(long)
    assert there["901"] == "Верхнеура…"
    assert bound().pair("Город").same({**IVAN, **there}, long)


def test_a_key_that_was_not_read_is_not_carried_and_an_empty_one_empties() -> None:
    assert bound().to_right({"first_name": ""}) == {"first_name": ""}
    assert bound().to_right({"phones": ()}) == {"phones": ()}


def test_an_emptied_value_that_is_to_be_skipped_is_not_carried() -> None:
    mapping = bound("object: contact\nfields: {position: {on_missing: skip}}\n")
    assert mapping.to_right({"position": ""}) == {}
    assert mapping.differences({"position": ""}, {"position": "Boss"}) == ("position",)
    assert mapping.to_left({"position": "Boss"}) == {"position": "Boss"}


def test_a_value_that_the_other_side_does_not_know_is_left_out_and_told_without_the_value() -> None:
    converted = bound().convert({"responsible": "102", "902": "1", "first_name": "Олег"}, "right")
    assert converted.values == {"first_name": "Олег", "kind": "new"}
    assert [(one.path, one.line, one.message) for one in converted.problems] == [
        ("fields.responsible", 10, 'has a value that HubSpot "hs" does not know')
    ]


def test_appending_keeps_the_own_order_and_adds_what_is_missing() -> None:
    pair = bound().pair("phones")
    assert pair.appended({"phones": ("+7 916 765-43-21",)}, {"phones": ("+79167654321", "+74951112233")}, "left") == {
        "phones": ("+7 916 765-43-21", "+74951112233")
    }


def test_lists_are_the_same_when_neither_side_has_room_for_more() -> None:
    pair = bound().pair("phones")
    two_of_three = {"phones": ("+74951234567", "+79161234567")}
    assert pair.same(IVAN, two_of_three)
    assert not pair.same(IVAN, {"phones": ("+74951234567",)})
    assert not pair.same(IVAN, {"phones": ("+74951234567", "+74950000001")})


def test_match_keys_are_in_one_form_whichever_side_they_are_from() -> None:
    keys = bound().match_keys(IVAN, "left")
    assert keys == {"emails": ("ivan@example.ru",), "phones": ("+74951234567", "+79161234567", "+79167654321")}
    assert keys["emails"] == bound().match_keys(IVAN_THERE, "right")["emails"]


@pytest.mark.parametrize(
    ("stage", "pipeline", "found"),
    [
        ("101", "7", "talks"),
        ("100", "7", "appointmentscheduled"),
        ("142", "8", "closedwon"),
        ("143", "7", "closedlost"),
    ],
)
def test_stages_go_by_dictionary_by_name_and_by_meaning(stage: str, pipeline: str, found: str) -> None:
    assert bound(DEAL).to_right({"stage": stage, "pipeline": pipeline}) == {"stage": found, "pipeline": "default"}


def test_a_stage_comes_back_to_the_pipeline_of_the_dictionary() -> None:
    assert bound(DEAL).to_left({"stage": "appointmentscheduled", "pipeline": "default"}) == {
        "stage": "100",
        "pipeline": "7",
    }


def test_amounts_are_equal_within_what_the_coarser_side_keeps() -> None:
    assert bound(DEAL).differences({"price": "101"}, {"price": Decimal("100.50")}) == ()
    assert bound(DEAL).to_left({"price": "100.5"}) == {"price": Decimal(101)}
    assert bound(DEAL).differences({"price": "100"}, {"price": Decimal("100.50")}) == ("price",)


def test_three_decimals_of_a_record_are_no_thousands() -> None:
    assert bound(DEAL).to_left({"price": "12.345"}) == {"price": Decimal(12)}
    assert bound(DEAL).to_right({"price": "1234.567"}) == {"price": Decimal(1235)}
    assert bound(DEAL).differences({"price": "1235"}, {"price": "1234.567"}) == ()


def test_an_amount_of_which_nothing_is_left_is_none() -> None:
    assert bound(DEAL).to_left({"price": "0.01"}) == {"price": ""}
    assert bound(DEAL).differences({"price": ""}, {"price": "0.01"}) == ()


def test_a_computed_value_reads_fields_by_their_names() -> None:
    mapping = bound(
        "object: contact\n"
        "fields:\n  full: {left: first_name, right: city, direction: left_to_right,"
        " to_right: \"{{ left.first_name ~ ' из ' ~ left['Город'] }}\", when: \"left['Тип клиента'] == 'Новый'\"}\n"
    )
    assert mapping.to_right({"first_name": "Иван", "901": "Казани", "902": "1"}) == {"city": "Иван из Казани"}
    assert mapping.to_right({"first_name": "Иван", "901": "Казани", "902": "2"}) == {}


def test_the_turned_mapping_does_the_same_from_the_other_side() -> None:
    turned = bound().swapped()
    assert turned.to_left(IVAN) == IVAN_THERE
    assert turned.pair("score").direction == "right_to_left"


def test_two_pairs_that_write_one_field_by_two_of_its_names_are_told() -> None:
    with pytest.raises(MappingError) as caught:
        bound('object: contact\nfields:\n  city: {left: "Город", right: city}\n  town: {left: "901", right: kind}\n')
    assert str(caught.value) == (
        'm.yaml:4:3  fields.town: the left field "901" is already written by fields.city\n'
        '    there it is called "Город"; null removes a pair of the extended mapping'
    )


def test_a_field_that_an_account_lacks_is_told_with_line_and_nearest_name() -> None:
    with pytest.raises(MappingError) as caught:
        bound('object: contact\nfields:\n  "Городд": city\n  "Баллы": score\n')
    assert str(caught.value) == (
        'm.yaml:3:3  fields["Городд"]: amoCRM "sales" has no field "Городд"\n'
        "    fields: first_name, last_name, title, Телефон, Email, price, stage, responsible, Должность, Город, "
        'Тип клиента, Интересы, Баллы, День, Согласие. Did you mean "Город"?\n'
        'm.yaml:4:3  fields["Баллы"]: the field "Баллы" of amoCRM "sales" is read-only\n'
        "    set direction: left_to_right"
    )


@pytest.mark.parametrize("about", ["contact", "company", "deal"])
@pytest.mark.parametrize(
    "types", [("amocrm", "bitrix24"), ("amocrm", "hubspot"), ("bitrix24", "hubspot"), ("hubspot", "amocrm")]
)
def test_there_is_a_mapping_for_each_pair_of_crms_and_kind_of_record(types: tuple[str, str], about: str) -> None:
    mapping = load_record_mapping(*types, about)  # type: ignore[arg-type]
    assert (mapping.types, mapping.object) == (types, about)
    assert mapping.pairs
