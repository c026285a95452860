"""The vendor's own SDK (b24pysdk) works against the sandbox over real HTTPS."""

import asyncio
import gc
from typing import Any

import pytest
from b24pysdk import BitrixApp, BitrixToken, BitrixWebhook, Client
from b24pysdk.errors import (
    BitrixAPIBadRequest,
    BitrixAPIExpiredToken,
    BitrixAPIInvalidArgValue,
    BitrixAPIInvalidCredentials,
    BitrixAPIInvalidToken,
    BitrixAPINotFound,
    BitrixAPIOperationTimeLimit,
    BitrixAPIQueryLimitExceeded,
)

from connectors.base import Rate
from tests.connectors.sandbox_bitrix24.conftest import SecurePortal


def client_of(portal: SecurePortal, secret: str = "sandbox", **options: Any) -> Client:
    token = BitrixWebhook(domain=portal.domain, webhook_token=f"1/{secret}")
    return Client(token, timeout=10, **options)


async def test_records_are_made_read_changed_and_deleted(secure: SecurePortal) -> None:
    def work() -> None:
        crm = client_of(secure).crm
        phone = {"VALUE": "8 916 123-45-67", "VALUE_TYPE": "WORK"}
        contact = crm.contact.add(fields={"NAME": "Иван", "PHONE": [phone]})
        assert contact.result == 1
        deal = crm.deal.add(fields={"TITLE": "Окна", "CONTACT_ID": 1, "OPPORTUNITY": 1000, "NO_SUCH_FIELD": "x"})
        assert deal.result == 1
        row = crm.deal.get(bitrix_id=1).result
        assert (row["ID"], row["OPPORTUNITY"], row["CONTACT_ID"], row["CLOSED"]) == ("1", "1000.00", "1", "N")
        assert "NO_SUCH_FIELD" not in row
        assert crm.deal.update(bitrix_id=1, fields={"STAGE_ID": "WON"}).result is True
        assert crm.deal.get(bitrix_id=1).result["STAGE_SEMANTIC_ID"] == "S"
        assert crm.deal.delete(bitrix_id=1).result is True
        with pytest.raises(BitrixAPIBadRequest):
            _ = crm.deal.get(bitrix_id=1).result

    await asyncio.to_thread(work)
    assert secure.sandbox.contacts["1"]["PHONE"][0]["VALUE"] == "8 916 123-45-67"
    assert not secure.sandbox.deals


async def test_lists_are_paged_and_read_whole(secure: SecurePortal) -> None:
    for number in range(130):
        secure.sandbox.crm.save("deal", {"TITLE": f"Сделка {number}"})

    def work() -> None:
        crm = client_of(secure).crm
        first = crm.deal.list(select=["ID", "TITLE"])
        assert (len(first.result), first.response.next, first.response.total) == (50, 50, 130)
        everything = crm.deal.list(select=["ID"]).as_list().result
        assert sorted(int(row["ID"]) for row in everything) == list(range(1, 131))
        fast = list(crm.deal.list(select=["ID"]).as_list_fast().result)
        assert [int(row["ID"]) for row in fast] == list(range(1, 131))

    await asyncio.to_thread(work)


async def test_the_new_methods_and_look_ups(secure: SecurePortal) -> None:
    def work() -> None:
        client = client_of(secure)
        token = BitrixWebhook(domain=secure.domain, webhook_token="1/sandbox")
        fields = {"title": "Окна", "originatorId": "leadhub", "originId": "l1:deal"}
        made = token.call_method("crm.item.add", {"entityTypeId": 2, "fields": fields})
        assert made["result"]["item"]["id"] == 1
        params = {"entityTypeId": 2, "filter": {"=originId": "l1:deal"}, "select": ["id", "originId"], "start": -1}
        found = token.call_method("crm.item.list", params)
        assert found["result"]["items"] == [{"id": 1, "originId": "l1:deal"}]
        with pytest.raises(BitrixAPIInvalidArgValue):
            token.call_method("crm.item.list", {"entityTypeId": 2, "filter": {"=noSuch": "1"}})
        with pytest.raises(BitrixAPINotFound):
            token.call_method("crm.no.such.method")
        client.crm.contact.add(fields={"NAME": "Иван", "PHONE": [{"VALUE": "+79161234567"}]}).result  # noqa: B018
        hits = client.crm.duplicate.findbycomm("PHONE", ["89161234567"], entity_type="CONTACT").result
        assert hits == {"CONTACT": [1]}
        assert client.crm.duplicate.findbycomm("PHONE", ["9161234567"], entity_type="CONTACT").result == []
        assert client.crm.settings.mode.get().result == 2
        assert {row["STATUS_ID"] for row in client.crm.status.list(filter={"ENTITY_ID": "SOURCE"}).result} >= {"WEB"}
        assert [row["ID"] for row in client.user.get(filter={"ACTIVE": True}).result] == ["1", "7", "12"]

    await asyncio.to_thread(work)


