import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed, Refused
from connectors.stripe.parse import major_units
from tests.support import form_doors as doors
from tests.support.requests import NOW, inbound

SECRET = "whsec_fakestripesigningsecret1"
STAMP = int(NOW.timestamp())


def proof(raw: bytes, stamp: int, secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), str(stamp).encode() + b"." + raw, "sha256").hex()


def signed(body: object, stamp: int = STAMP) -> Inbound:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return inbound(raw, headers={"Stripe-Signature": f"t={stamp},v1={proof(raw, stamp)}"})


def event(kind: str, **thing: Any) -> Inbound:
    return signed({"id": "evt_1", "type": kind, "created": 1767600000, "data": {"object": thing}})


# --- signature -----------------------------------------------------------------------------


def test_the_vector_of_the_fact_sheet() -> None:
    assert proof(b'{"a":1}', 1767600000, "whsec_test") == (
        "42e4129f74d88cd0dfaaa26b5f7ec207fc2950d701c996b99cd1e7d0dc72fddd"
    )


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_the_window_is_300_seconds_to_both_sides(seconds: int) -> None:
    doors.taken("stripe", signed({"type": "ping", "id": "evt"}, STAMP + seconds))


@pytest.mark.parametrize("seconds", [-301, 301, -86400])
def test_an_old_or_future_signature_is_refused(seconds: int) -> None:
    with pytest.raises(Refused):
        doors.taken("stripe", signed({"type": "ping", "id": "evt"}, STAMP + seconds))


def test_the_sample_cannot_be_replayed_later() -> None:
    request = doors.sample("stripe", "checkout-completed.http")
    doors.taken("stripe", request)
    with pytest.raises(Refused):
        doors.taken("stripe", replace(request, received_at=request.received_at + timedelta(seconds=301)))


def test_a_changed_time_is_refused_even_inside_the_window() -> None:
    request = signed({"type": "ping"})
    header = request.headers["stripe-signature"].replace(f"t={STAMP}", f"t={STAMP + 1}")
    with pytest.raises(Refused):
        doors.taken("stripe", replace(request, headers={"stripe-signature": header}))


def test_any_one_of_several_signatures_is_enough() -> None:
    """While a secret is rotated each event is signed with both."""
    request = signed({"type": "ping"})
    good = request.headers["stripe-signature"].partition("v1=")[2]
    for signatures in (f"v1={'0' * 64},v1={good}", f"v0={'1' * 64}, v1={good}", f"v1={good},v1=zzz"):
        doors.taken("stripe", replace(request, headers={"stripe-signature": f"t={STAMP},{signatures}"}))
    for signatures in (f"v0={good}", f"v1={'0' * 64}", ""):
        with pytest.raises(Refused):
            doors.taken("stripe", replace(request, headers={"stripe-signature": f"t={STAMP},{signatures}"}))


@pytest.mark.parametrize("header", ["t=,v1=a", "t=١٢٣,v1=a", "v1=a", "t=99999999999999999999,v1=a", ",,,=", "t"])
def test_a_header_of_any_shape_is_only_refused(header: str) -> None:
    with pytest.raises(Refused):
        doors.taken("stripe", inbound("{}", headers={"Stripe-Signature": header}))


# --- payments ------------------------------------------------------------------------------


def test_the_sample_session() -> None:
    found = doors.payment_of("stripe", doors.sample("stripe", "checkout-completed.http"))
    assert (found.payment_id, found.event_id, found.status) == (
        "cs_test_fake1", "evt_1FAKE0000000000000000001", "succeeded",
    )  # fmt: skip
    assert (found.amount, found.currency, found.order_id) == (Decimal("49.90"), "EUR", "lead-42")
    assert found.at == datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    assert found.lead is not None
    assert (found.lead.name, found.lead.phones) == ("Max Buyer", ("+493023125077",))
    assert found.lead.emails == ("buyer@example.test",)
    assert found.lead.extra == {"deal_id": "42", "client_reference_id": "lead-42"}


@pytest.mark.parametrize(
    ("code", "amount", "people_write"),
    [
        ("EUR", 4990, "49.90"), ("USD", 5, "0.05"), ("JPY", 4990, "4990"), ("KRW", 1, "1"), ("KWD", 5123, "5.123"),
        ("ISK", 500, "5.00"), ("UGX", 500, "5.00"), ("", 100, "1.00"), ("RUB", 0, "0.00"),
    ],
)  # fmt: skip
def test_amounts_are_exact_in_every_kind_of_currency(code: str, amount: int, people_write: str) -> None:
    assert str(major_units(amount, code)) == people_write


@pytest.mark.parametrize(
    ("kind", "thing", "status"),
    [
        ("checkout.session.completed", {"payment_status": "unpaid"}, "pending"),
        ("checkout.session.completed", {"payment_status": "no_payment_required"}, "succeeded"),
        ("checkout.session.async_payment_succeeded", {}, "succeeded"),
        ("checkout.session.async_payment_failed", {}, "canceled"),
        ("checkout.session.expired", {}, "canceled"),
        ("payment_intent.processing", {}, "pending"),
        ("payment_intent.payment_failed", {}, "pending"),
        ("payment_intent.succeeded", {}, "succeeded"),
        ("payment_intent.canceled", {}, "canceled"),
        ("invoice.paid", {}, "succeeded"),
        ("charge.refunded", {}, "refunded"),
    ],
)
def test_every_event_of_a_payment_has_its_status(kind: str, thing: dict[str, Any], status: str) -> None:
    assert doors.payment_of("stripe", event(kind, id="x_1", **thing)).status == status


def test_session_intent_and_refund_are_one_payment() -> None:
    told = [
        event("checkout.session.completed", id="cs_1", payment_intent="pi_1", amount_total=1000, currency="usd"),
        event("payment_intent.succeeded", id="pi_1", amount=1000, amount_received=1000, currency="usd"),
        event(
            "charge.refunded",
            id="ch_1",
            payment_intent={"id": "pi_1"},
            amount=1000,
            amount_refunded=400,
            currency="usd",
        ),
    ]
    payments = [doors.payment_of("stripe", one) for one in told]
    assert {payment.payment_id for payment in payments} == {"pi_1"}
    assert [payment.amount for payment in payments] == [Decimal("10.00"), Decimal("10.00"), Decimal("4.00")]


def test_an_intent_that_received_nothing_yet_has_the_amount_asked_for() -> None:
    found = doors.payment_of(
        "stripe", event("payment_intent.canceled", id="pi", amount=700, amount_received=0, currency="jpy")
    )
    assert found.amount == Decimal(700)


def test_the_order_is_what_the_metadata_names_before_the_reference() -> None:
    found = doors.payment_of(
        "stripe", event("payment_intent.succeeded", id="pi", metadata={"order_id": 7}, client_reference_id="r")
    )
    assert found.order_id == "7"


@pytest.mark.parametrize("kind", ["customer.created", "ping", "charge.succeeded", ""])
def test_other_events_make_nothing(kind: str) -> None:
    assert doors.taken("stripe", event(kind, id="x")) == Parsed()


def test_a_session_that_only_stores_a_card_makes_nothing() -> None:
    assert doors.taken("stripe", event("checkout.session.completed", id="cs", mode="setup")) == Parsed()
