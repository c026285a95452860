"""The HubSpot client against the sandbox over real HTTP: what arrives is what was meant."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.base import CompanyDraft, ContactDraft, DealDraft, Hint, NeededField, NoteDraft, TaskDraft
from connectors.errors import AuthError, PermanentError, RetryableError
from connectors.hubspot import CONNECTOR, HubSpotClient
from tests.connectors.hubspot.conftest import Account

IVAN = ContactDraft(key="P-01", name="Иван Сергеев", phones=("+79161234567",), emails=("ivan@example.ru",))
DUE = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)


def deal_for(contact_id: str, key: str = "L-01", **more: object) -> DealDraft:
    return DealDraft(
        key=key,
        title="Расчёт окон",
        contact_id=contact_id,
        source="site",
        comment="Нужны 3 окна",
        tags=("окна", "сайт"),
        utm={"utm_source": "yandex", "utm_medium": "cpc"},
        **more,  # type: ignore[arg-type]
    )


async def test_a_fresh_lead_arrives_whole(account: Account, client: HubSpotClient) -> None:
    await client.ensure_fields(CONNECTOR.needed_fields, create=True)
    assert await client.find_contact(IVAN.phones, IVAN.emails, IVAN.key) is None
    contact_id = await client.create(IVAN)
    company_id = await client.create(CompanyDraft(key="C-1", name="Окна и двери"))
    deal = deal_for(
        contact_id, company_id=company_id, responsible="80510101", price="12000.50", fields={"dealtype": "newbusiness"}
    )
    deal_id = await client.create(deal)
    note_id = await client.create(
        NoteDraft(key="N-1", text="Заявка <с сайта>\nТелефон", deal_id=deal_id, contact_id=contact_id)
    )
    task_id = await client.create(
        TaskDraft(key="T-1", text="Позвонить: Иван\nокна", due_at=DUE, deal_id=deal_id, contact_id=contact_id)
    )

    sandbox = account.sandbox
    contact = sandbox.contacts[contact_id]["properties"]
    assert (contact["email"], contact["firstname"], contact["lastname"]) == ("ivan@example.ru", "Иван", "Сергеев")
    assert contact["phone"] == "+79161234567"
    assert contact["leadhub_external_id"] == "p-01"
    held = sandbox.deals[deal_id]["properties"]
    assert held["dealname"] == "Расчёт окон"
    assert (held["pipeline"], held["dealstage"]) == ("default", "appointmentscheduled")
    assert (held["leadhub_source"], held["leadhub_utm_source"], held["leadhub_utm_medium"]) == ("site", "yandex", "cpc")
    assert held["leadhub_tags"] == "окна; сайт"
    assert held["description"] == "Нужны 3 окна"
    assert Decimal(held["amount"]) == Decimal("12000.50")
    assert (held["hubspot_owner_id"], held["dealtype"]) == ("80510101", "newbusiness")
    assert sandbox.linked("deals", deal_id, "contacts") == [contact_id]
    assert sandbox.linked("deals", deal_id, "companies") == [company_id]
    assert sandbox.notes[note_id]["properties"]["hs_note_body"] == "Заявка &lt;с сайта&gt;<br>Телефон"
    assert sandbox.linked("notes", note_id, "deals") == [deal_id]
    assert sandbox.linked("notes", note_id, "contacts") == [contact_id]
    task = sandbox.tasks[task_id]["properties"]
    assert (task["hs_task_subject"], task["hs_timestamp"]) == ("Позвонить: Иван", "2026-11-24T11:17:00.000Z")
    assert sandbox.linked("tasks", task_id, "deals") == [deal_id]


async def test_the_second_lead_takes_three_calls_to_its_deal(account: Account, client: HubSpotClient) -> None:
    await client.find_contact(("+79160000000",), (), "p-00")
    first = await client.create(ContactDraft(key="p-00", phones=("+79160000000",)))
    await client.create(deal_for(first, "l-00"))
    account.sandbox.requests.clear()
    assert await client.find_contact(IVAN.phones, (), "p-01") is None
    await client.create(deal_for(await client.create(IVAN)))
    assert sorted(account.sandbox.lines()[:2]) == [
        "GET /crm/objects/2026-03/contacts/p-01",
        "POST /crm/objects/2026-03/contacts/search",
    ]
    assert account.sandbox.lines()[2:] == ["POST /crm/objects/2026-03/contacts", "POST /crm/objects/2026-03/deals"]


@pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
async def test_every_version_of_the_paths_works(account: Account, version: str) -> None:
    client = account.client(api_version=version)
    await client.ping()
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    state = await client.open_deal(contact_id)
    assert state is not None
    assert state.id == deal_id
    now = account.sandbox.clock.now()
    found = await client.read_back((deal_id,), now - timedelta(hours=1), now + timedelta(hours=1))
    assert [deal.id for deal in found] == [deal_id]
    mark = "v3" if version == "v3" else version
    assert all(f"/{mark}" in line or "/v4/" in line for line in account.sandbox.lines())


# --- contacts -----------------------------------------------------------------------------


async def test_a_contact_is_found_by_key_email_or_phone_as_people_type_it(
    account: Account, client: HubSpotClient
) -> None:
    by_key = await client.create(ContactDraft(key="p-7", name="Ольга"))
    records = account.sandbox.records
    by_email = records.create("contacts", {"email": "Oleg@Example.ru"}, [])["id"]
    by_phone = records.create("contacts", {"firstname": "Пётр", "phone": "8 (916) 555-44-33"}, [])["id"]
    by_mobile = records.create("contacts", {"firstname": "Вера", "mobilephone": "+7 903 555 44 33"}, [])["id"]
    assert await client.find_contact((), (), "P-7") == by_key
    assert await client.find_contact((), ("oleg@example.ru",), "p-x") == by_email
    assert await client.find_contact(("+79165554433",), (), "p-x") == by_phone
    assert await client.find_contact(("+79035554433",), (), "p-x") == by_mobile
    assert await client.find_contact(("+79165554433",), ("oleg@example.ru",), "p-7") == by_key
    assert await client.find_contact((), (), "") is None


async def test_a_stranger_with_the_same_last_digits_is_not_found(account: Account, client: HubSpotClient) -> None:
    account.sandbox.records.create("contacts", {"firstname": "Ann", "phone": "+1 916 555 44 33"}, [])
    account.sandbox.records.create("contacts", {"firstname": "Bob", "phone": "+7 495 916 55 54"}, [])
    assert await client.find_contact(("+79165554433",), (), "") is None


async def test_the_oldest_of_several_contacts_with_one_phone_is_taken(account: Account, client: HubSpotClient) -> None:
    ids = [account.sandbox.records.create("contacts", {"firstname": n, "phone": "89165554433"}, [])["id"] for n in "ab"]
    assert await client.find_contact(("+79165554433",), (), "") == ids[0]


async def test_an_additional_email_counts(account: Account, client: HubSpotClient) -> None:
    records = account.sandbox.records
    one = records.create("contacts", {"email": "a@example.ru"}, [])["id"]
    two = records.create("contacts", {"email": "b@example.ru"}, [])["id"]
    merged = records.merge("contacts", one, two)["id"]
    assert await client.find_contact((), ("b@example.ru",), "") == merged
    assert await client.create(ContactDraft(key="p-9", emails=("b@example.ru",))) == merged


async def test_a_phone_alone_gets_a_name_that_can_be_called(account: Account, client: HubSpotClient) -> None:
    id_ = await client.create(ContactDraft(key="p-2", phones=("+79161112233", "+74951112233")))
    held = account.sandbox.contacts[id_]["properties"]
    assert (held["firstname"], held["phone"], held["mobilephone"]) == ("+79161112233", "+79161112233", "+74951112233")
    await client.enrich_contact(id_, ContactDraft(key="p-2", name="Анна Ильина", phones=("+79161112233",)))
    assert (held["firstname"], held["lastname"]) == ("Анна", "Ильина")


async def test_an_existing_email_gives_the_existing_contact_and_fills_what_it_lacks(
    account: Account, client: HubSpotClient
) -> None:
    given = {"email": "ivan@example.ru", "firstname": "Ваня", "hubspot_owner_id": "80510102"}
    old = account.sandbox.records.create("contacts", given, [])["id"]
    assert await client.create(IVAN) == old
    held = account.sandbox.contacts[old]["properties"]
    assert (held["firstname"], held["phone"], held["leadhub_external_id"]) == ("Ваня", "+79161234567", "p-01")
    assert held["hubspot_owner_id"] == "80510102"
    assert len(account.sandbox.contacts) == 1


async def test_enriching_overwrites_nothing_and_may_be_repeated(account: Account, client: HubSpotClient) -> None:
    id_ = await client.create(IVAN)
    draft = ContactDraft(
        key="other",
        name="Пётр",
        phones=("+79160000001", "+79161234567"),
        emails=("new@example.ru",),
        fields={"city": "Тверь"},
    )
    await client.enrich_contact(id_, draft)
    await client.enrich_contact(id_, draft)
    held = account.sandbox.contacts[id_]["properties"]
    assert (held["firstname"], held["email"], held["phone"]) == ("Иван", "ivan@example.ru", "+79161234567")
    assert (held["mobilephone"], held["city"], held["leadhub_external_id"]) == ("+79160000001", "Тверь", "p-01")


async def test_enriching_goes_on_without_the_email_of_somebody_else(account: Account, client: HubSpotClient) -> None:
    await client.create(ContactDraft(key="p-5", emails=("taken@example.ru",)))
    id_ = await client.create(ContactDraft(key="p-6", name="Яна"))
    await client.enrich_contact(id_, ContactDraft(key="p-5", phones=("+79161112233",), emails=("taken@example.ru",)))
    held = account.sandbox.contacts[id_]["properties"]
    assert held.get("email") is None
    assert (held["phone"], held["leadhub_external_id"]) == ("+79161112233", "p-6")


async def test_enriching_a_contact_that_is_gone_says_so(account: Account, client: HubSpotClient) -> None:
    with pytest.raises(PermanentError) as caught:
        await client.enrich_contact("123", IVAN)
    assert caught.value.gone


# --- repeats ------------------------------------------------------------------------------


async def test_the_same_create_twice_gives_the_same_record(account: Account, client: HubSpotClient) -> None:
    contact_id = await client.create(ContactDraft(key="p-3", phones=("+79161112233",)))
    assert await client.create(ContactDraft(key="P-3", phones=("+79161112233",))) == contact_id
    deal_id = await client.create(deal_for(contact_id))
    assert await client.create(deal_for(contact_id)) == deal_id
    note = NoteDraft(key="n-3", text="x", deal_id=deal_id)
    assert await client.create(note) == await client.create(note)
    assert (len(account.sandbox.deals), len(account.sandbox.notes)) == (1, 1)


async def test_a_repeat_answers_with_the_merged_deal(account: Account, client: HubSpotClient) -> None:
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    other = await client.create(deal_for(contact_id, "l-02"))
    merged = account.sandbox.records.merge("deals", deal_id, other)["id"]
    assert await client.create(deal_for(contact_id)) == merged
    state = await client.deal_state(deal_id)
    assert state is not None
    assert state.id == merged


async def test_find_created_finds_exactly_ours(account: Account, client: HubSpotClient) -> None:
    contact_id = await client.create(IVAN)
    hint = Hint(sent_at=account.sandbox.clock.now(), contact_id=contact_id, elapsed_s=60.0)
    account.sandbox.records.create(
        "deals", {"dealname": "Расчёт окон", "pipeline": "default", "dealstage": "closedwon"}, []
    )
    assert await client.find_created(deal_for(contact_id), hint) is None
    deal_id = await client.create(deal_for(contact_id))
    assert await client.find_created(deal_for(contact_id), hint) == deal_id
    assert await client.find_created(deal_for(contact_id, "l-02"), hint) is None
    assert await client.find_created(IVAN, hint) == contact_id
    assert await client.find_created(ContactDraft(key="p-77", emails=IVAN.emails), hint) == contact_id
    assert await client.find_created(TaskDraft(key="t", text="x", due_at=DUE, deal_id=deal_id), hint) is None


# --- accounts that do not let us ----------------------------------------------------------


async def test_without_the_right_to_make_properties_the_lead_arrives_with_a_mark(
    account: Account, client: HubSpotClient
) -> None:
    account.sandbox.account.may_write_schemas = False
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    note = NoteDraft(key="n-1", text="Заявка", deal_id=deal_id, contact_id=contact_id)
    note_id = await client.create(note)
    held = account.sandbox.deals[deal_id]["properties"]
    assert held["description"].splitlines() == [
        "Нужны 3 окна",
        "leadhub: source=site, tags=окна; сайт, utm_source=yandex, utm_medium=cpc",
        "[lh:l-01]",
    ]
    assert account.sandbox.notes[note_id]["properties"]["hs_note_body"] == "Заявка<br>[lh:n-1]"
    hint = Hint(sent_at=account.sandbox.clock.now(), contact_id=contact_id)
    assert await client.find_created(deal_for(contact_id), hint) == deal_id
    assert await client.find_created(note, hint) == note_id
    with pytest.raises(RetryableError, match="too early"):
        await client.find_created(deal_for(contact_id, "l-02"), hint)
    late = Hint(sent_at=account.sandbox.clock.now() - timedelta(seconds=31), contact_id=contact_id)
    assert await client.find_created(deal_for(contact_id, "l-02"), late) is None
    found = await client.read_back((deal_id,), late.sent_at, account.sandbox.clock.now())
    assert [(deal.id, deal.has_source, deal.has_contact) for deal in found] == [(deal_id, True, True)]


async def test_without_the_right_to_read_properties_either_the_refusal_teaches(
    account: Account, client: HubSpotClient
) -> None:
    account.sandbox.account.may_write_schemas = account.sandbox.account.may_read_schemas = False
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    assert account.sandbox.deals[deal_id]["properties"]["description"].endswith("[lh:l-01]")
    account.sandbox.requests.clear()
    await client.create(deal_for(contact_id, "l-02"))
    assert account.sandbox.lines() == ["POST /crm/objects/2026-03/deals"]


async def test_a_deleted_key_property_is_made_again(account: Account, client: HubSpotClient) -> None:
    contact_id = await client.create(IVAN)
    await client.create(deal_for(contact_id))
    account.sandbox.schema.properties["deals"]["leadhub_external_id"]["archived"] = True
    deal_id = await client.create(deal_for(contact_id, "l-02"))
    assert account.sandbox.deals[deal_id]["properties"]["leadhub_external_id"] == "l-02"


async def test_a_deleted_property_of_ours_costs_one_refusal_and_nothing_else(
    account: Account, client: HubSpotClient
) -> None:
    await client.ensure_fields(CONNECTOR.needed_fields, create=True)
    contact_id = await client.create(IVAN)
    await client.create(deal_for(contact_id))
    del account.sandbox.schema.properties["deals"]["leadhub_source"]
    deal_id = await client.create(deal_for(contact_id, "l-02"))
    held = account.sandbox.deals[deal_id]["properties"]
    assert "leadhub: source=site" in held["description"]
    assert (held["leadhub_utm_source"], held["leadhub_external_id"]) == ("yandex", "l-02")


async def test_a_deal_deleted_on_purpose_is_not_made_again(account: Account, client: HubSpotClient) -> None:
    """Where HubSpot keeps a deleted record's value blocked: its refusal names the record in the recycle bin."""
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    account.sandbox.records.archive("deals", deal_id)
    account.sandbox.records._by_value[("deals", "leadhub_external_id")]["l-01"] = deal_id
    with pytest.raises(PermanentError, match="deleted in HubSpot") as caught:
        await client.create(deal_for(contact_id))
    assert caught.value.fields == ()
    assert account.sandbox.deals == {}


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"responsible": "1"}, ("responsible",)),
        ({"pipeline": "default", "stage": "nope"}, ("stage",)),
        ({"pipeline": "nope", "stage": "nope"}, ("pipeline", "stage")),
        ({"price": "a lot"}, ("price",)),
        ({"fields": {"colour": "red", "dealtype": "x"}}, ("colour", "dealtype")),
    ],
)
async def test_refused_fields_are_named_as_in_the_draft(
    account: Account, client: HubSpotClient, more: dict[str, object], fields: tuple[str, ...]
) -> None:
    contact_id = await client.create(IVAN)
    with pytest.raises(PermanentError) as caught:
        await client.create(deal_for(contact_id, **more))
    assert sorted(caught.value.fields) == sorted(fields)
    assert not caught.value.gone
    assert account.sandbox.deals == {}


