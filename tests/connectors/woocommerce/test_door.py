import base64
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.doors import Inbound, Parsed, Refused
from tests.support import form_doors as doors
from tests.support.requests import inbound

ORDER = {
    "id": 727, "number": "1727", "status": "processing", "currency": "GBP", "total": "29.35",
    "date_modified_gmt": "2026-01-05T11:05:00", "customer_note": "Ring twice",
    "billing": {"first_name": "John", "last_name": "Doe", "email": "john.d@example.test", "phone": "020 7183 8750",
                "country": "GB", "company": "Acme", "city": "London"},
    "line_items": [{"name": "Kit", "quantity": 2, "total": "20.00", "sku": "K-1"}, {"name": "Box", "quantity": 1}],
}  # fmt: skip


def signed(body: object, topic: str = "order.created") -> Inbound:
    raw = json.dumps(body).encode()
    signature = base64.b64encode(hmac.digest(b"fake-woo-secret-1", raw, "sha256")).decode()
    return inbound(raw, headers={"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": signature})


def test_the_sample_order() -> None:
    found = doors.lead_of("woocommerce", doors.sample("woocommerce", "order-created.http"))
    assert (found.lead_uid, found.name) == ("727", "John Doe")
    assert (found.phones, found.emails) == (("+442071838750",), ("john.d@example.test",))
    assert found.utm == {"utm_source": "google"}
    assert found.extra == {
        "order_id": "727", "order_status": "processing", "order_amount": "29.35", "order_currency": "GBP",
        "address": "GB",
    }  # fmt: skip
    assert found.flags == ()


def test_a_new_order_tells_what_was_bought() -> None:
    found = doors.lead_of("woocommerce", signed(ORDER))
    assert (found.company, found.comment) == ("Acme", "Ring twice")
    assert found.extra["order_items"] == "Kit (K-1) × 2 = 20.00; Box × 1"
    assert (found.lead_uid, found.extra["order_id"]) == ("727", "1727")


def test_attribution_of_an_organic_visit_is_no_ad() -> None:
    meta = {"utm_source": "google", "utm_medium": "organic", "utm_campaign": "(none)", "source_type": "organic",
            "session_entry": "https://shop.example.test/kit", "referrer": "https://www.google.com/"}  # fmt: skip
    body = {
        **ORDER,
        "meta_data": [{"key": f"_wc_order_attribution_{key}", "value": text} for key, text in meta.items()],
    }
    found = doors.lead_of("woocommerce", signed(body))
    assert found.touch is not None
    assert (found.touch.channel, found.utm) == ("organic", {"utm_source": "google", "utm_medium": "organic"})
    assert found.touch.landing_page == "https://shop.example.test/kit"


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ("pending", "pending"), ("on-hold", "pending"), ("processing", "succeeded"), ("completed", "succeeded"),
        ("cancelled", "canceled"), ("failed", "canceled"), ("refunded", "refunded"), ("own-status", "pending"),
    ],
)  # fmt: skip
def test_a_changed_order_is_a_payment(status: str, means: str) -> None:
    found = doors.payment_of("woocommerce", signed({**ORDER, "status": status}, "order.updated"))
    assert (found.payment_id, found.event_id, found.status) == ("727", f"727:{status}", means)
    assert (found.amount, found.currency, found.order_id) == (Decimal("29.35"), "GBP", "1727")
    assert found.at == datetime(2026, 1, 5, 11, 5, tzinfo=UTC)
    assert found.lead is not None
    assert found.lead.phones == ("+442071838750",)


def test_the_first_unsigned_ping_is_answered_and_makes_nothing() -> None:
    assert doors.taken("woocommerce", inbound("webhook_id=5")) == Parsed()


@pytest.mark.parametrize("body", ["webhook_id=5&x=1", "webhook_id=", "webhook_id=a", "webhook_id=5\nname=x", ""])
def test_nothing_else_may_come_unsigned(body: str) -> None:
    with pytest.raises(Refused):
        doors.taken("woocommerce", inbound(body))


def test_a_ping_with_a_wrong_signature_is_refused() -> None:
    with pytest.raises(Refused):
        doors.taken("woocommerce", inbound("webhook_id=5", headers={"X-WC-Webhook-Signature": "AAAA"}))


@pytest.mark.parametrize("topic", ["order.deleted", "order.restored", "customer.created", "product.updated"])
def test_other_topics_make_nothing(topic: str) -> None:
    assert doors.taken("woocommerce", signed(ORDER, topic)) == Parsed()


def test_the_country_of_the_buyer_counts_before_the_sources_region() -> None:
    american = {**ORDER, "billing": {**ORDER["billing"], "country": "US", "phone": "(202) 555-0143"}}  # type: ignore[dict-item]  # a dict
    assert doors.lead_of("woocommerce", signed(american), region="GB").phones == ("+12025550143",)
    unknown = {**ORDER, "billing": {"phone": "8 999 200-30-50"}}
    assert doors.lead_of("woocommerce", signed(unknown)).phones == ("+79992003050",)
