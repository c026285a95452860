import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, Refused, Unreadable
from connectors.events import Errand
from connectors.yookassa import YookassaSettings
from tests.support import form_doors as doors
from tests.support.requests import inbound

PAYMENT = "22d6d597-000f-5000-9000-145f6df20001"


def notice(event: str, **changes: Any) -> Inbound:
    request = doors.sample("yookassa", "payment-succeeded.http")
    body = json.loads(request.body)
    return replace(request, body=json.dumps({**body, "event": event, "object": {**body["object"], **changes}}).encode())


def test_the_sample_payment() -> None:
    parsed = doors.taken("yookassa", doors.sample("yookassa", "payment-succeeded.http"))
    (found,) = parsed.payments
    assert (found.payment_id, found.event_id) == (PAYMENT, f"{PAYMENT}:payment.succeeded")
    assert (found.status, found.amount, found.currency) == ("succeeded", Decimal("4990.00"), "RUB")
    assert (found.order_id, found.description) == ("72", "Заказ 72")
    assert found.at == datetime(2026, 1, 5, 8, 1, tzinfo=UTC)
    assert found.lead is not None
    assert (found.lead.phones, found.lead.extra) == (("+79990001122",), {"deal_id": "72"})
    assert parsed.errands == ()


@pytest.mark.parametrize(("trusted", "believed"), [("77.75.156.11", 1), ((), 0)])
def test_with_the_key_of_the_shop_the_payment_is_read_again(trusted: object, believed: int) -> None:
    """And one whose sender is not proven is not believed before."""
    request = doors.sample("yookassa", "payment-succeeded.http")
    parsed = doors.taken("yookassa", request, secret_key="key-of-the-tests", trusted_ip=trusted)
    assert len(parsed.payments) == believed
    told = {"payment_id": PAYMENT, "object_id": PAYMENT, "event": "payment.succeeded"}
    assert parsed.errands == (Errand("yookassa_payment", f"{PAYMENT}:payment.succeeded", told),)


@pytest.mark.parametrize(
    ("event", "status"),
    [("payment.waiting_for_capture", "pending"), ("payment.canceled", "canceled"), ("payment.succeeded", "succeeded")],
)
def test_every_event_has_its_status(event: str, status: str) -> None:
    assert doors.payment_of("yookassa", notice(event)).status == status


def test_a_refund_is_of_its_payment() -> None:
    found = doors.payment_of(
        "yookassa",
        notice("refund.succeeded", id="r-1", payment_id=PAYMENT, amount={"value": "100.50", "currency": "RUB"}),
    )
    assert (found.payment_id, found.event_id, found.status) == (PAYMENT, "r-1:refund.succeeded", "refunded")
    assert found.amount == Decimal("100.50")


@pytest.mark.parametrize("event", ["payout.succeeded", "deal.closed", "payment_method.active", ""])
def test_other_events_make_nothing(event: str) -> None:
    assert doors.taken("yookassa", notice(event)) == Parsed()


@pytest.mark.parametrize("address", ["77.75.156.12", "127.0.0.1", "", "::1", "unknown", "77.75.156.11, 1.2.3.4"])
def test_another_sender_is_refused_whatever_it_claims_in_headers(address: str) -> None:
    request = replace(doors.sample("yookassa", "payment-succeeded.http"), remote_ip=address)
    assert request.headers["x-forwarded-for"] == "77.75.156.11"
    with pytest.raises(Refused) as caught:
        doors.taken("yookassa", request)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("trusted", "address"),
    [
        ("yookassa", "185.71.76.31"), ("yookassa", "77.75.153.127"), ("yookassa", "2a02:5180:0:2669::9"),
        (["10.0.0.0/8", "::1"], "::1"), ("10.0.0.1/8", "10.9.9.9"), ("77.75.156.11", "::ffff:77.75.156.11"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.2"),
    ],
)  # fmt: skip
def test_trusted_addresses_may_be_a_network_a_list_or_the_vendors_own(trusted: object, address: str) -> None:
    request = replace(doors.sample("yookassa", "payment-succeeded.http"), remote_ip=address)
    assert doors.taken("yookassa", request, trusted_ip=trusted).payments


@pytest.mark.parametrize("address", ["185.71.76.32", "77.75.153.128", "77.75.156.12", "2a02:5180:0:2670::9"])
def test_the_vendors_list_ends_where_it_ends(address: str) -> None:
    with pytest.raises(Refused):
        doors.taken("yookassa", replace(notice("payment.succeeded"), remote_ip=address), trusted_ip="yookassa")


def test_without_a_list_the_address_does_not_matter() -> None:
    request = replace(notice("payment.succeeded"), remote_ip="203.0.113.7")
    assert doors.taken("yookassa", request, trusted_ip=()).payments


def test_a_list_that_cannot_be_read_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ValidationError):
        YookassaSettings.model_validate({"trusted_ip": "77.75.156"})


def test_the_shops_number_may_be_a_number_in_the_configuration() -> None:
    assert doors.taken("yookassa", notice("payment.succeeded"), shop_id=100500).payments


def test_another_shops_event_is_refused() -> None:
    with pytest.raises(Refused):
        doors.taken("yookassa", notice("payment.succeeded", recipient={"account_id": "100501"}))
    assert doors.taken("yookassa", notice("payment.succeeded", recipient=None)).payments


def test_payer_of_the_metadata_is_known_by_every_name() -> None:
    found = doors.payment_of(
        "yookassa",
        notice("payment.succeeded", metadata={"order_id": 9, "email": "A@b.test", "name": "Аня", "utm_source": "VK"}),
    )
    assert found.order_id == "9"
    assert found.lead is not None
    assert (found.lead.name, found.lead.emails, found.lead.utm) == ("Аня", ("a@b.test",), {"utm_source": "vk"})


@pytest.mark.parametrize("thing", [{}, {"id": None}, [1], "x"])
def test_a_payment_without_an_id_is_unreadable_and_not_dropped(thing: object) -> None:
    body = json.dumps({"type": "notification", "event": "payment.succeeded", "object": thing})
    with pytest.raises(Unreadable):
        doors.taken("yookassa", inbound(body, remote_ip="77.75.156.11"))