async def test_a_bad_email_is_named_and_not_repeated_in_the_text(client: HubSpotClient) -> None:
    with pytest.raises(PermanentError) as caught:
        await client.create(ContactDraft(key="p-1", emails=("ivan@localhost",)))
    assert caught.value.fields == ("emails",)
    assert "ivan" not in str(caught.value)


async def test_a_contact_that_is_gone_is_told_apart(client: HubSpotClient) -> None:
    with pytest.raises(PermanentError) as caught:
        await client.create(deal_for("99"))
    assert caught.value.gone
    assert caught.value.fields == ()


async def test_a_refused_token_is_an_auth_error(account: Account) -> None:
    client = account.client(access_token="pat-eu1-wrong")
    with pytest.raises(AuthError) as caught:
        await client.ping()
    assert "pat-eu1-wrong" not in str(caught.value)
    with pytest.raises(AuthError):
        await client.create(IVAN)


# --- deals ------------------------------------------------------------------------------------


async def test_the_open_deal_wins_then_the_newest_closed(account: Account, client: HubSpotClient) -> None:
    contact_id = await client.create(IVAN)
    assert await client.open_deal(contact_id) is None
    closed = await client.create(deal_for(contact_id, "l-1", pipeline="default", stage="closedwon"))
    newer = await client.create(deal_for(contact_id, "l-2", pipeline="90700001", stage="91300004"))
    state = await client.open_deal(contact_id)
    assert state is not None
    assert (state.id, state.closed) == (newer, True)
    await client.reopen_deal(closed, "", "")
    state = await client.open_deal(contact_id)
    assert state is not None
    assert (state.id, state.closed, state.stage, state.pipeline) == (closed, False, "appointmentscheduled", "default")
    assert state.contact_ids == (contact_id,)


