"""The API of MoySklad: what a webhook linked to."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.doors import Parsed
from connectors.errors import NoAccessError, PermanentError, RateLimitedError
from connectors.events import Errand
from connectors.links import Fetches
from connectors.moysklad import SOURCE
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, FakeVendor, opened

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
API = "https://api.moysklad.ru/api/remap/1.2"
ORDER: dict[str, Any] = {
    "id": "75c896d0-db16-11eb-c0a8-000000000001",
    "name": "00042",
    "created": "2026-01-05 15:51:16.000",
    "updated": "2026-01-05 16:01:16.000",
    "sum": 1200000.0,
    "payedSum": 0.0,
    "description": "Привезти до пятницы",
    "state": {"name": "Новый"},
    "rate": {"currency": {"isoCode": "RUB"}},
    "agent": {"id": "a-1", "name": "Мария Иванова", "phone": "8 (916) 000-00-01", "email": "Maria@example.ru"},
    "positions": {"rows": [{"quantity": 2.0, "assortment": {"name": "Окно"}}]},
}


def errand(kind: str = "customerorder", action: str = "CREATE", href: str = "") -> Errand:
    return Errand("moysklad", "k", {"type": kind, "action": action, "href": href or f"{API}/entity/{kind}/1"})


def link(vendor: FakeVendor, **settings: Any) -> Any:
    return opened(SOURCE, vendor, NOW, **{"access_token": "token-of-the-tests", **settings})


@virtual
async def test_a_new_order_is_a_lead_of_its_buyer() -> None:
    vendor = FakeVendor(lambda asked: ORDER)
    made = link(vendor)
    assert isinstance(made, Fetches)
    parsed = await made.fetch(errand())
    (lead,) = parsed.leads
    assert (lead.name, lead.phones, lead.emails) == ("Мария Иванова", ("+79160000001",), ("maria@example.ru",))
    assert lead.lead_uid == f"order:{ORDER['id']}"
    assert lead.extra["order_id"] == "00042"
    assert lead.extra["order_amount"] == "12000.00"
    assert lead.extra["order_items"] == "Окно × 2"
    assert parsed.payments == ()
    assert vendor.last.headers["authorization"] == "Bearer token-of-the-tests"
    assert vendor.last.headers["accept-encoding"] == "gzip"
    assert vendor.last.path == "/api/remap/1.2/entity/customerorder/1"


@pytest.mark.parametrize(("paid", "status"), [(500000.0, "pending"), (1200000.0, "succeeded")])
def test_an_order_that_was_paid_is_a_payment_and_no_second_lead(paid: float, status: str) -> None:
    @virtual
    async def ask() -> None:
        parsed = await link(FakeVendor(lambda asked: {**ORDER, "payedSum": paid})).fetch(errand(action="UPDATE"))
        assert parsed.leads == ()
        (payment,) = parsed.payments
        assert (payment.status, payment.amount, payment.currency) == (status, Decimal(paid) / 100, "RUB")
        assert (payment.payment_id, payment.order_id) == (ORDER["id"], "00042")
        assert payment.lead is not None
        assert payment.lead.phones == ("+79160000001",)

    ask()


@virtual
async def test_a_payment_names_its_order() -> None:
    incoming = {
        "id": "p-1",
        "sum": 50000.0,
        "moment": "2026-01-05 16:00:00.000",
        "agent": ORDER["agent"],
        "paymentPurpose": "Аванс",
        "operations": [{"name": "00042", "meta": {"type": "customerorder", "href": f"{API}/entity/customerorder/1"}}],
    }
    (payment,) = (await link(FakeVendor(lambda asked: incoming)).fetch(errand("paymentin"))).payments
    assert (payment.payment_id, payment.order_id, payment.amount) == ("p-1", "00042", Decimal("500.00"))
    assert payment.at == datetime(2026, 1, 5, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "nothing",
    [errand("counterparty"), errand(action="DELETE"), errand(href="https://evil.example.com/entity/customerorder/1")],
)
def test_what_is_no_enquiry_is_not_asked_for(nothing: Errand) -> None:
    vendor = FakeVendor(lambda asked: ORDER)

    @virtual
    async def ask() -> None:
        assert await link(vendor, access_token=None).fetch(nothing) == Parsed()

    ask()
    assert vendor.asked == []


@virtual
async def test_the_missing_token_is_named() -> None:
    with pytest.raises(NoAccessError, match="no access_token in the settings of source pbx"):
        await link(FakeVendor(lambda asked: ORDER), access_token=None).fetch(errand())


@virtual
async def test_the_wait_of_a_limit_is_in_milliseconds() -> None:
    slow = Answer(429, {"errors": []}, {"X-Lognex-Retry-After": "1500"})
    with pytest.raises(RateLimitedError) as caught:
        await link(FakeVendor(lambda asked: slow)).fetch(errand())
    assert caught.value.retry_after_s == 1.5


@virtual
async def test_what_was_deleted_meanwhile_is_gone() -> None:
    with pytest.raises(PermanentError) as caught:
        await link(FakeVendor(lambda asked: Answer(404, {"errors": []}))).fetch(errand())
    assert caught.value.gone
