"""The API of YooKassa: what counts is what is read there."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.doors import Parsed
from connectors.errors import AuthError, NoAccessError
from connectors.events import Errand
from connectors.yookassa import SOURCE
from tests.support import form_doors as doors
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, FakeVendor, opened

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
PAYMENT: dict[str, Any] = json.loads(doors.sample("yookassa", "payment-succeeded.http").body)["object"]
ERRAND = Errand("yookassa_payment", "x", {"object_id": PAYMENT["id"], "event": "payment.succeeded"})


def link(vendor: FakeVendor, **settings: Any) -> Any:
    return opened(SOURCE, vendor, NOW, **{"shop_id": "100500", "secret_key": "key-of-the-tests", **settings})


@virtual
async def test_the_payment_read_is_the_one_of_the_notification() -> None:
    vendor = FakeVendor(lambda asked: PAYMENT)
    (read,) = (await link(vendor).fetch(ERRAND)).payments
    (told,) = doors.taken("yookassa", doors.sample("yookassa", "payment-succeeded.http")).payments
    assert (read.payment_id, read.event_id, read.amount) == (told.payment_id, told.event_id, told.amount)
    assert vendor.last.path == f"/v3/payments/{PAYMENT['id']}"
    login = base64.b64decode(vendor.last.headers["authorization"].removeprefix("Basic ")).decode()
    assert login == "100500:key-of-the-tests"


@virtual
async def test_a_claim_that_the_api_does_not_bear_out_is_what_the_api_says() -> None:
    (read,) = (await link(FakeVendor(lambda asked: {**PAYMENT, "status": "pending"})).fetch(ERRAND)).payments
    assert read.status == "pending"
    assert await link(FakeVendor(lambda asked: {**PAYMENT, "status": "odd"})).fetch(ERRAND) == Parsed()


@virtual
async def test_a_refund_is_read_as_one() -> None:
    refund = {"id": "r-1", "payment_id": "p-1", "status": "succeeded", "amount": {"value": "10.00", "currency": "RUB"}}
    vendor = FakeVendor(lambda asked: refund)
    told = Errand("yookassa_payment", "y", {"object_id": "r-1", "event": "refund.succeeded"})
    (read,) = (await link(vendor).fetch(told)).payments
    assert (read.payment_id, read.status, read.amount) == ("p-1", "refunded", Decimal("10.00"))
    assert vendor.last.path == "/v3/refunds/r-1"


@pytest.mark.parametrize(("lacking", "given"), [("secret_key", None), ("shop_id", "")])
def test_what_the_settings_lack_is_named(lacking: str, given: Any) -> None:
    @virtual
    async def ask() -> None:
        with pytest.raises(NoAccessError, match=f"no {lacking} in the settings of source pbx"):
            await link(FakeVendor(lambda asked: PAYMENT), **{lacking: given}).fetch(ERRAND)

    ask()


@virtual
async def test_a_wrong_key_is_a_matter_of_access() -> None:
    with pytest.raises(AuthError):
        await link(FakeVendor(lambda asked: Answer(401, {"type": "error"}))).fetch(ERRAND)