async def test_comments_and_to_dos(secure: SecurePortal) -> None:
    secure.sandbox.crm.save("deal", {"TITLE": "Окна"})

    def work() -> None:
        crm = client_of(secure).crm
        assert crm.timeline.comment.add({"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "Привет"}).result == 1
        rows = crm.timeline.comment.list(filter={"ENTITY_TYPE": "deal", "ENTITY_ID": 1}).result
        assert [row["COMMENT"] for row in rows] == ["Привет"]
        # The SDK's own `todo.add` hands a datetime to JSON, which refuses it.
        token = BitrixWebhook(domain=secure.domain, webhook_token="1/sandbox")
        params = {"ownerTypeId": 2, "ownerId": 1, "deadline": "2026-11-24T11:17:00+00:00", "responsibleId": 7}
        assert token.call_method("crm.activity.todo.add", params)["result"] == {"id": 1}
        with pytest.raises(BitrixAPIBadRequest):
            token.call_method("crm.activity.todo.add", {**params, "ownerId": 99})
        with pytest.raises(BitrixAPIBadRequest):
            token.call_method("crm.activity.todo.add", {**params, "deadline": "tomorrow"})

    await asyncio.to_thread(work)
    assert secure.sandbox.activities["1"]["RESPONSIBLE_ID"] == "7"


async def test_a_batch_runs_in_order_and_refers_to_results(secure: SecurePortal) -> None:
    def work() -> dict[str, Any]:
        token = BitrixWebhook(domain=secure.domain, webhook_token="1/sandbox")
        answer = token.call_batch(
            {
                "c": ("crm.contact.add", {"fields": {"NAME": "Иван & Ко", "PHONE": [{"VALUE": "+79161234567"}]}}),
                "d": ("crm.deal.add", {"fields": {"TITLE": "Окна", "CONTACT_ID": "$result[c]"}}),
                "x": ("crm.deal.get", {"id": 99}),
            }
        )
        return dict(answer["result"])

    result = await asyncio.to_thread(work)
    assert result["result"] == {"c": 1, "d": 1}
    assert result["result_error"]["x"] == {"error": "", "error_description": "Not found"}
    assert secure.sandbox.contacts["1"]["NAME"] == "Иван & Ко"
    assert secure.sandbox.deals["1"]["CONTACT_ID"] == "1"


async def test_refusals_are_the_errors_that_the_sdk_knows(secure: SecurePortal) -> None:
    app = BitrixApp(client_id="local.sandbox", client_secret="sandbox-secret")
    access, refresh = secure.sandbox.authority.pair()

    def oauth(token: str) -> BitrixToken:
        class Plain(BitrixToken):
            _AUTO_REFRESH_EXPIRED_TOKEN = False

        return Plain(domain=secure.domain, auth_token=token, refresh_token=refresh, bitrix_app=app)

    def work() -> None:
        with pytest.raises(BitrixAPIInvalidCredentials):
            _ = client_of(secure, "wrong").profile().result
        assert oauth(access).call_method("profile")["result"]["ID"] == "1"
        with pytest.raises(BitrixAPIInvalidToken):
            oauth("no-such-token").call_method("profile")
        secure.sandbox.authority.expire()
        with pytest.raises(BitrixAPIExpiredToken):
            oauth(access).call_method("profile")
        with pytest.raises(BitrixAPIBadRequest):
            _ = client_of(secure).crm.contact.add(fields={"NAME": "X", "EMAIL": [{"VALUE": "not an address"}]}).result

    await asyncio.to_thread(work)


async def test_limits_are_the_errors_that_the_sdk_knows(secure: SecurePortal) -> None:
    secure.sandbox.rate = Rate(3, leak_per_s=0.001)

    def too_fast() -> None:
        client = client_of(secure, max_retries=1)
        for _ in range(3):
            _ = client.profile().result
        with pytest.raises(BitrixAPIQueryLimitExceeded):
            _ = client.profile().result

    await asyncio.to_thread(too_fast)
    secure.sandbox.rate = None
    secure.sandbox.operating_limit_s, secure.sandbox.call_cost_s = 2.0, 1.0

    def too_long() -> None:
        client = client_of(secure)
        answer = client.crm.deal.list().response
        assert answer.time.operating == 1.0
        _ = client.crm.deal.list().result
        with pytest.raises(BitrixAPIOperationTimeLimit):
            _ = client.crm.deal.list().result
        _ = client.crm.contact.list().result  # each method has its own account

    await asyncio.to_thread(too_long)


async def test_a_moved_portal_is_followed_by_the_sdk(secure: SecurePortal) -> None:
    token = BitrixWebhook(domain=secure.domain, webhook_token="1/sandbox")
    secure.sandbox.moved_to = "https://127.0.0.1:1"

    def work() -> str:
        with pytest.raises(Exception, match=r"(?i)connection|refused|request"):
            token.call_method("profile")
        return str(token.domain)

    assert await asyncio.to_thread(work) == "127.0.0.1", "the SDK takes the host of Location, without its port"
    gc.collect()  # the SDK's error holds the first connection open, and TLS is not shut down by one side alone
