import base64
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed
from tests.support import form_doors as doors
from tests.support.requests import inbound

ORDER: dict[str, Any] = json.loads(doors.sample("shopify", "orders-create.http").body)


def signed(body: object, topic: str = "orders/create", **headers: str) -> Inbound:
    raw = json.dumps(body).encode()
    digest = base64.b64encode(hmac.digest(b"fake-shopify-client-secret-1", raw, "sha256")).decode()
    told = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-SHA256": digest,
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return inbound(raw, headers=told)


def test_the_sample_order() -> None:
    found = doors.lead_of("shopify", doors.sample("shopify", "orders-create.http"))
    assert (found.lead_uid, found.name) == ("820982911946154500", "Kate Lee")
    assert (found.phones, found.emails) == (("+12025550122",), ("kate@example.test",))
    assert found.utm == {"utm_source": "google", "utm_medium": "cpc"}
    assert (found.click_ids, found.referrer) == ({"gclid": "FakeG1"}, "https://www.google.com/")
    assert found.extra == {
        "order_id": "#1001", "order_status": "paid", "order_amount": "199.00", "order_currency": "USD",
        "order_items": "Kit × 1 = 199.00",
    }  # fmt: skip
    assert found.touch is not None
    assert found.touch.landing_page == "https://demo.myshopify.com/?utm_source=google&utm_medium=cpc&gclid=FakeG1"
    assert (found.touch.channel, found.flags) == ("ad", ())


def test_notes_of_the_cart_and_addresses_are_read() -> None:
    body = {
        "id": 1, "note": "Leave at the door", "landing_site": None, "customer": None,
        "note_attributes": [{"name": "roistat_visit", "value": "77"}, {"name": "gift", "value": "yes"}, {"value": "x"}],
        "billing_address": {"name": "Ann Lee", "company": "Acme", "phone": "020 7183 8750", "country_code": "GB"},
        "line_items": [{"title": "Kit", "variant_title": "Red", "sku": "K-1", "quantity": 2, "price": "5.00"}],
    }  # fmt: skip
    found = doors.lead_of("shopify", signed(body))
    assert (found.name, found.company, found.phones) == ("Ann Lee", "Acme", ("+442071838750",))
    assert (found.comment, found.click_ids) == ("Leave at the door", {"roistat_visit": "77"})
    assert found.extra == {"gift": "yes", "order_id": "1", "order_items": "Kit (Red, K-1) × 2 = 10.00"}


@pytest.mark.parametrize(
    ("topic", "changes", "status"),
    [
        ("orders/paid", {}, "succeeded"), ("orders/paid", {"financial_status": "authorized"}, "succeeded"),
        ("orders/updated", {"financial_status": "pending"}, "pending"),
        ("orders/updated", {"financial_status": "partially_paid"}, "pending"),
        ("orders/updated", {"financial_status": "refunded"}, "refunded"),
        ("orders/updated", {"financial_status": "voided"}, "canceled"),
        ("orders/updated", {"cancelled_at": "2026-01-06T00:00:00Z"}, "canceled"),
        ("orders/cancelled", {}, "canceled"), ("orders/cancelled", {"financial_status": "refunded"}, "refunded"),
    ],
)  # fmt: skip
def test_a_changed_order_is_a_payment(topic: str, changes: dict[str, Any], status: str) -> None:
    request = signed({**ORDER, **changes}, topic, X_Shopify_Webhook_Id="w-1")
    found = doors.payment_of("shopify", request)
    assert (found.payment_id, found.event_id, found.status) == ("820982911946154500", "w-1", status)
    assert (found.amount, found.currency, found.order_id) == (Decimal("199.00"), "USD", "#1001")
    assert found.at == datetime(2026, 1, 5, 11, 0, tzinfo=UTC)
    assert found.lead is not None
    assert found.lead.emails == ("kate@example.test",)


def test_without_the_vendors_id_the_event_is_named_by_its_content() -> None:
    body = {**ORDER, "updated_at": "2026-01-06T00:00:00Z"}
    first, second = (
        doors.payment_of("shopify", signed(one, "orders/updated")) for one in (body, {**body, "updated_at": "x"})
    )
    assert first.event_id == "820982911946154500:updated:paid:2026-01-06T00:00:00Z"
    assert second.event_id != first.event_id


def test_a_refund_is_of_its_order() -> None:
    done = [("refund", "19.00"), ("refund", "1.50"), ("void", "9")]
    transactions = [{"kind": kind, "amount": amount, "currency": "USD"} for kind, amount in done]
    body = {"id": 5, "order_id": 820982911946154500, "note": "Broken", "transactions": transactions}
    found = doors.payment_of("shopify", signed(body, "refunds/create"))
    assert (found.payment_id, found.status, found.amount) == ("820982911946154500", "refunded", Decimal("20.50"))
    assert (found.currency, found.description, found.event_id) == ("USD", "Broken", "820982911946154500:refund:5")


@pytest.mark.parametrize(
    "topic", ["customers/create", "orders/delete", "products/update", "app/uninstalled", "checkouts/create"]
)
def test_other_topics_make_nothing(topic: str) -> None:
    assert doors.taken("shopify", signed(ORDER, topic)) == Parsed()


def test_the_shops_own_test_makes_nothing() -> None:
    assert doors.taken("shopify", signed(ORDER, X_Shopify_Test="true")) == Parsed()


def test_ids_keep_every_digit() -> None:
    assert doors.lead_of("shopify", signed({**ORDER, "id": 9007199254740993})).lead_uid == "9007199254740993"