async def test_a_deal_without_a_stage_starts_at_the_first_of_its_pipeline(
    account: Account, client: HubSpotClient
) -> None:
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id, "l-1", pipeline="90700001"))
    by_stage = await client.create(deal_for(contact_id, "l-2", stage="91300002"))
    assert account.sandbox.deals[deal_id]["properties"]["dealstage"] == "91300001"
    assert account.sandbox.deals[by_stage]["properties"]["pipeline"] == "90700001"


async def test_a_deal_can_be_updated_and_one_that_is_gone_says_so(account: Account, client: HubSpotClient) -> None:
    deal_id = await client.create(deal_for(await client.create(IVAN)))
    await client.update_deal(deal_id, {"amount": Decimal("10"), "closedate": DUE, "unknown": None})
    held = account.sandbox.deals[deal_id]["properties"]
    assert (held["amount"], held["closedate"]) == ("10", "2026-11-24T11:17:00.000Z")
    with pytest.raises(PermanentError) as caught:
        await client.update_deal("5", {"amount": 1})
    assert caught.value.gone
    assert await client.deal_state("5") is None


async def test_the_open_deal_of_a_merged_contact_is_found_by_the_id_that_we_know(
    account: Account, client: HubSpotClient
) -> None:
    contact_id = await client.create(IVAN)
    deal_id = await client.create(deal_for(contact_id))
    other = await client.create(ContactDraft(key="P-02", phones=("+79160000002",)))
    account.sandbox.records.merge("contacts", other, contact_id)
    state = await client.open_deal(contact_id)
    assert state is not None
    assert (state.id, state.closed) == (deal_id, False)


