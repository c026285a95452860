"""The client against a portal of our own: persons, deals, audit, limits."""

import asyncio
from datetime import timedelta

import pytest

from connectors.base import ContactDraft, DealDraft, NoteDraft, TaskDraft
from connectors.errors import AuthError, PermanentError
from connectors.sandbox.base import FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from tests.connectors.bitrix24.conftest import Portal
from tests.support.vendor_server import serve

IVAN = ContactDraft("p1", "Иван", ("+79161234567",), ("ivan@example.ru",))


async def test_a_fresh_lead_is_three_requests_until_its_deal_exists(portal: Portal) -> None:
    client = portal.open()
    await client.find_contact((), (), "earlier")  # mode and sources are known from an earlier lead
    await client.create(DealDraft("l0:deal", "Раньше"))
    before = len(portal.methods())
    assert await client.find_contact(IVAN.phones, IVAN.emails, "p1") is None
    contact = await client.create(IVAN)
    await client.create(DealDraft("l1:deal", "Окна", contact))
    assert portal.methods()[before:] == ["batch", "crm.contact.add", "crm.deal.add"]


@pytest.mark.parametrize("stored", ["+7 (916) 123-45-67", "8 916 123 45 67", "9161234567", "79161234567, доб. 5"])
async def test_a_person_is_known_however_the_phone_was_typed(portal: Portal, stored: str) -> None:
    made = portal.sandbox.crm.save("contact", {"NAME": "Иван", "PHONE": [{"VALUE": stored}]})
    assert await portal.open().find_contact(("+79161234567",), (), "") == made


async def test_a_stranger_with_a_number_that_is_alike_is_not_taken(portal: Portal) -> None:
    save = portal.sandbox.crm.save
    for phone in ("+79161234568", "+7916123456", "+4479161234567", "161234567"):
        save("contact", {"NAME": "Другой", "PHONE": [{"VALUE": phone}]})
    save("lead", {"TITLE": "Лид", "PHONE": [{"VALUE": "+79161234567"}]})
    save("company", {"TITLE": "Фирма", "PHONE": [{"VALUE": "+79161234567"}]})
    assert await portal.open().find_contact(("+79161234567",), ("ivan@example.ru",), "p1") is None


async def test_of_several_the_one_with_phone_and_email_then_the_oldest(portal: Portal) -> None:
    client, save = portal.open(), portal.sandbox.crm.save
    phone, email = [{"VALUE": "+79161234567"}], [{"VALUE": "Ivan@Example.ru"}]
    save("contact", {"NAME": "А", "PHONE": phone})
    save("contact", {"NAME": "Б", "PHONE": phone})
    both = save("contact", {"NAME": "В", "PHONE": phone, "EMAIL": email})
    assert await client.find_contact(("+79161234567",), (), "") == "1"
    assert await client.find_contact(("+79161234567",), ("ivan@example.ru",), "") == both
    assert await client.find_contact((), ("ivan@example.ru",), "") == both


async def test_a_person_whose_phone_was_changed_by_a_seller_is_known_by_our_key(portal: Portal) -> None:
    client = portal.open()
    made = await client.create(IVAN)
    portal.sandbox.crm.boxes["contact"].change(made, {"PHONE": [], "EMAIL": []})
    assert await client.find_contact(IVAN.phones, IVAN.emails, "p1") == made


async def test_an_index_that_still_names_a_deleted_contact_is_not_believed(portal: Portal) -> None:
    client = portal.open()
    made = await client.create(IVAN)
    box = portal.sandbox.crm.boxes["contact"]
    stale = set(box.by_comm["PHONE", "79161234567"])
    box.remove(made)
    box.by_comm["PHONE", "79161234567"] = stale
    assert await client.find_contact(IVAN.phones, (), "p1") is None


async def test_a_contact_is_enriched_once_and_nothing_overwritten(portal: Portal) -> None:
    client = portal.open()
    made = portal.sandbox.crm.save("contact", {"NAME": "Ваня", "PHONE": [{"VALUE": "8 916 123-45-67"}]})
    for _ in range(2):
        await client.enrich_contact(made, ContactDraft("p1", "Иван", ("+79161234567",), ("ivan@example.ru",)))
    record = portal.sandbox.contacts[made]
    assert [each["VALUE"] for each in record["PHONE"]] == ["8 916 123-45-67"]
    assert [each["VALUE"] for each in record["EMAIL"]] == ["ivan@example.ru"]
    assert (record["NAME"], record["ORIGIN_ID"]) == ("Ваня", "p1")
    assert portal.methods().count("crm.contact.update") == 1


async def test_a_contact_that_is_gone_is_told(portal: Portal) -> None:
    with pytest.raises(PermanentError) as caught:
        await portal.open().enrich_contact("77", IVAN)
    assert caught.value.gone
    with pytest.raises(PermanentError) as caught:
        await portal.open().create(NoteDraft("n1", "Текст", "77"))
    assert caught.value.gone


async def test_a_remembered_contact_that_was_deleted_is_told_before_a_deal_is_hung_on_it(portal: Portal) -> None:
    client = portal.open()
    contact = await client.create(IVAN)
    portal.sandbox.crm.boxes["contact"].remove(contact)
    with pytest.raises(PermanentError) as caught:
        await client.open_deal(contact)
    assert caught.value.gone


