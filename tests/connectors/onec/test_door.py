import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, Refused, Unreadable
from connectors.onec import OnecSettings
from tests.support import form_doors as doors
from tests.support.requests import inbound

ORDER: dict[str, Any] = {
    "number": "0000-000123", "date": "2026-01-05T12:00:00", "status": "Новый", "amount": 4990.5, "currency": "RUB",
    "phone": "8 (999) 100-20-30", "email": "Anna@Example.test", "name": "Анна Орлова", "paid": False,
}  # fmt: skip


def sent(body: object, **headers: str) -> Inbound:
    return inbound(json.dumps(body, ensure_ascii=False), headers=headers)


def test_a_new_order_is_a_lead() -> None:
    parsed = doors.taken("1c", sent({**ORDER, "comment": "Позвонить до 12", "Склад": "Основной"}))
    (lead,) = parsed.leads
    assert parsed.payments == ()
    assert (lead.lead_uid, lead.name) == ("0000-000123/2026", "Анна Орлова")
    assert (lead.phones, lead.emails) == (("+79991002030",), ("anna@example.test",))
    assert lead.comment == "Позвонить до 12"
    assert lead.extra == {
        "Склад": "Основной", "order_id": "0000-000123", "order_status": "Новый", "order_amount": "4990.5",
        "order_currency": "RUB",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["client", "customer", "клиент", "buyer"])
def test_a_buyer_in_an_object_of_his_own_is_read(key: str) -> None:
    order = {"number": "1", "status": "new", key: {"name": "Борис", "phone": "8 916 000-11-22", "email": "b@x.test"}}
    lead = doors.lead_of("1c", sent(order))
    assert (lead.name, lead.phones, lead.emails) == ("Борис", ("+79160001122",), ("b@x.test",))
    russian = doors.lead_of("1c", sent({"Номер": "1", "Контрагент": {"Имя": "Борис", "Телефон": "8 916 000-11-22"}}))
    assert (russian.name, russian.phones) == ("Борис", ("+79160001122",))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"paid": True}, "succeeded"), ({"paid": "Да", "status": "Закрыт"}, "succeeded"),
        ({"paid": "Истина", "status": ""}, "succeeded"), ({"status": "В работе"}, "pending"),
        ({"status": "Отменён", "paid": False}, "canceled"), ({"status": "Возврат", "paid": True}, "refunded"),
    ],
)  # fmt: skip
def test_an_order_whose_state_changed_is_a_payment(changes: dict[str, Any], status: str) -> None:
    parsed = doors.taken("1c", sent({**ORDER, **changes}))
    (payment,) = parsed.payments
    assert parsed.leads == ()
    assert (payment.payment_id, payment.order_id, payment.status) == ("0000-000123/2026", "0000-000123", status)
    assert (payment.amount, payment.currency) == (Decimal("4990.5"), "RUB")
    assert payment.at == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    assert payment.lead is not None
    assert payment.lead.phones == ("+79991002030",)


def test_a_number_of_next_year_is_another_order_and_a_guid_names_it_best() -> None:
    first, second, third = (
        doors.lead_of("1c", sent(one)).lead_uid
        for one in (ORDER, {**ORDER, "date": "2027-01-05T12:00:00"}, {**ORDER, "guid": "a-b"})
    )
    assert (first, second, third) == ("0000-000123/2026", "0000-000123/2027", "a-b")


def test_the_year_is_of_the_bases_zone() -> None:
    assert doors.lead_of("1c", sent({**ORDER, "date": "2026-01-01T00:30:00"})).lead_uid == "0000-000123/2026"
    assert doors.lead_of("1c", sent({**ORDER, "date": "2025-12-31T22:30:00Z"})).lead_uid == "0000-000123/2026"


def test_russian_keys_and_goods_are_read() -> None:
    order = {
        "Номер": "7", "Дата": "2026-01-05", "Статус": "Новый", "Сумма": "4 990,50", "Телефон": "89991002030",
        "Контрагент": "Анна", "Товары": [{"Наименование": "Чай", "Количество": 2, "Сумма": "200,00"}],
    }  # fmt: skip
    lead = doors.lead_of("1c", sent(order))
    assert (lead.name, lead.phones, lead.lead_uid) == ("Анна", ("+79991002030",), "7/2026")
    assert lead.extra["order_items"] == "Чай × 2 = 200,00"
    paid = doors.payment_of("1c", sent({**order, "Оплачен": True}))
    assert (paid.amount, paid.currency) == (Decimal("4990.50"), "RUB")


@pytest.mark.parametrize(
    "body",
    [[ORDER, {**ORDER, "number": "2", "paid": True}], {"orders": [ORDER, {**ORDER, "number": "2", "paid": True}]}],
)
def test_several_orders_may_come_at_once(body: object) -> None:
    parsed = doors.taken("1c", sent(body))
    assert ([lead.extra["order_id"] for lead in parsed.leads], [one.order_id for one in parsed.payments]) == (
        ["0000-000123"],
        ["2"],
    )


def test_an_order_without_a_number_is_a_lead_all_the_same() -> None:
    lead = doors.lead_of("1c", sent({"phone": "89991002030", "paid": True}))
    assert (lead.lead_uid, lead.phones) == ("", ("+79991002030",))


def test_a_windows_1251_body_is_read() -> None:
    raw = json.dumps(ORDER, ensure_ascii=False).encode("cp1251")
    assert doors.lead_of("1c", inbound(raw)).name == "Анна Орлова"


def test_a_form_is_no_order() -> None:
    with pytest.raises(Unreadable):
        doors.taken("1c", inbound("number=1&phone=2"))
    assert doors.taken("1c", inbound(b"")) == Parsed()


# --- proofs --------------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_basic_authorization_with_cyrillic_is_taken() -> None:
    doors.taken("1c", sent(ORDER, Authorization=basic("обмен:п:ароль")), user="обмен", password="п:ароль")


@pytest.mark.parametrize(
    "given", ["", basic("u:x"), basic("u"), basic("x:p"), "Basic é", "Basic %%", "Bearer dTpw", basic(":")]
)
def test_a_wrong_or_missing_password_is_refused(given: str) -> None:
    for headers in ({"Authorization": given}, {}):
        with pytest.raises(Refused) as caught:
            doors.taken("1c", sent(ORDER, **headers), user="u", password="p")
        assert caught.value.status == 401


def test_token_and_password_must_both_hold_where_both_are_set() -> None:
    with pytest.raises(Refused):
        doors.taken("1c", sent(ORDER, Authorization=basic("u:p")), user="u", password="p", url_token="t")


@pytest.mark.parametrize("settings", [{"user": "u"}, {"password": "p"}, {"timezone": "Moon/Base"}])
def test_half_a_proof_or_an_unknown_zone_is_an_error_of_the_configuration(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        OnecSettings.model_validate(settings)
