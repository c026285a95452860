"""The sandbox under HubSpot's own Python SDK, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4 import AssociationSpec, BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import (
    ApiException,
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.properties import ApiException as PropertyError
from hubspot.crm.properties import PropertyCreate

from connectors.sandbox.base import FaultLayer
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import SystemClock
from tests.support.vendor_server import serve


@pytest.fixture
def sandbox() -> HubSpotSandbox:
    return HubSpotSandbox(SystemClock(), rate=None, search_lag_s=0.0)


@pytest.fixture
async def sdk(sandbox: HubSpotSandbox) -> AsyncIterator[HubSpot]:
    async with serve(FaultLayer(sandbox, sandbox.clock), path="/hubspot") as url:
        yield HubSpot(access_token="sandbox", host=url)


async def run(work: Callable[[], Any]) -> Any:
    """The SDK blocks: it works in a thread."""
    return await asyncio.to_thread(work)


def person(**properties: str) -> SimplePublicObjectInputForCreate:
    return SimplePublicObjectInputForCreate(properties=properties, associations=[])


async def test_the_life_of_a_contact(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    api = sdk.crm.contacts.basic_api
    made = await run(lambda: api.create(person(email="Ivan@example.ru", firstname="Иван", phone="+7 916 123-45-67")))
    assert made.properties["email"] == "ivan@example.ru"
    assert made.created_at is not None
    read = await run(
        lambda: api.get_by_id("ivan@example.ru", id_property="email", properties=["city", "firstname", "nope"])
    )
    assert read.id == made.id
    assert (read.properties["city"], read.properties["firstname"]) == (None, "Иван")
    assert "nope" not in read.properties
    change = SimplePublicObjectInput(properties={"city": "Тверь"})
    changed = await run(lambda: api.update(made.id, change))
    assert changed.properties["city"] == "Тверь"
    page = await run(lambda: api.get_page(limit=10))
    assert [one.id for one in page.results] == [made.id]
    await run(lambda: api.archive(made.id))
    with pytest.raises(ApiException) as caught:
        await run(lambda: api.get_by_id(made.id))
    assert caught.value.status == 404
    archived = await run(lambda: api.get_by_id(made.id, archived=True))
    assert archived.archived
    assert sandbox.contacts == {}


async def test_conflicts_have_the_documented_sentences(sdk: HubSpot) -> None:
    api = sdk.crm.contacts.basic_api
    made = await run(lambda: api.create(person(email="a@example.ru")))
    with pytest.raises(ApiException) as caught:
        await run(lambda: api.create(person(email="A@example.ru")))
    assert caught.value.status == 409
    assert f"Existing ID: {made.id}" in caught.value.body
    unique = PropertyCreate(
        name="leadhub_external_id",
        label="LeadHub ID",
        group_name="contactinformation",
        type="string",
        field_type="text",
        has_unique_value=True,
    )
    definition = await run(lambda: sdk.crm.properties.core_api.create("contacts", unique))
    assert definition.has_unique_value
    first = await run(lambda: api.create(person(firstname="a", leadhub_external_id="k")))
    with pytest.raises(ApiException) as caught:
        await run(lambda: api.create(person(firstname="b", leadhub_external_id="K")))
    assert caught.value.status == 400
    assert f"{first.id} already has that value." in caught.value.body
    found = await run(lambda: api.get_by_id("k", id_property="leadhub_external_id"))
    assert found.id == first.id
    with pytest.raises(PropertyError) as caught:
        await run(lambda: sdk.crm.properties.core_api.create("contacts", unique))
    assert caught.value.status == 409


async def test_batches_with_some_bad_rows(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    api = sdk.crm.contacts.batch_api
    rows = [
        {"properties": {"firstname": "a"}, "objectWriteTraceId": "1"},
        {"properties": {"phone": "+79161234567"}, "objectWriteTraceId": "2"},
    ]
    answer = await run(lambda: api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows)))
    assert (answer.status, answer.num_errors, len(answer.results)) == ("COMPLETE", 1, 1)
    assert answer.errors[0].context == {"objectWriteTraceId": ["2"], "properties": ["email", "firstname", "lastname"]}
    all_or_nothing = [{"properties": {"firstname": "b"}}, {"properties": {"email": "nonsense"}}]
    with pytest.raises(ApiException):
        await run(lambda: api.create(BatchInputSimplePublicObjectBatchInputForCreate(inputs=all_or_nothing)))
    assert len(sandbox.contacts) == 1
    id_ = answer.results[0].id
    ask = BatchReadInputSimplePublicObjectId(
        properties=["firstname"], properties_with_history=[], inputs=[{"id": id_}, {"id": "999"}]
    )
    read = await run(lambda: api.read(ask))
    assert [one.id for one in read.results] == [id_]
    assert read.errors[0].context == {"ids": ["999"]}
    update = BatchInputSimplePublicObjectBatchInput(inputs=[{"id": id_, "properties": {"city": "Омск"}}])
    await run(lambda: api.update(update))
    assert sandbox.contacts[id_]["properties"]["city"] == "Омск"
    twice = BatchReadInputSimplePublicObjectId(
        properties=[], properties_with_history=[], inputs=[{"id": "1"}, {"id": "1"}]
    )
    with pytest.raises(ApiException, match="Duplicate IDs"):
        await run(lambda: api.read(twice))


async def test_upsert_tells_new_from_old(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    sandbox.schema.properties["contacts"]["leadhub_external_id"] = {
        **sandbox.schema.properties["contacts"]["city"],
        "name": "leadhub_external_id",
        "hasUniqueValue": True,
    }
    row = {"id": "k-1", "idProperty": "leadhub_external_id", "properties": {"firstname": "Иван"}}
    given = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[row])
    first = await run(lambda: sdk.crm.contacts.batch_api.upsert(given))
    second = await run(lambda: sdk.crm.contacts.batch_api.upsert(given))
    assert (first.results[0].new, second.results[0].new) == (True, False)
    by_email = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[{**row, "idProperty": "email"}])
    with pytest.raises(ApiException, match="non-unique"):
        await run(lambda: sdk.crm.contacts.batch_api.upsert(by_email))


async def test_search_filters_sorts_and_pages(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    for n in range(5):
        sandbox.records.create("contacts", {"firstname": f"n{n}", "phone": f"8 916 000-00-0{n}"}, [])
    search = sdk.crm.contacts.search_api
    filters = [{"propertyName": "firstname", "operator": "IN", "values": ["n1", "n3", "n4"]}]
    ask = PublicObjectSearchRequest(
        filter_groups=[{"filters": filters}],
        sorts=[{"propertyName": "firstname", "direction": "DESCENDING"}],
        properties=["firstname"],
        limit=2,
    )
    page = await run(lambda: search.do_search(ask))
    assert (page.total, [one.properties["firstname"] for one in page.results]) == (3, ["n4", "n3"])
    ask.after = page.paging.next.after
    rest = await run(lambda: search.do_search(ask))
    assert ([one.properties["firstname"] for one in rest.results], rest.paging) == (["n1"], None)
    token = [
        {"propertyName": "hs_searchable_calculated_phone_number", "operator": "CONTAINS_TOKEN", "value": "*9160000002"}
    ]
    by_phone = await run(lambda: search.do_search(PublicObjectSearchRequest(filter_groups=[{"filters": token}])))
    assert [one.properties["firstname"] for one in by_phone.results] == ["n2"]
    many = [{"filters": filters}] * 6
    with pytest.raises(ApiException, match="too many filters"):
        await run(lambda: search.do_search(PublicObjectSearchRequest(filter_groups=many)))
    with pytest.raises(ApiException, match="at most 200"):
        await run(lambda: search.do_search(PublicObjectSearchRequest(filter_groups=[], limit=201)))


async def test_deals_notes_and_their_links(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    contact = sandbox.records.create("contacts", {"firstname": "Иван"}, [])
    link = [
        {"to": {"id": contact["id"]}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}
    ]
    properties = {"dealname": "Окна", "pipeline": "default", "dealstage": "appointmentscheduled"}
    given = {"properties": properties, "associations": link}
    deal = await run(lambda: sdk.crm.deals.basic_api.create(given))
    read = await run(lambda: sdk.crm.contacts.basic_api.get_by_id(contact["id"], associations=["deals"]))
    assert [one.id for one in read.associations["deals"].results] == [deal.id]
    v4 = sdk.crm.associations.v4
    page = await run(lambda: v4.basic_api.get_page("contacts", contact["id"], "deals"))
    assert page.results[0].to_object_id == deal.id
    company = sandbox.records.create("companies", {"name": "ООО Окна"}, [])
    await run(lambda: v4.basic_api.create_default("deals", deal.id, "companies", company["id"]))
    spec = [AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)]
    await run(lambda: v4.basic_api.create("deals", deal.id, "companies", company["id"], spec))
    assert sandbox.records.links[("deals", deal.id)]["companies"] == {company["id"]: [5, 341]}
    ask = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": deal.id}, {"id": "9"}])
    batch = await run(lambda: v4.batch_api.get_page("deals", "contacts", ask))
    assert [one.to[0].to_object_id for one in batch.results] == [contact["id"]]
    wrong = {"properties": {"hs_timestamp": "2026-11-24T10:00:00Z"}, "associations": link}
    with pytest.raises(Exception, match="association types") as caught:
        await run(lambda: sdk.crm.objects.notes.basic_api.create(wrong))
    assert caught.value.status == 400  # type: ignore[attr-defined]
    await run(lambda: v4.basic_api.archive("deals", deal.id, "companies", company["id"]))
    assert sandbox.linked("companies", company["id"], "deals") == []


async def test_a_merge_makes_a_third_record(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    one, two = (sandbox.records.create("contacts", {"email": f"{n}@example.ru"}, [])["id"] for n in "ab")
    merge = PublicMergeInput(primary_object_id=one, object_id_to_merge=two)
    merged = await run(lambda: sdk.crm.contacts.basic_api.merge(merge))
    assert merged.id not in (one, two)
    old = await run(lambda: sdk.crm.contacts.basic_api.get_by_id(two, properties=["hs_additional_emails"]))
    assert (old.id, old.properties["hs_additional_emails"]) == (merged.id, "b@example.ru")


async def test_pipelines_owners_and_properties(sdk: HubSpot) -> None:
    pipelines = await run(lambda: sdk.crm.pipelines.pipelines_api.get_all("deals"))
    assert [one.id for one in pipelines.results] == ["default", "90700001"]
    assert pipelines.results[0].stages[5].metadata == {"isClosed": "true", "probability": "1.0"}
    owners = await run(lambda: sdk.crm.owners.owners_api.get_page(limit=2))
    assert [one.last_name for one in owners.results] == ["Петрова", "Смирнов"]
    rest = await run(lambda: sdk.crm.owners.owners_api.get_page(limit=2, after=owners.paging.next.after))
    assert [one.first_name for one in rest.results] == ["Мария"]
    properties = await run(lambda: sdk.crm.properties.core_api.get_all("deals"))
    read_only = {one.name for one in properties.results if one.modification_metadata.read_only_value}
    assert "hs_object_id" in read_only
    assert "dealname" not in read_only
    groups = await run(lambda: sdk.crm.properties.groups_api.get_all("deals"))
    assert groups.results[0].name == "dealinformation"


async def test_a_wrong_token_is_refused(sdk: HubSpot, sandbox: HubSpotSandbox) -> None:
    sandbox.tokens.fixed = "another"
    with pytest.raises(Exception, match="INVALID_AUTHENTICATION") as caught:
        await run(lambda: sdk.crm.owners.owners_api.get_page())
    assert caught.value.status == 401  # type: ignore[attr-defined]
