"""Every fault between us and the portal, over real HTTP: what it means for a read and for a write."""

import asyncio

import pytest

from connectors.base import ContactDraft, DealDraft, Hint, NoteDraft
from connectors.errors import AuthError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.sandbox.base import FaultKind
from tests.connectors.bitrix24.conftest import Portal

DRAFT = ContactDraft("p1", "Иван", ("+79161234567",))

MEANING: list[tuple[FaultKind, type, type, int]] = [
    # kind, on a write, on a read, contacts made
    ("500", UnknownOutcomeError, RetryableError, 0),
    ("500_after", UnknownOutcomeError, RetryableError, 1),
    ("502", UnknownOutcomeError, RetryableError, 0),
    ("504_late", UnknownOutcomeError, RetryableError, 0),
    ("429", RateLimitedError, RateLimitedError, 0),
    ("503", RateLimitedError, RateLimitedError, 0),
    ("401", AuthError, AuthError, 0),
    ("hang", UnknownOutcomeError, RetryableError, 0),
    ("reset", UnknownOutcomeError, RetryableError, 0),
    ("reset_after", UnknownOutcomeError, RetryableError, 1),
    ("html200", UnknownOutcomeError, RetryableError, 0),
    ("truncated", UnknownOutcomeError, RetryableError, 1),
    ("down", UnknownOutcomeError, RetryableError, 0),
]


@pytest.mark.parametrize(("kind", "outcome", "_on_read", "made"), MEANING)
async def test_on_a_write(portal: Portal, kind: FaultKind, outcome: type, _on_read: type, made: int) -> None:
    portal.fail(kind, "crm.contact.add", delay_s=60.0 if kind == "504_late" else 0.2)
    with pytest.raises(outcome):
        await portal.open().create(DRAFT)
    assert len(portal.sandbox.contacts) == made
    assert portal.methods() == ["crm.contact.add"], "a write is never repeated by itself"


@pytest.mark.parametrize(("kind", "_on_write", "outcome", "_made"), MEANING)
async def test_on_a_read(portal: Portal, kind: FaultKind, _on_write: type, outcome: type, _made: int) -> None:
    portal.fail(kind, "crm.item.list")
    with pytest.raises(outcome):
        await portal.open().find_created(DRAFT, Hint(portal.sandbox.clock.now()))


async def test_a_slow_answer_is_an_answer(portal: Portal) -> None:
    portal.fail("slow", "crm.contact.add")
    assert await portal.open().create(DRAFT) == "1"


@pytest.mark.parametrize("kind", ["reset", "html200", "502"])
async def test_a_lost_batch_is_unknown_for_writes_and_repeatable_for_reads(portal: Portal, kind: FaultKind) -> None:
    client = portal.open()
    contact = await client.create(DRAFT)
    await client.find_contact((), (), "p1")
    portal.fail(kind, "batch")
    outcomes = await asyncio.gather(
        client.create(ContactDraft("p2", "Пётр")),
        client.deal_state("5"),
        client.create(NoteDraft("n1", "текст", "", contact)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [UnknownOutcomeError, RetryableError, UnknownOutcomeError]
    assert portal.methods()[-1] == "batch"


@pytest.mark.parametrize("path", ["crm.settings.mode.get", "crm.status.list", "user.get", "crm.category.list"])
@pytest.mark.parametrize("kind", ["500", "html200", "reset"])
async def test_what_is_optional_never_stops_a_lead(portal: Portal, kind: FaultKind, path: str) -> None:
    portal.fail(kind, path, times=-1)
    portal.fail(kind, "batch", times=-1)
    client = portal.open()
    for _ in range(3):  # the engine's own repeats
        try:
            made = await client.create(DealDraft("l1:deal", "Окна"))
            break
        except RetryableError:
            continue
    assert portal.sandbox.deals[made]["SOURCE_ID"] == "WEB"
    assert len(portal.sandbox.deals) == 1