async def test_read_back_tells_absent_doubled_and_merged_apart(account: Account, client: HubSpotClient) -> None:
    await client.ensure_fields(CONNECTOR.needed_fields, create=True)
    contact_id = await client.create(IVAN)
    kept = await client.create(deal_for(contact_id, "l-1", responsible="80510101"))
    bare = await client.create(DealDraft(key="l-2", title="Без контакта"))
    deleted = await client.create(deal_for(contact_id, "l-3"))
    old = await client.create(deal_for(contact_id, "l-4"))
    unasked = await client.create(deal_for(contact_id, "l-5"))
    account.sandbox.records.create("deals", {"dealname": "чужая", "pipeline": "default", "dealstage": "closedwon"}, [])
    account.sandbox.records.archive("deals", deleted)
    new = account.sandbox.records.merge("deals", old, await client.create(deal_for(contact_id, "l-6")))["id"]
    now = account.sandbox.clock.now()
    found = await client.read_back((kept, bare, deleted, old), now - timedelta(minutes=5), now + timedelta(minutes=5))
    by_id = {deal.id: deal for deal in found}
    assert by_id.keys() == {kept, bare, old, unasked}
    assert new not in by_id
    assert (by_id[kept].key, by_id[kept].has_contact, by_id[kept].has_source) == ("l-1", True, True)
    assert (by_id[kept].responsible, by_id[kept].contact_id) == ("80510101", contact_id)
    assert (by_id[bare].has_contact, by_id[bare].has_source, by_id[bare].responsible) == (False, False, "")
    early = await client.read_back((), now - timedelta(hours=2), now - timedelta(hours=1))
    assert early == []


