"""After a write whose outcome is not known: it is found again if it was made, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base import ContactDraft, NoteDraft, TaskDraft
from connectors.errors import UnknownOutcomeError
from connectors.sandbox.base import SandboxResponse
from tests.connectors.amocrm.support import IVAN, Connected, connected, deal

DUE = datetime(2026, 11, 24, 14, 17, tzinfo=UTC)


async def lost(x: Connected, draft: Any, *, done: bool = True) -> None:
    """A create whose answer is lost, after or before the work."""
    x.fail("reset_after" if done else "reset", "POST ")
    with pytest.raises(UnknownOutcomeError):
        await x.crm.create(draft)


@pytest.mark.parametrize("admin", [True, False])
async def test_a_deal_is_found_among_the_deals_of_its_contact(admin: bool) -> None:
    """With our key in its field, and where that cannot be made, in its name."""
    async with connected(admin=admin) as x:
        contact_id = await x.crm.create(IVAN)
        stranger = await x.crm.create(deal(contact_id, "other"))
        draft = deal(contact_id, "lead-2")
        await lost(x, draft)
        found = await x.crm.find_created(draft, x.hint(contact_id))
        assert found is not None
        assert found != stranger
        assert x.box.key_of(x.box.deals[found]) == "lead-2"


@pytest.mark.parametrize("admin", [True, False])
async def test_a_deal_that_was_not_made_is_not_found(admin: bool) -> None:
    async with connected(admin=admin) as x:
        contact_id = await x.crm.create(IVAN)
        await x.crm.create(deal(contact_id, "lead-20"))
        draft = deal(contact_id, "lead-2")
        await lost(x, draft, done=False)
        assert await x.crm.find_created(draft, x.hint(contact_id)) is None


async def test_of_two_deals_with_one_key_the_older_is_found() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        first = await x.crm.create(deal(contact_id))
        await x.crm.create(deal(contact_id))
        assert await x.crm.find_created(deal(contact_id), x.hint(contact_id)) == first


async def test_a_deal_whose_contact_was_merged_away_is_found_in_the_plain_list() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        other_id = await x.crm.create(replace(IVAN, key="person-9"))
        draft = deal(contact_id)
        await lost(x, draft)
        x.box.merge_contacts(other_id, contact_id)
        found = await x.crm.find_created(draft, x.hint(contact_id))
        assert found == next(iter(x.box.deals))
        state = await x.crm.deal_state(found)
        assert state is not None
        assert state.contact_ids == (other_id,)


async def test_a_write_that_lands_after_the_first_look_is_found_by_the_next() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        draft = deal(contact_id)
        x.fail("504_late", "POST ", delay_s=60.0)
        with pytest.raises(UnknownOutcomeError):
            await x.crm.create(draft)
        assert await x.crm.find_created(draft, x.hint(contact_id)) is None
        x.layer.land()
        assert await x.crm.find_created(draft, x.hint(contact_id)) == next(iter(x.box.deals))


async def test_a_contact_is_found_before_the_search_knows_it() -> None:
    """The search lags behind; the plain list does not."""
    async with connected(search_lag_s=60) as x:
        await x.crm.create(ContactDraft("person-0", "Чужой", ("+74951234567",)))
        await lost(x, IVAN)
        assert await x.crm.find_contact(IVAN.phones, IVAN.emails, IVAN.key) is None
        found = await x.crm.find_created(IVAN, x.hint())
        assert found is not None
        assert x.box.contacts[found]["name"] == "Иван Иванов"


@pytest.mark.parametrize("admin", [True, False])
async def test_a_contact_with_neither_phone_nor_email_is_found_by_its_key(admin: bool) -> None:
    async with connected(admin=admin, search_lag_s=60) as x:
        draft = ContactDraft("person-7", "Гость из Telegram")
        await x.crm.create(ContactDraft("person-70", "Гость из Telegram"))
        await lost(x, draft)
        found = await x.crm.find_created(draft, x.hint())
        assert found == list(x.box.contacts)[-1]
        await lost(x, ContactDraft("person-8", "Гость из Telegram"), done=False)
        assert await x.crm.find_created(ContactDraft("person-8", "Гость из Telegram"), x.hint()) is None


async def test_notes_and_tasks_are_found_by_their_mark_on_their_own_deal_only() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        here = await x.crm.create(deal(contact_id, "a"))
        there = await x.crm.create(deal(contact_id, "b"))
        for make in (
            lambda key, deal_id: NoteDraft(key, "Повторное обращение", deal_id),
            lambda key, deal_id: TaskDraft(key, "Позвонить", DUE, deal_id),
        ):
            await x.crm.create(make("other", here))
            await lost(x, make("mine", here))
            found = await x.crm.find_created(make("mine", here), x.hint(contact_id, here))
            assert found == str(max(map(int, (*x.box.notes, *x.box.tasks))))
            assert await x.crm.find_created(make("mine", there), x.hint(contact_id, there)) is None
            await lost(x, make("never", here), done=False)
            assert await x.crm.find_created(make("never", here), x.hint(contact_id, here)) is None


async def test_an_account_whose_contacts_do_not_tell_their_deals_is_searched_by_links_then_by_the_list() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        draft = deal(contact_id)
        await lost(x, draft)
        deal_id = next(iter(x.box.deals))
        original = x.box.handle

        def telling_less(request: Any) -> SandboxResponse:
            response = original(request)
            if request.path == f"/api/v4/contacts/{contact_id}":
                body = {name: value for name, value in response.body.items() if name != "_embedded"}
                return SandboxResponse(200, body)
            return response

        x.box.handle = telling_less  # type: ignore[method-assign]
        assert await x.crm.find_created(draft, x.hint(contact_id)) == deal_id

        def not_even_links(request: Any) -> SandboxResponse:
            return SandboxResponse(404, {}) if request.path.endswith("/links") else telling_less(request)

        x.box.handle = not_even_links  # type: ignore[method-assign]
        assert await x.crm.find_created(draft, x.hint(contact_id)) == deal_id
        assert await x.crm.find_created(deal(contact_id, "lead-9"), x.hint(contact_id)) is None
