"""Every way in which a vendor fails, and what each means for a read and for a write."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.base import NoteDraft, TaskDraft
from connectors.errors import (
    AuthError,
    ConnectorError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.sandbox.base import FaultKind
from tests.connectors.amocrm.support import IVAN, Connected, connected, deal

OUTCOMES: list[tuple[FaultKind, type[ConnectorError], type[ConnectorError]]] = [
    ("500", RetryableError, UnknownOutcomeError),
    ("500_after", RetryableError, UnknownOutcomeError),
    ("502", RetryableError, UnknownOutcomeError),
    ("503", RetryableError, UnknownOutcomeError),
    ("504_late", RetryableError, UnknownOutcomeError),
    ("429", RateLimitedError, RateLimitedError),
    ("401", AuthError, AuthError),
    ("hang", RetryableError, UnknownOutcomeError),
    ("reset", RetryableError, UnknownOutcomeError),
    ("reset_after", RetryableError, UnknownOutcomeError),
    ("html200", RetryableError, UnknownOutcomeError),
    ("truncated", RetryableError, UnknownOutcomeError),
    ("down", RetryableError, UnknownOutcomeError),
]
READS: dict[str, Callable[[Connected, str, str], Awaitable[Any]]] = {
    "find contact": lambda x, contact, deal_id: x.crm.find_contact(IVAN.phones, (), "k"),
    "open deal": lambda x, contact, deal_id: x.crm.open_deal(contact),
    "deal state": lambda x, contact, deal_id: x.crm.deal_state(deal_id),
    "find created": lambda x, contact, deal_id: x.crm.find_created(deal(contact), x.hint(contact)),
    "read back": lambda x, contact, deal_id: x.crm.read_back((deal_id,), x.clock.now(), x.clock.now()),
    "update deal": lambda x, contact, deal_id: x.crm.update_deal(deal_id, {"620002": "ул. Ленина"}),
    "tag deal": lambda x, contact, deal_id: x.crm.tag_deal(deal_id, ("счёт",)),
    "reopen deal": lambda x, contact, deal_id: x.crm.reopen_deal(deal_id, "7700001", "77000011"),
}
WRITES: dict[str, Callable[[Connected, str, str], Awaitable[Any]]] = {
    "contact": lambda x, contact, deal_id: x.crm.create(IVAN),
    "deal": lambda x, contact, deal_id: x.crm.create(deal(contact, "lead-2")),
    "note": lambda x, contact, deal_id: x.crm.create(NoteDraft("n", "text", deal_id)),
    "task": lambda x, contact, deal_id: x.crm.create(TaskDraft("t", "text", x.clock.now(), deal_id)),
}


@pytest.mark.parametrize(("kind", "outcome"), [(kind, read) for kind, read, _ in OUTCOMES])
async def test_a_read_that_fails_may_be_repeated(kind: FaultKind, outcome: type[ConnectorError]) -> None:
    """Idempotent PATCHes count as reads: repeating them is safe."""
    for name, read in READS.items():
        async with connected() as x:
            contact_id = await x.crm.create(IVAN)
            deal_id = await x.crm.create(deal(contact_id))
            x.fail(kind, "")
            with pytest.raises(ConnectorError) as caught:
                await read(x, contact_id, deal_id)
            assert type(caught.value) is outcome, name
            assert "916" not in str(caught.value)


@pytest.mark.parametrize(("kind", "outcome"), [(kind, write) for kind, _, write in OUTCOMES])
async def test_a_write_that_fails_is_unknown_unless_the_vendor_says_that_nothing_was_done(
    kind: FaultKind, outcome: type[ConnectorError]
) -> None:
    for name, write in WRITES.items():
        async with connected() as x:
            contact_id = await x.crm.create(IVAN)
            deal_id = await x.crm.create(deal(contact_id))
            fault = x.fail(kind, "POST ")
            with pytest.raises(ConnectorError) as caught:
                await write(x, contact_id, deal_id)
            assert type(caught.value) is outcome, name
            assert fault.hits == 1, "a create is never repeated by itself"


async def test_a_slow_answer_is_an_answer() -> None:
    async with connected() as x:
        x.fail("slow", "POST /api/v4/contacts", times=-1)
        assert await x.crm.create(IVAN) in x.box.contacts


async def test_nobody_listening_means_that_nothing_was_sent() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
    async with connected(settings={"base_url": "http://127.0.0.1:9"}) as x:
        for call in (x.crm.ping(), x.crm.create(deal(contact_id))):
            with pytest.raises(ConnectorError) as caught:
                await call
            assert type(caught.value) is RetryableError


async def test_a_batch_whose_answer_is_lost_is_unknown_for_each_of_its_deals() -> None:
    async with connected(settings={"rate": {"calls": 3, "per_s": 0.2}}) as x:
        contact_id = await x.crm.create(IVAN)
        await x.crm.create(deal(contact_id))
        x.fail("reset_after", "POST /api/v4/leads", times=-1)
        drafts = [deal(contact_id, f"k{n}") for n in range(6)]
        results = await asyncio.gather(*(x.crm.create(draft) for draft in drafts), return_exceptions=True)
        assert [type(result) for result in results] == [UnknownOutcomeError] * 6
        x.layer.faults.clear()
        found = [await x.crm.find_created(draft, x.hint(contact_id)) for draft in drafts]
        assert [x.box.key_of(x.box.deals[deal_id or ""]) for deal_id in found] == [f"k{n}" for n in range(6)]


async def test_an_answer_without_ids_is_unknown() -> None:
    async with connected() as x:
        await x.crm.create(IVAN)
        original = x.box.handle

        def without_ids(request: Any) -> Any:
            response = original(request)
            if request.method == "POST":
                response.body["_embedded"] = {}
            return response

        x.box.handle = without_ids  # type: ignore[method-assign]
        with pytest.raises(UnknownOutcomeError):
            await x.crm.create(IVAN)