# --- the account -----------------------------------------------------------------------------


async def test_metadata_lists_users_pipelines_and_fields(account: Account, client: HubSpotClient) -> None:
    metadata = await client.metadata()
    assert metadata.known == {"users", "pipelines", "fields"}
    assert (metadata.users[0].id, metadata.users[0].name) == ("80510101", "Анна Петрова")
    assert [pipeline.id for pipeline in metadata.pipelines if pipeline.is_default] == ["default"]
    closed = [stage.id for stage in metadata.pipelines[0].stages if stage.closed]
    assert closed == ["closedwon", "closedlost"]
    fields = {field.id: field for field in metadata.fields["contact"]}
    assert fields["hs_object_id"].read_only
    assert not fields["email"].read_only
    assert "open" in {value.lower() for value in fields["hs_lead_status"].enums.values()}
    assert client.record_url("deal", "7") == "https://app.hubspot.com/contacts/146000001/record/0-3/7"


async def test_metadata_leaves_out_what_cannot_be_read(account: Account, client: HubSpotClient) -> None:
    account.sandbox.account.may_read_schemas = False
    metadata = await client.metadata()
    assert metadata.known == {"users", "pipelines"}
    assert metadata.fields == {}


async def test_needed_fields_are_shown_first_and_made_when_asked(account: Account, client: HubSpotClient) -> None:
    missing = await client.ensure_fields(CONNECTOR.needed_fields, create=False)
    assert missing == list(CONNECTOR.needed_fields)
    assert await client.ensure_fields(CONNECTOR.needed_fields, create=True) == missing
    assert await client.ensure_fields(CONNECTOR.needed_fields, create=False) == []
    assert account.sandbox.schema.properties["notes"]["leadhub_activity_id"]["hasUniqueValue"] is True
    assert account.sandbox.schema.properties["deals"]["leadhub_source"]["hasUniqueValue"] is False
    account.sandbox.account.may_write_schemas = False
    with pytest.raises(AuthError, match=r"crm\.schemas\.deals\.write"):
        await client.ensure_fields((NeededField("deal", "leadhub_more", "Ещё", "More"),), create=True)
