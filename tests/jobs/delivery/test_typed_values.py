"""Mapped values in the type of the CRM's field; users by e-mail; several phones."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from connectors.amocrm.payloads import field_values
from connectors.base import CrmUser, FieldInfo, Metadata
from connectors.bitrix24.persons import field_value
from jobs.delivery.resolve import Directory, Resolved, resolve
from jobs.delivery.typed_values import typed
from mappings.engine import build
from mappings.load import parse_mapping
from tests.mappings.samples import FACTS

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
ACCOUNT = Directory(
    Metadata(
        users=(
            CrmUser("101", "Анна Петрова", "anna@example.ru"),
            CrmUser("102", "Олег Сидоров", "oleg@example.ru", active=False),
        ),
        fields={
            "contact": (FieldInfo("70", "Менеджер", kind="user"),),
            "deal": (
                FieldInfo("1", "Город", max_chars=10),
                FieldInfo("2", "Интересы", kind="enum", several=True, enums={"Окна": "5", "Двери": "6"}),
                FieldInfo("3", "Адреса", several=True),
                FieldInfo("4", "Замер", kind="date"),
                FieldInfo("5", "Площадь", kind="number"),
                FieldInfo("6", "Доставка", kind="bool"),
                FieldInfo("7", "Сумма", kind="money"),
                FieldInfo("8", "Счёт", kind="number"),
                FieldInfo("9", "Дни", kind="date", several=True),
            ),
            "company": (),
        },
        known=frozenset({"users", "fields"}),
    )
)


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        ("date", "2026-12-01", date(2026, 12, 1)),
        ("date", "2026-12-01T02:00:00+03:00", date(2026, 12, 1)),
        ("date", "soon", "soon"),
        ("datetime", "2026-12-01T15:00:00+03:00", NOON),
        ("number", "12 500,50 ₽", "12500.5"),
        ("money", 5, 5),
        ("number", "many", "many"),
        ("bool", "да", True),
        ("bool", "0", False),
        ("bool", "maybe", "maybe"),
        ("text", "12 500", "12 500"),
    ],
)
def test_a_value_takes_the_type_of_its_field(kind: Any, value: Any, result: Any) -> None:
    assert typed(value, FieldInfo("1", "A", kind=kind)) == result


def test_dates_reach_the_vendors_in_their_own_form() -> None:
    assert field_values(date(2026, 12, 1)) == [{"value": int(NOON.timestamp())}]
    assert field_value([date(2026, 12, 1), NOON, "x"], custom=True) == ["2026-12-01", "2026-12-01T12:00:00+00:00", "x"]


def resolved(text: str, responsible: str = "") -> Resolved:
    keys: Any = {"deal": "d", "contact": "c"}
    return resolve(build(parse_mapping(text.encode(), "m.yaml"), FACTS), ACCOUNT, keys=keys, responsible=responsible)


def test_a_text_is_cut_to_the_limit_of_its_field_only_when_asked() -> None:
    text = 'deal: {fields: {"Город": {value: Верхнеуральск, transform: truncate}}}\n'
    assert resolved(text).deal.fields == {"1": "Верхнеура…"}
    assert resolved(text.replace(", transform: truncate", "")).deal.fields == {"1": "Верхнеуральск"}


def test_several_values_stay_several_where_the_field_holds_several() -> None:
    text = 'deal: {fields: {"Интересы": {value: "окна;двери", transform: {split: ";"}}, "Адреса": [Тверь, Псков]}}\n'
    assert resolved(text).deal.fields == {"2": ["5", "6"], "3": ["Тверь", "Псков"]}
    assert resolved('deal: {fields: {"Интересы": Окна, "Адреса": Тверь}}\n').deal.fields == {"2": ["5"], "3": ["Тверь"]}


def test_what_is_not_of_the_fields_kind_goes_into_the_note() -> None:
    """Bitrix24 would say nothing and leave the field empty, or write 0."""
    text = (
        'deal: {fields: {"Замер": послезавтра, "Площадь": "2 или 3 комнаты", "Доставка": может быть, '
        '"Сумма": по договорённости, "Счёт": "40702810900000002453", "Дни": ["2026-12-01", потом]}}\n'
    )
    found = resolved(text)
    assert found.deal.fields == {"8": "40702810900000002453", "9": [date(2026, 12, 1)]}
    assert [(one.field, one.value) for one in found.dropped] == [
        ("Замер", "послезавтра"),
        ("Площадь", "2 или 3 комнаты"),
        ("Доставка", "может быть"),
        ("Сумма", "по договорённости"),
        ("Дни", "потом"),
    ]
    assert "Замер: послезавтра (поле другого типа)" in found.note(found.dropped)


def test_the_responsible_is_found_by_e_mail_and_the_route_goes_first() -> None:
    text = 'deal: {responsible: Anna@example.ru}\ncontact: {responsible: Анна Петрова, fields: {"Менеджер": "101"}}\n'
    found = resolved(text)
    assert (found.deal.responsible, found.contact.responsible, found.contact.fields) == ("101", "101", {"70": "101"})
    assert resolved(text, responsible="7").deal.responsible == "7"


def test_a_user_who_is_not_active_is_told_and_the_lead_goes_without() -> None:
    found = resolved("deal: {responsible: oleg@example.ru}\n")
    assert found.deal.responsible == ""
    assert [(one.field, one.value, one.where) for one in found.dropped] == [
        ("responsible", "oleg@example.ru", "m.yaml:1")
    ]


def test_phones_of_the_mapping_come_after_the_leads_own() -> None:
    found = resolved("contact: {phones: ['+74951234567', '{{ lead.phone }}']}\n")
    assert found.contact.phones == ("+79161234567", "+74951234567")
