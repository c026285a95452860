"""Named transforms: what each makes of a value, what it refuses, and that whatever comes makes none raise otherwise."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine import build
from mappings.load import parse_mapping
from mappings.transforms import TRANSFORMS, Around, Transform, TransformError, apply
from tests.mappings.random_leads import TEXT
from tests.mappings.samples import FACTS

MOSCOW = ZoneInfo("Europe/Moscow")
AROUND = Around("Europe/Moscow", "RU", 10)


def once(name: str, value: Any, **options: Any) -> Any:
    return apply((Transform(name, options),), value, AROUND)


@pytest.mark.parametrize(
    ("name", "options", "value", "result"),
    [
        ("strip", {}, "  Иван \n  Петров ", "Иван Петров"),
        ("lower", {}, "ИВАН", "иван"),
        ("upper", {}, "иван", "ИВАН"),
        ("translit", {}, "Щукин Юрий", "Shchukin Yuriy"),
        ("phone", {}, "8 (916) 123-45-67", "+79161234567"),
        ("phone", {"form": "pretty"}, "89161234567", "+7 916 123-45-67"),
        ("phone", {"form": "digits"}, "89161234567", "79161234567"),
        ("phone", {"region": "DE"}, "030 901820", "+4930901820"),
        ("phone", {}, ("8 916 123-45-67", "", "+7 495 123-45-67"), ("+79161234567", "+74951234567")),
        ("email", {}, " Ivan@Example.RU ", "ivan@example.ru"),
        ("date", {}, "2026-12-01", date(2026, 12, 1)),
        ("date", {}, "01.12.2026", date(2026, 12, 1)),
        ("date", {}, "01.12.2026 14:30", datetime(2026, 12, 1, 14, 30, tzinfo=MOSCOW)),
        ("date", {"zone": "UTC"}, "2026-12-01T14:30:00", datetime(2026, 12, 1, 14, 30, tzinfo=UTC)),
        ("date", {"from": "%m/%d/%Y", "to": "date"}, "12/01/2026", date(2026, 12, 1)),
        ("date", {"to": "date"}, "2026-11-30T22:00:00Z", date(2026, 12, 1)),
        ("date", {"to": "%d.%m.%Y"}, 1764536400, "01.12.2025"),
        ("money", {}, "12 500,55 ₽", Decimal("12500.55")),
        ("money", {"decimals": 0}, "$1,299.90", Decimal(1300)),
        ("number", {}, "3 окна", Decimal(3)),
        ("split", {"by": ";"}, "окна; двери;;", ("окна", "двери")),
        ("join", {"by": " / "}, ("окна", "", "двери"), "окна / двери"),
        ("map", {"table": {"msk": "Москва"}}, " MSK ", "Москва"),
        ("map", {"table": {"msk": "Москва"}, "default": "другой"}, "ekb", "другой"),
        ("map", {"table": {"msk": "Москва"}, "default": "другой"}, "", "другой"),
        ("map", {"table": {"msk": "Москва"}, "default": "другой"}, "Москва", "Москва"),
        ("truncate", {}, "Верхнеуральск", "Верхнеура…"),
        ("truncate", {"length": 5}, "Верхнеуральск", "Верх…"),
        ("first", {}, ("a", "b"), "a"),
        ("last", {}, ("a", "b"), "b"),
        ("unique", {}, ("Окна", "двери", "окна"), ("Окна", "двери")),
    ],
)
def test_each_transform_gives_what_it_says(name: str, options: dict[str, Any], value: Any, result: Any) -> None:
    assert once(name, value, **options) == result


@pytest.mark.parametrize(
    ("name", "options", "value", "why"),
    [
        ("phone", {}, "позвоните", "holds no phone number that can be read"),
        ("email", {}, "нет", "holds no e-mail address that can be read"),
        ("date", {}, "03/04/2026", "is not a date that can be read"),
        ("money", {}, "дорого", "is not a number"),
        ("map", {"table": {"msk": "Москва"}}, "ekb", "is not in the dictionary"),
    ],
)
def test_what_cannot_be_read_is_refused_without_naming_it(
    name: str, options: dict[str, Any], value: str, why: str
) -> None:
    with pytest.raises(TransformError) as caught:
        once(name, value, **options)
    assert str(caught.value) == why


@given(st.sampled_from(sorted(TRANSFORMS)), TEXT | st.lists(TEXT, max_size=4).map(tuple) | st.integers() | st.none())
def test_no_transform_raises_anything_else_and_twice_is_once(name: str, value: Any) -> None:
    options: dict[str, Any] = {"table": {"a": "b", "": "c"}} if name == "map" else {}
    try:
        result = once(name, value, **options)
    except TransformError:
        return
    if name != "last":
        assert once(name, result, **options) == result


# --- in a mapping ------------------------------------------------------------------------------------


def drafted(entry: str) -> tuple[dict[str, Any], list[str]]:
    draft = build(parse_mapping(f"deal:\n  fields:\n    A: {entry}\n".encode(), "m.yaml"), FACTS)
    return {one.label: one.value for one in draft.deal.fields}, [
        f"{one.file}:{one.line} {one.path}: {one.message}" for one in draft.problems
    ]


def test_a_path_is_read_and_transformed() -> None:
    assert drafted("{path: lead.extra.amount, transform: {money: 0}}") == ({"A": "12501"}, [])
    assert drafted("{path: 'lead.extra[\"Этаж\"]'}") == ({"A": "5"}, [])


def test_a_field_that_cannot_be_computed_is_left_out_with_line_and_field() -> None:
    assert drafted("{path: lead.comment, transform: email}") == (
        {},
        ["m.yaml:3 deal.fields.A: holds no e-mail address that can be read"],
    )


def test_a_default_stands_in_for_what_cannot_be_read() -> None:
    assert drafted("{path: lead.comment, transform: email, default: нет}") == ({"A": "нет"}, [])


@pytest.mark.parametrize("part", ["required: true", "on_missing: report"])
def test_a_required_value_that_is_missing_is_told(part: str) -> None:
    assert drafted(f"{{path: lead.extra.nowhere, {part}}}") == ({}, ["m.yaml:3 deal.fields.A: is required and empty"])
    assert drafted(f"{{path: lead.name, {part}}}") == ({"A": "Иван"}, [])


def test_a_list_stays_a_list() -> None:
    assert drafted('{value: "окна;двери", transform: {split: ";"}}') == ({"A": ["окна", "двери"]}, [])


def test_further_phones_are_read_and_those_that_cannot_be_are_told() -> None:
    text = "contact:\n  phones: ['+7 495 123-45-67', '{{ lead.comment }}', '']\n  emails: [' A@b.ru ']\n"
    draft = build(parse_mapping(text.encode(), "m.yaml"), FACTS)
    assert (draft.contact.phones, draft.contact.emails) == (("+74951234567",), ("a@b.ru",))
    assert [one.message for one in draft.problems] == ["holds no phone number that can be read"]
    assert draft.essentials.phones == FACTS.lead.phones


def test_a_section_over_a_preset_changes_single_parts_and_null_removes(tmp_path: Any) -> None:
    (tmp_path / "base.yaml").write_text("deal: {fields: {A: {path: lead.name, optional: true}, B: x, C: y}}\n")
    text = "extends: base\ndeal: {fields: {A: {default: нет}, B: {when: lead.phone}, C: null}}\n"
    mapping = parse_mapping(text.encode(), "m.yaml", folder=tmp_path)
    entries = {entry.label: entry for entry in mapping.deal.fields}
    assert set(entries) == {"A", "B"}
    assert entries["A"].optional
    assert entries["A"].default is not None
    assert entries["B"].when is not None