async def test_a_bad_email_is_named_when_a_contact_is_enriched(portal: Portal) -> None:
    client = portal.open()
    made = await client.create(IVAN)
    with pytest.raises(PermanentError) as caught:
        await client.enrich_contact(made, ContactDraft("p1", emails=("not an address",)))
    assert caught.value.fields == ("emails",)


async def test_an_open_deal_goes_before_a_newer_closed_one(portal: Portal) -> None:
    client = portal.open()
    contact = await client.create(IVAN)
    assert await client.open_deal(contact) is None
    first = await client.create(DealDraft("l1:deal", "Первая", contact))
    second = await client.create(DealDraft("l2:deal", "Вторая", contact, stage="WON"))
    state = await client.open_deal(contact)
    assert state is not None
    assert (state.id, state.closed) == (first, False)
    await client.reopen_deal(first, "", "LOSE")
    state = await client.open_deal(contact)
    assert state is not None
    assert (state.id, state.closed) == (second, True)


async def test_a_closed_deal_is_reopened_in_another_pipeline(portal: Portal) -> None:
    client = portal.open()
    made = await client.create(DealDraft("l1:deal", "Окна", stage="LOSE"))
    await client.reopen_deal(made, "5", "")
    state = await client.deal_state(made)
    assert state is not None
    assert (state.closed, state.pipeline, state.stage) == (False, "5", "C5:NEW")


async def test_in_a_classic_portal_the_deal_of_a_converted_lead_is_open_work(portal: Portal) -> None:
    portal.sandbox.crm.simple = False
    client = portal.open()
    contact = await client.create(IVAN)
    lead = await client.create(DealDraft("l1:deal", "Лид", contact))
    await client.update_deal(lead, {"STATUS_ID": "CONVERTED"})
    portal.sandbox.crm.save("deal", {"TITLE": "Из лида", "CONTACT_ID": contact})
    state = await client.open_deal(contact)
    assert state is not None
    assert (state.id, state.closed) == ("D_1", False)
    note = await client.create(NoteDraft("n1", "Повторное обращение", state.id))
    assert portal.sandbox.comments[note]["ENTITY_TYPE"] == "deal"


async def test_the_audit_reads_in_bulk_ours_by_id_and_ours_by_time(portal: Portal) -> None:
    portal.sandbox.rate = None
    client = portal.open(rate={"calls": 1000})
    contact = await client.create(IVAN)
    made = await asyncio.gather(
        *(client.create(DealDraft(f"l{number}:deal", "Окна", contact, source="site")) for number in range(120))
    )
    bare = portal.sandbox.crm.save("deal", {"TITLE": "Чужая"})
    before, now = len(portal.methods()), portal.sandbox.clock.now()
    found = await client.read_back((*made[:60], bare, "9999"), now - timedelta(hours=1), now + timedelta(hours=1))
    by_id = {deal.id: deal for deal in found}
    assert set(by_id) == {*made, bare}
    assert by_id[made[7]].key == "l7:deal"
    assert by_id[made[7]].has_contact
    assert by_id[made[7]].contact_id == contact
    assert by_id[made[7]].has_source
    assert (by_id[bare].key, by_id[bare].has_contact, by_id[bare].has_source) == ("", False, False)
    assert len(portal.methods()) - before <= 4
    earlier = await client.read_back((), now - timedelta(days=3), now - timedelta(days=2))
    assert earlier == []


async def test_a_dead_webhook_is_an_auth_error_without_its_secret(portal: Portal) -> None:
    client = portal.open(webhook_url=f"{portal.url}/rest/1/wrongsecret/")
    with pytest.raises(AuthError) as caught:
        await client.ping()
    assert "wrongsecret" not in str(caught.value)


@pytest.mark.parametrize("page", [False, True])
async def test_a_box_without_the_newer_methods_still_takes_leads(portal: Portal, page: bool) -> None:
    """It may say so with a page of its web server."""
    portal.sandbox.missing_as_page = page
    newer = {"crm.item.list", "crm.item.update", "crm.activity.todo.add", "crm.settings.mode.get", "batch"}
    portal.sandbox.without |= {*newer, "profile", "crm.category.list", "crm.status.list", "user.get"}
    client = portal.open()
    assert await client.find_contact(IVAN.phones, IVAN.emails, "p1") is None
    await client.ping()
    contact = await client.create(IVAN)
    assert await client.find_contact(IVAN.phones, IVAN.emails, "p1") == contact
    deal = await client.create(DealDraft("l1:deal", "Окна", contact))
    now = portal.sandbox.clock.now()
    found = await client.read_back((deal,), now - timedelta(hours=1), now + timedelta(hours=1))
    assert [each.id for each in found] == [deal]
    task = TaskDraft("l1:task", "Позвонить", now, deal)
    assert await client.create(task) in portal.sandbox.activities


async def test_a_portal_that_moved_is_followed_with_the_same_post(portal: Portal) -> None:
    old = Bitrix24Sandbox(portal.sandbox.clock)
    layer = FaultLayer(old, portal.sandbox.clock)
    async with serve(layer) as old_url:
        old.moved_to = portal.url
        client = portal.open(webhook_url=f"{old_url}/rest/1/sandbox/")
        made = await client.create(IVAN)
        await client.create(ContactDraft("p2", "Пётр"))
    assert portal.sandbox.contacts[made]["NAME"] == "Иван"
    assert len(layer.requests) == 1, "the new address is remembered"
    assert client.record_url("contact", made) == f"{portal.url}/crm/contact/details/{made}/"
