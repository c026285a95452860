"""After a lost answer the record is found by our key: exactly it, nothing of a stranger's."""

from datetime import UTC, datetime

import pytest

from connectors.base import CompanyDraft, ContactDraft, DealDraft, Draft, Hint, NoteDraft, TaskDraft
from connectors.errors import PermanentError, UnknownOutcomeError
from connectors.sandbox.base import FaultKind
from tests.connectors.bitrix24.conftest import Portal

AT = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)
HINT = Hint(AT)
DRAFTS: list[tuple[str, Draft]] = [
    ("crm.contact.add", ContactDraft("k1", "Иван", ("+79161234567",))),
    ("crm.company.add", CompanyDraft("k1", "ООО Ромашка")),
    ("crm.deal.add", DealDraft("k1", "Окна")),
    ("crm.timeline.comment.add", NoteDraft("k1", "Текст", "1")),
    ("crm.activity.todo.add", TaskDraft("k1", "Позвонить", AT, "1")),
]


@pytest.mark.parametrize("kind", ["reset_after", "500_after", "truncated"])
@pytest.mark.parametrize(("method", "draft"), DRAFTS)
async def test_what_was_written_is_found(portal: Portal, kind: FaultKind, method: str, draft: Draft) -> None:
    client = portal.open()
    # Others of ours with keys that are alike, and a stranger's with the same number.
    await client.create(DealDraft("k10", "Чужая"))
    for other in (
        ContactDraft("k10", "Пётр", ("+79161234567",)),
        CompanyDraft("k10", "ООО"),
        NoteDraft("k10", "Другой", "1"),
        TaskDraft("k10", "Другая", AT, "1"),
    ):
        await client.create(other)
    assert await client.find_created(draft, HINT) is None
    portal.fail(kind, method)
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, HINT) == "2"


async def test_a_write_that_lands_after_a_gateway_gave_up_is_found_later(portal: Portal) -> None:
    client = portal.open()
    portal.fail("504_late", "crm.deal.add", delay_s=60.0)
    draft = DealDraft("k1", "Окна")
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, HINT) is None
    portal.layer.land()
    assert await client.find_created(draft, HINT) == "1"


async def test_the_lowest_of_doubles_is_taken(portal: Portal) -> None:
    client = portal.open()
    for _ in range(2):
        await client.create(DealDraft("k1", "Окна"))
    assert await client.find_created(DealDraft("k1", "Окна"), HINT) == "1"


async def test_a_refusal_after_the_save_is_a_success(portal: Portal) -> None:
    """Robots and checks after the save tell errors although the record is there."""
    portal.sandbox.crm.robots_fail = True
    assert await portal.open().create(DealDraft("k1", "Окна")) == "1"
    assert len(portal.sandbox.deals) == 1


async def test_a_refusal_that_cannot_be_looked_up_is_unknown(portal: Portal) -> None:
    portal.sandbox.crm.robots_fail = True
    portal.fail("reset", "crm.item.list", times=-1)
    with pytest.raises(UnknownOutcomeError):
        await portal.open().create(ContactDraft("k1", "Иван"))


async def test_a_refusal_before_the_save_is_final(portal: Portal) -> None:
    with pytest.raises(PermanentError) as caught:
        await portal.open().create(ContactDraft("k1", "Иван", emails=("not an address",)))
    assert caught.value.fields == ("emails",)
    assert portal.methods() == ["crm.contact.add", "crm.item.list"]
    assert not portal.sandbox.contacts


async def test_a_deal_made_while_the_mode_was_unknown_is_found_in_a_classic_portal(portal: Portal) -> None:
    portal.sandbox.crm.simple = False
    await portal.open(record="deal").create(DealDraft("k1", "Окна"))
    assert await portal.open().find_created(DealDraft("k1", "Окна"), HINT) == "D_1"


async def test_in_simple_mode_a_converted_lead_is_found_as_the_lead_it_was(portal: Portal) -> None:
    client = portal.open(record="lead")
    made = await client.create(DealDraft("k1", "Окна", name="Иван"))
    assert portal.sandbox.leads[made]["STATUS_ID"] == "CONVERTED"
    assert await client.find_created(DealDraft("k1", "Окна"), HINT) == made
