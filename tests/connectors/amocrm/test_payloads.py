"""Drafts -> JSON and JSON -> records, without a server."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amocrm.payloads import (
    EntityFields,
    FieldRef,
    contact_body,
    deal_body,
    field_values,
    marked_name,
    note_body,
    task_body,
    text_marker,
    whole_price,
)
from connectors.amocrm.records import (
    created_ids,
    errors_by_request,
    fields_from,
    has_next,
    key_of,
    refused_fields,
    rows_of,
    same_phone,
)
from connectors.base import ContactDraft, DealDraft, NoteDraft, TaskDraft
from connectors.errors import PermanentError

LEAD_FIELDS = fields_from(
    [
        {"id": 901, "code": "LEADHUB_ID", "type": "text"},
        {"id": 902, "code": "LEADHUB_SOURCE", "type": "text"},
        {"id": 610, "code": "UTM_SOURCE", "type": "tracking_data"},
        {"id": 620, "code": None, "type": "select", "enums": [{"id": 17, "value": "Дом"}]},
    ]
)


def test_a_deal_is_one_object_with_everything_in_it() -> None:
    draft = DealDraft(
        "lead-1",
        "Заявка",
        contact_id="11",
        company_id="12",
        responsible="5",
        pipeline="6",
        stage="7",
        price="99.5",
        source="site",
        tags=(" окна ", ""),
        utm={"utm_source": "yandex", "utm_term": "купить"},
        fields={"620": "Дом", "FREE": "x"},
    )
    assert deal_body(draft, LEAD_FIELDS).json == {
        "name": "Заявка",
        "price": 100,
        "responsible_user_id": 5,
        "pipeline_id": 6,
        "status_id": 7,
        "custom_fields_values": [
            {"field_id": 901, "values": [{"value": "lead-1"}]},
            {"field_id": 902, "values": [{"value": "site"}]},
            {"field_code": "UTM_SOURCE", "values": [{"value": "yandex"}]},
            {"field_id": 620, "values": [{"value": "Дом"}]},
            {"field_code": "FREE", "values": [{"value": "x"}]},
        ],
        "_embedded": {
            "tags": [{"name": "окна"}, {"name": "site"}],
            "contacts": [{"id": 11, "is_main": True}],
            "companies": [{"id": 12}],
        },
    }
    assert deal_body(draft, LEAD_FIELDS).origins == ("LEADHUB_ID", "LEADHUB_SOURCE", "utm", "620", "FREE")


def test_what_is_empty_is_not_sent() -> None:
    assert deal_body(DealDraft("k", "Заявка", fields={"620": ""}), EntityFields()).json == {"name": "Заявка [lh-k]"}


@pytest.mark.parametrize("key", ["610", "UTM_SOURCE"])
def test_a_tracking_field_that_a_mapping_fills_is_sent_once(key: str) -> None:
    draft = DealDraft("k", "x", utm={"utm_source": "yandex"}, fields={key: "direct"})
    values = deal_body(draft, LEAD_FIELDS).json["custom_fields_values"]
    assert [one["values"] for one in values] == [[{"value": "k"}], [{"value": "direct"}]]


def test_without_the_field_list_only_the_five_utm_fields_are_sent() -> None:
    utm = {"utm_source": "a", "utm_term": "b", "gclid": "c", "utm_medium": ""}
    values = deal_body(DealDraft("k", "x", utm=utm), EntityFields()).json["custom_fields_values"]
    assert [item["field_code"] for item in values] == ["UTM_SOURCE", "UTM_TERM"]


def test_a_nameless_contact_is_named_by_what_is_known_of_it() -> None:
    known = fields_from([{"id": 1, "code": "LEADHUB_ID"}])
    assert contact_body(ContactDraft("k", "", ("+79161234567",)), known).json["name"] == "+79161234567"
    assert contact_body(ContactDraft("k", " ", (), ("a@example.ru",)), known).json["name"] == "a@example.ru"
    assert contact_body(ContactDraft("k", "Гость"), EntityFields()).json["name"] == "Гость [lh-k]"


def test_notes_and_tasks_end_with_a_short_mark() -> None:
    note = note_body(NoteDraft("lead-1:note", "Строка 1\nСтрока 2\n", "7"))
    assert note.json["params"]["text"] == f"Строка 1\nСтрока 2\n{text_marker('lead-1:note')}"
    assert note.path == "/api/v4/leads/7/notes"
    assert note_body(NoteDraft("k", "x", "", "8")).path == "/api/v4/contacts/8/notes"
    due_at = datetime(2026, 11, 24, 14, 17, tzinfo=UTC)
    assert task_body(TaskDraft("k", "Позвонить", due_at, "7", responsible="5")).json == {
        "text": f"Позвонить {text_marker('k')}",
        "complete_till": 1795529820,
        "task_type_id": 1,
        "entity_id": 7,
        "entity_type": "leads",
        "responsible_user_id": 5,
    }
    assert text_marker("a") != text_marker("b")
    assert len(text_marker("a")) == 14


@given(st.text(max_size=300), st.uuids())
def test_a_marked_name_fits_and_gives_its_key_back(name: str, key: Any) -> None:
    marked = marked_name(name.replace("[lh-", ""), str(key))
    assert len(marked) <= 255
    assert key_of({"name": marked}) == str(key)


@pytest.mark.parametrize(
    ("value", "ref", "expected"),
    [
        ("текст", None, [{"value": "текст"}]),
        (5, None, [{"value": "5"}]),
        (Decimal("1.50"), None, [{"value": "1.50"}]),
        (True, None, [{"value": True}]),
        (None, None, []),
        ("", None, []),
        (["a", "b"], None, [{"value": "a"}, {"value": "b"}]),
        ({"enum_code": "C"}, None, [{"enum_code": "C"}]),
        (datetime(2026, 11, 24, tzinfo=UTC), None, [{"value": 1795478400}]),
        ("17", FieldRef(620, "", "select", frozenset({17})), [{"enum_id": 17}]),
        ("18", FieldRef(620, "", "select", frozenset({17})), [{"value": "18"}]),
        (("17", "Дом"), FieldRef(620, "", "multiselect", frozenset({17})), [{"enum_id": 17}, {"value": "Дом"}]),
        ("да", FieldRef(1, "", "checkbox"), [{"value": True}]),
        ("0", FieldRef(1, "", "checkbox"), [{"value": False}]),
        ("1795529820", FieldRef(1, "", "date_time"), [{"value": 1795529820}]),
        ("2026-11-24T14:17:00+03:00", FieldRef(1, "", "date_time"), [{"value": "2026-11-24T14:17:00+03:00"}]),
    ],
)
def test_values_take_the_shape_of_their_field(value: Any, ref: FieldRef | None, expected: list[Any]) -> None:
    assert field_values(value, ref) == expected


def test_prices_are_whole() -> None:
    assert [whole_price(text) for text in ("1200", "1200.50", "0.4", "1e3")] == [1200, 1201, 0, 1000]
    for text in ("много", "NaN", "Infinity", ""):
        with pytest.raises(PermanentError) as caught:
            whole_price(text)
        assert caught.value.fields == ("price",)


@pytest.mark.parametrize(
    ("stored", "e164", "same"),
    [
        ("+79161234567", "+79161234567", True),
        ("8 (916) 123-45-67", "+79161234567", True),
        ("79161234567", "+79161234567", True),
        ("9161234567", "+79161234567", True),
        ("+7 916 123-45-67 доб. 5", "+79161234567", True),
        ("+380916123456", "+79161234567", False),
        ("+39161234567", "+79161234567", False),
        ("1234567", "+79161234567", False),
        ("", "+79161234567", False),
        ("Иван", "+79161234567", False),
        ("020 7946 0958", "+442079460958", True),
        ("020 7946 0958", "+79161234567", False),
        ("+79161234567", "не номер", False),
    ],
)
def test_phones_are_the_same_number_or_not(stored: str, e164: str, same: bool) -> None:
    assert same_phone(stored, e164) is same


def test_ids_come_back_by_index_or_by_order_and_never_by_guess() -> None:
    def answer(*rows: dict[str, Any]) -> dict[str, Any]:
        return {"_embedded": {"leads": list(rows)}}

    swapped = answer({"id": 8, "request_id": "1"}, {"id": 7, "request_id": "0"})
    assert created_ids(swapped, "leads", 2) == ["7", "8"]
    assert created_ids(answer({"id": 7}, {"id": 8}), "leads", 2) == ["7", "8"]
    assert created_ids(answer({"id": 8, "request_id": "1"}), "leads", 2) == [None, "8"]
    assert created_ids(answer({"id": 8}), "leads", 2) == [None, None]
    assert created_ids(answer({"request_id": "0"}), "leads", 1) == [None]
    assert created_ids(None, "leads", 1) == [None]
    assert created_ids([], "leads", 1) == [None]


def test_error_paths_become_the_drafts_names() -> None:
    answer = {
        "validation-errors": [
            {"request_id": "1", "errors": [{"code": "NotSupportedChoice", "path": "custom_fields_values.1.field_id"}]},
            {"request_id": 0, "errors": [{"code": "InvalidType", "path": "price"}, "nonsense"]},
            {"request_id": "x", "errors": []},
            "nonsense",
        ]
    }
    errors = errors_by_request(answer)
    assert set(errors) == {0, 1}
    assert refused_fields(errors[0], ()) == ("price",)
    assert refused_fields(errors[1], ("phones", "77")) == ("77",)
    assert refused_fields([{"path": "custom_fields_values"}], ("a", "b")) == ("a", "b")
    assert refused_fields([{"path": "_embedded.tags.0.name"}], ()) == ("tags",)
    assert refused_fields([{"path": "unheard.of"}], ()) == ()
    for odd in (None, [], {"validation-errors": {"0": 1}}, "text"):
        assert errors_by_request(odd) == {}


def test_shapes_that_are_no_lists_are_told_from_empty_ones() -> None:
    assert rows_of(None, "leads") == []
    assert rows_of({"_embedded": {"leads": [{"id": 1}, "odd"]}}, "leads") == [{"id": 1}]
    for odd in ({}, [], {"_embedded": []}, {"_embedded": {"leads": {}}}):
        assert rows_of(odd, "leads") is None
    assert has_next({"_links": {"next": {"href": "x"}}})
    assert not has_next({"_links": {}})
    assert not has_next([])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["_embedded", "leads", "id", "errors", "validation-errors", "request_id", "path", "values"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_answer_however_odd_makes_the_readers_fail(answer: Any) -> None:
    rows_of(answer, "leads")
    has_next(answer)
    assert len(created_ids(answer, "leads", 2)) == 2
    for errors in errors_by_request(answer).values():
        refused_fields(errors, ("a",))
