"""The exact requests of each method, and each answer that HubSpot is known to give to it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.base import CallDraft, ContactDraft, DealDraft, Hint, NeededField, Opening, TaskDraft
from connectors.errors import NoRightsError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.hubspot import HubSpotClient, HubSpotSettings
from leads.clock import SystemClock
from tests.connectors.hubspot.conftest import MemoryTokens
from tests.connectors.hubspot.schemas import request_problems
from tests.support.mocked import mocked

HOST = "https://api.hubapi.com"
D = "2026-03"
OBJECTS = f"{HOST}/crm/objects/{D}"
AT = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
RECORD = {"id": "512", "properties": {}, "createdAt": "2026-11-24T11:02:00Z", "updatedAt": "2026-11-24T11:02:00Z"}


def definitions(*names: str, key: str) -> dict[str, Any]:
    return {"results": [{"name": name} for name in names] + [{"name": key, "hasUniqueValue": True}]}


@pytest.fixture
async def mock() -> AsyncIterator[respx.MockRouter]:
    """An account whose unique properties are there; anything else has to be mocked by the test."""
    with mocked(base_url=HOST, assert_all_called=False) as router:
        staples = {"contacts": "email", "companies": "name", "deals": "dealname"}
        for type_, staple in staples.items():
            more = ("leadhub_source", "leadhub_utm_source", "description") if type_ == "deals" else ()
            answer = definitions(staple, "mobilephone", *more, key="leadhub_external_id")
            router.get(f"/crm/properties/{D}/{type_}").respond(json=answer)
        tasks = ("hs_task_body", "hs_task_priority", "hs_task_type", "hs_task_status")
        router.get(f"/crm/properties/{D}/notes").respond(json=definitions("hs_note_body", key="leadhub_activity_id"))
        answer = definitions("hs_task_subject", *tasks, key="leadhub_activity_id")
        router.get(f"/crm/properties/{D}/tasks").respond(json=answer)
        calls = [f"hs_call_{name}" for name in ("body", "direction", "status", "disposition", "duration")]
        calls += [f"hs_call_{name}" for name in ("from_number", "to_number", "recording_url")]
        answer = definitions("hs_call_title", *calls, key="leadhub_activity_id")
        router.get(f"/crm/properties/{D}/calls").respond(json=answer)
        router.route(path__regex=r"^/crm/v[34]/", name="plain").respond(404)
        yield router


@pytest.fixture
async def client(mock: respx.MockRouter) -> AsyncIterator[HubSpotClient]:
    settings = HubSpotSettings.model_validate({"access_token": "pat-eu1-0000"})
    client = HubSpotClient.open(Opening("hs", settings, SystemClock(), MemoryTokens()))
    yield client
    await client.close()


def sent(route: respx.Route) -> Any:
    """The body of the last request, checked against HubSpot's schema."""
    request = route.calls.last.request
    assert request.headers["authorization"] == "Bearer pat-eu1-0000"
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.content)
    assert request_problems(request.method, request.url.path, body) == []
    return body


async def test_create_contact(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.post(f"/crm/objects/{D}/contacts").respond(201, json=RECORD)
    draft = ContactDraft(
        key="01J0ABC",
        name="Иван Сергеев",
        phones=("+79161234567", "+74951234567"),
        emails=("ivan+1@example.ru",),
        responsible="80510101",
        company_id="77",
        fields={"city": "Тверь", "empty": None},
    )
    assert await client.create(draft) == "512"
    assert sent(route) == {
        "properties": {
            "email": "ivan+1@example.ru",
            "firstname": "Иван",
            "lastname": "Сергеев",
            "phone": "+79161234567",
            "mobilephone": "+74951234567",
            "hubspot_owner_id": "80510101",
            "city": "Тверь",
            "leadhub_external_id": "01j0abc",
        },
        "associations": [
            {"to": {"id": "77"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]}
        ],
    }


async def test_create_deal(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.post(f"/crm/objects/{D}/deals").respond(201, json=RECORD)
    draft = DealDraft(
        key="L-1",
        title="Окна",
        contact_id="5",
        company_id="6",
        responsible="80510101",
        pipeline="default",
        stage="qualifiedtobuy",
        price="100.50",
        source="site",
        comment="3 окна",
        utm={"utm_source": "yandex", "utm_term": "окна"},
        fields={"dealtype": "newbusiness", "closedate": AT, "leadhub_link": "https://hub.example.com/1"},
    )
    await client.create(draft)
    assert sent(route) == {
        "properties": {
            "dealname": "Окна",
            "pipeline": "default",
            "dealstage": "qualifiedtobuy",
            "amount": "100.50",
            "hubspot_owner_id": "80510101",
            "description": "3 окна\nleadhub: utm_term=окна",
            "leadhub_source": "site",
            "leadhub_utm_source": "yandex",
            "dealtype": "newbusiness",
            "closedate": "2026-11-24T11:02:00.000Z",
            "leadhub_external_id": "l-1",
        },
        "associations": [
            {"to": {"id": "5"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]},
            {"to": {"id": "6"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 341}]},
        ],
    }


async def test_create_task(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.post(f"/crm/objects/{D}/tasks").respond(201, json=RECORD)
    draft = TaskDraft("T-1", "Позвонить: Иван\n<срочно>", AT, deal_id="7", contact_id="5", responsible="80510101")
    await client.create(draft)
    assert sent(route) == {
        "properties": {
            "hs_timestamp": "2026-11-24T11:02:00.000Z",
            "hs_task_subject": "Позвонить: Иван",
            "hs_task_body": "Позвонить: Иван<br>&lt;срочно&gt;",
            "hs_task_status": "NOT_STARTED",
            "hs_task_priority": "HIGH",
            "hs_task_type": "CALL",
            "hubspot_owner_id": "80510101",
            "leadhub_activity_id": "t-1",
        },
        "associations": [
            {"to": {"id": "7"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 216}]},
            {"to": {"id": "5"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}]},
        ],
    }


async def test_create_call(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.post(f"/crm/objects/{D}/calls").respond(201, json=RECORD)
    draft = CallDraft(
        *("C-1", "7", "5", "out", "+79161234567", "+74951234567", AT, 62, 9, "answered"),
        recording_url="https://rec.example.ru/1.mp3",
        responsible="80510101",
        text="Звонил Пётр, 101 <линия 2>",
    )
    await client.create(draft)
    assert sent(route) == {
        "properties": {
            "hs_timestamp": "2026-11-24T11:02:00.000Z",
            "hs_call_title": "Звонил Пётр, 101 <линия 2>",
            "hs_call_body": "Звонил Пётр, 101 &lt;линия 2&gt;",
            "hs_call_direction": "OUTBOUND",
            "hs_call_status": "COMPLETED",
            "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
            "hs_call_duration": "62000",
            "hs_call_from_number": "+74951234567",
            "hs_call_to_number": "+79161234567",
            "hs_call_recording_url": "https://rec.example.ru/1.mp3",
            "hubspot_owner_id": "80510101",
            "leadhub_activity_id": "c-1",
        },
        "associations": [
            {"to": {"id": "7"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 206}]},
            {"to": {"id": "5"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]},
        ],
    }


async def test_a_token_without_rights_on_calls_is_told_as_such(mock: respx.MockRouter, client: HubSpotClient) -> None:
    mock.post(f"/crm/objects/{D}/calls").respond(403, json={"category": "MISSING_SCOPES"})
    with pytest.raises(NoRightsError):
        await client.create(CallDraft("c", "7", "", "in", "+79161234567", "", AT, 0, 9, "missed"))


async def test_an_account_without_calls_is_set_up_all_the_same(mock: respx.MockRouter, client: HubSpotClient) -> None:
    mock.get(f"/crm/properties/{D}/calls").respond(404, json={"category": "OBJECT_NOT_FOUND"})
    key = NeededField("call", "leadhub_activity_id", "Ключ", "Key", unique=True)
    assert await client.ensure_fields((key,), create=True) == []


async def test_find_contact_asks_by_key_email_and_phone(mock: respx.MockRouter, client: HubSpotClient) -> None:
    by_key = mock.get(f"/crm/objects/{D}/contacts/p-1", params={"idProperty": "leadhub_external_id"}).respond(
        404, json={}
    )
    by_email = mock.get(url__startswith=f"{OBJECTS}/contacts/ivan").respond(404, json={})
    search = mock.post(f"/crm/objects/{D}/contacts/search").respond(json={"total": 0, "results": []})
    assert await client.find_contact(("+79161234567",), ("ivan+1@example.ru",), "P-1") is None
    assert by_key.call_count == 1
    request = by_email.calls.last.request
    assert request.url.raw_path.startswith(f"/crm/objects/{D}/contacts/ivan%2B1%40example.ru?".encode())
    assert request.url.params["idProperty"] == "email"
    body = sent(search)
    assert [group["filters"] for group in body["filterGroups"]] == [
        [
            {
                "propertyName": "hs_searchable_calculated_phone_number",
                "operator": "CONTAINS_TOKEN",
                "value": "*9161234567",
            }
        ],
        [
            {
                "propertyName": "hs_searchable_calculated_mobile_number",
                "operator": "CONTAINS_TOKEN",
                "value": "*9161234567",
            }
        ],
        [{"propertyName": "phone", "operator": "EQ", "value": "+79161234567"}],
        [{"propertyName": "mobilephone", "operator": "EQ", "value": "+79161234567"}],
    ]


async def test_a_search_without_the_hidden_properties_is_asked_again_plainly(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    hit = {**RECORD, "properties": {"phone": "8 916 123-45-67"}}
    search = mock.post(f"/crm/objects/{D}/contacts/search")
    search.side_effect = [
        httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "unknown property"}),
        httpx.Response(200, json={"total": 1, "results": [hit]}),
    ]
    assert await client.find_contact(("+79161234567",), (), "") == "512"
    assert [group["filters"][0]["operator"] for group in sent(search)["filterGroups"]] == ["EQ", "EQ"]


async def test_an_account_that_cannot_search_still_gets_its_leads(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.post(f"/crm/objects/{D}/contacts/search").respond(404)
    assert await client.find_contact(("+79161234567",), (), "") is None


async def test_a_search_answer_without_results_is_not_nothing_found(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.post(f"/crm/objects/{D}/contacts/search").respond(json={"status": "ok"})
    with pytest.raises(RetryableError):
        await client.find_contact(("+79161234567",), (), "")


async def test_find_created_reads_by_the_unique_property(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.get(f"/crm/objects/{D}/deals/l-1").respond(
        json=RECORD | {"properties": {"leadhub_external_id": "l-1"}}
    )
    assert await client.find_created(DealDraft(key="L-1", title="x"), Hint(AT)) == "512"
    params = route.calls.last.request.url.params
    assert dict(params) == {"idProperty": "leadhub_external_id", "properties": "leadhub_external_id"}


async def test_a_record_with_another_key_is_not_ours(mock: respx.MockRouter, client: HubSpotClient) -> None:
    mock.get(f"/crm/objects/{D}/deals/l-1").respond(json=RECORD | {"properties": {"leadhub_external_id": "l-2"}})
    assert await client.find_created(DealDraft(key="L-1", title="x"), Hint(AT)) is None


async def test_update_and_reopen_deal(mock: respx.MockRouter, client: HubSpotClient) -> None:
    route = mock.patch(f"/crm/objects/{D}/deals/7").respond(json=RECORD)
    await client.update_deal("7", {"amount": 10, "won": True, "tags": ["a", "b"]})
    assert sent(route) == {"properties": {"amount": "10", "won": "true", "tags": "a;b"}}
    await client.reopen_deal("7", "default", "qualifiedtobuy")
    assert sent(route) == {"properties": {"pipeline": "default", "dealstage": "qualifiedtobuy"}}


async def test_deal_state(mock: respx.MockRouter, client: HubSpotClient) -> None:
    pipelines = {"results": [{"id": "p", "stages": [{"id": "s", "metadata": {"isClosed": "true"}}]}]}
    mock.get(f"/crm/pipelines/{D}/deals").respond(json=pipelines)
    properties = {"dealstage": "s", "pipeline": "p", "hubspot_owner_id": "9", "hs_lastmodifieddate": "1764000000000"}
    links = {"contacts": {"results": [{"id": 5, "type": "deal_to_contact"}]}}
    route = mock.get(f"/crm/objects/{D}/deals/7").respond(
        json=RECORD | {"properties": properties, "associations": links}
    )
    state = await client.deal_state("7")
    assert state is not None
    assert (state.closed, state.contact_ids, state.responsible) == (True, ("5",), "9")
    assert state.updated_at == datetime.fromtimestamp(1764000000, UTC)
    assert route.calls.last.request.url.params["associations"] == "contacts"


async def test_open_deal_reads_the_links_and_then_the_deals(mock: respx.MockRouter, client: HubSpotClient) -> None:
    mock.get(f"/crm/pipelines/{D}/deals").respond(500)
    links = mock.get(f"/crm/objects/{D}/contacts/5/associations/deals")
    links.side_effect = [
        httpx.Response(200, json={"results": [{"toObjectId": 7}], "paging": {"next": {"after": "9"}}}),
        httpx.Response(200, json={"results": [{"toObjectId": "9"}]}),
    ]
    stages = {"7": "qualifiedtobuy", "9": "closedlost"}
    records = [RECORD | {"id": id_, "properties": {"dealstage": stage}} for id_, stage in stages.items()]
    deals = mock.post(f"/crm/objects/{D}/deals/batch/read").respond(json={"status": "COMPLETE", "results": records})
    state = await client.open_deal("5")
    assert state is not None
    assert (state.id, state.closed) == ("7", False)
    assert links.calls.last.request.url.params["after"] == "9"
    assert sent(deals)["inputs"] == [{"id": "7"}, {"id": "9"}]


async def test_a_batch_read_that_is_not_complete_is_asked_again_later(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.get(f"/crm/objects/{D}/contacts/5/associations/deals").respond(json={"results": [{"toObjectId": 7}]})
    errors = [{"category": "INTERNAL_ERROR", "message": "x"}]
    answer = {"status": "COMPLETE", "results": [], "errors": errors}
    mock.post(f"/crm/objects/{D}/deals/batch/read").respond(207, json=answer)
    with pytest.raises(RetryableError):
        await client.open_deal("5")


async def test_a_vendor_with_the_plainest_endpoints_alone_is_enough(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    """No property list, no groups, no pipelines, no batches, no links: the lead arrives all the same."""
    mock.get(url__regex=r".*/crm/(properties|pipelines)/.*").respond(404)
    mock.post(url__regex=r".*/crm/properties/.*").respond(404)
    mock.get(f"/crm/objects/{D}/contacts/p-1").respond(404, html="<html>404</html>")
    mock.post(f"/crm/objects/{D}/contacts/search").respond(json={"total": 0, "results": []})
    mock.post(f"/crm/objects/{D}/contacts").respond(201, json={"id": 5})
    mock.get(f"/crm/objects/{D}/contacts/5").respond(404)
    deals = mock.post(f"/crm/objects/{D}/deals").respond(201, json={"id": "7"})
    assert await client.find_contact(("+79161234567",), (), "p-1") is None
    assert await client.create(ContactDraft(key="p-1", phones=("+79161234567",))) == "5"
    assert await client.create(DealDraft(key="l-1", title="x", contact_id="5", source="site")) == "7"
    assert sent(deals)["properties"]["leadhub_source"] == "site"


async def test_ensure_fields_creates_what_is_missing_in_the_right_group(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    groups = {"results": [{"name": "engagement_info", "archived": False}]}
    mock.get(f"/crm/properties/{D}/notes/groups").respond(json=groups)
    mock.get(f"/crm/properties/{D}/notes").respond(json={"results": [{"name": "hs_note_body"}]})
    route = mock.post(f"/crm/properties/{D}/notes").respond(201, json={"name": "leadhub_activity_id"})
    await client.ensure_fields(
        (NeededField("note", "leadhub_activity_id", "Ключ", "LeadHub ID", unique=True),), create=True
    )
    assert sent(route) == {
        "groupName": "engagement_info",
        "name": "leadhub_activity_id",
        "label": "LeadHub ID",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
    }


async def test_metadata_pages_through_the_owners(mock: respx.MockRouter, client: HubSpotClient) -> None:
    owners = mock.get(f"/crm/owners/{D}")
    owners.side_effect = [
        httpx.Response(
            200, json={"results": [{"id": "1", "email": "a@example.com"}], "paging": {"next": {"after": "2"}}}
        ),
        httpx.Response(200, json={"results": [{"id": 2, "firstName": "Анна", "lastName": "П", "userId": 9}]}),
    ]
    mock.get(f"/crm/pipelines/{D}/deals").respond(403, json={"category": "MISSING_SCOPES"})
    mock.get(f"/account-info/{D}/details").respond(json={"portalId": 33})
    metadata = await client.metadata()
    assert [(user.id, user.name) for user in metadata.users] == [("1", "a@example.com"), ("2", "Анна П")]
    assert metadata.known == {"users", "fields"}
    assert client.record_url("contact", "5") == "https://app.hubspot.com/contacts/33/record/0-1/5"


async def test_ping_falls_back_on_what_every_token_may_read(mock: respx.MockRouter, client: HubSpotClient) -> None:
    mock.get(f"/account-info/{D}/details").respond(403)
    route = mock.get(f"/crm/objects/{D}/contacts", params={"limit": "1"}).respond(json={"results": []})
    await client.ping()
    assert route.call_count == 1
    assert client.record_url("contact", "5") == ""


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (httpx.Response(429, json={"policyName": "TEN_SECONDLY_ROLLING"}), 10.0),
        (httpx.Response(429, json={"message": "You have reached your secondly limit."}), 1.0),
        (httpx.Response(429, headers={"retry-after": "7"}, text="slow down"), 7.0),
        (httpx.Response(429), 2.0),
        (httpx.Response(423, json={"category": "LOCKED"}), 2.0),
        (httpx.Response(477, headers={"retry-after": "3600"}), 3600.0),
    ],
)
async def test_every_kind_of_no_for_now(
    mock: respx.MockRouter, client: HubSpotClient, answer: httpx.Response, wait_s: float
) -> None:
    mock.patch(f"/crm/objects/{D}/deals/7").mock(return_value=answer)
    with pytest.raises(RateLimitedError) as caught:
        await client.update_deal("7", {"amount": "1"})
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(521),
        httpx.Response(408),
        httpx.Response(302, headers={"location": "/maintenance"}),
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(201, json={"properties": {}}),
        httpx.Response(201, content=b'{"id": "5'),
        httpx.Response(200),
    ],
)
async def test_answers_to_a_create_that_cannot_be_trusted(
    mock: respx.MockRouter, client: HubSpotClient, answer: httpx.Response
) -> None:
    mock.post(f"/crm/objects/{D}/contacts").mock(return_value=answer)
    with pytest.raises(UnknownOutcomeError):
        await client.create(ContactDraft(key="p-1", name="Иван"))


async def test_a_conflict_that_names_nobody_is_settled_by_the_key(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.post(f"/crm/objects/{D}/deals").respond(
        409, json={"category": "OBJECT_ALREADY_EXISTS", "message": "duplicate"}
    )
    mock.get(f"/crm/objects/{D}/deals/l-1").respond(json={"id": "7"})
    assert await client.create(DealDraft(key="l-1", title="x", pipeline="default", stage="s")) == "7"


async def test_another_unique_property_of_a_stranger_is_a_refused_field(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    where = "{portalId=1, objectTypeId=ObjectTypeId{legacyObjectType=DEAL}, propertyName=number, value=7}"
    text = f"Cannot set PropertyValueCoordinates{where} on 9. 8 already has that value."
    mock.post(f"/crm/objects/{D}/deals").respond(400, json={"category": "VALIDATION_ERROR", "message": text})
    with pytest.raises(PermanentError) as caught:
        await client.create(DealDraft(key="l-1", title="x", pipeline="default", stage="s", fields={"number": "7"}))
    assert caught.value.fields == ("number",)


async def test_a_property_that_is_made_but_not_shown_as_unique_is_sent_and_proves_nothing(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.get(f"/crm/properties/{D}/deals").respond(json={"results": [{"name": "dealname"}]})
    mock.get(f"/crm/properties/{D}/deals/groups").respond(404)
    mock.post(f"/crm/properties/{D}/deals").respond(201, json={"name": "leadhub_external_id"})
    mock.get(f"/crm/properties/{D}/deals/leadhub_external_id").respond(404)
    deals = mock.post(f"/crm/objects/{D}/deals").respond(201, json={"id": "7"})
    await client.create(DealDraft(key="l-1", title="x", pipeline="default", stage="s"))
    assert sent(deals)["properties"] == {
        "dealname": "x",
        "pipeline": "default",
        "dealstage": "s",
        "leadhub_external_id": "l-1",
    }
    mock.get(f"/crm/objects/{D}/deals/l-1").respond(404)
    with pytest.raises(RetryableError, match="too early"):
        await client.find_created(DealDraft(key="l-1", title="x"), Hint(datetime.now(UTC)))


async def test_a_contact_with_an_email_may_be_repeated_even_without_the_key(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.get(f"/crm/properties/{D}/contacts").respond(403)
    mock.get(f"/crm/properties/{D}/contacts/groups").respond(403)
    mock.post(f"/crm/properties/{D}/contacts").respond(403)
    mock.get(url__startswith=f"{OBJECTS}/contacts/").respond(404)
    draft = ContactDraft(key="p-1", emails=("ivan@example.ru",))
    assert await client.find_created(draft, Hint(datetime.now(UTC))) is None


async def test_an_update_goes_on_without_a_property_of_ours_that_is_gone(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    route = mock.patch(f"/crm/objects/{D}/deals/7")
    text = 'Property "leadhub_last_touch" does not exist'
    route.side_effect = [
        httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": text}),
        httpx.Response(200, json=RECORD),
    ]
    await client.update_deal("7", {"leadhub_last_touch": "x", "amount": 1})
    assert sent(route) == {"properties": {"amount": "1"}}
    await client.update_deal("7", {"leadhub_last_touch": "x"})
    assert route.call_count == 2


@pytest.mark.parametrize(("known", "set_to"), [("v3", "2026-03"), ("2026-03", "v3")])
async def test_an_account_that_knows_only_the_other_paths_gets_its_leads_there(known: str, set_to: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if known not in request.url.path:
            return httpx.Response(404, text="<html>not found</html>", headers={"content-type": "text/html"})
        asked.append(f"{request.method} {request.url.path}")
        if request.url.path.endswith("/search"):
            return httpx.Response(200, json={"total": 0, "results": []})
        if request.method == "POST":
            return httpx.Response(201, json=RECORD)
        return httpx.Response(404, json={"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no"})

    asked: list[str] = []
    objects = "/crm/v3/objects" if known == "v3" else f"/crm/objects/{known}"
    with mocked(base_url=HOST) as router:
        router.route().mock(side_effect=answer)
        settings = HubSpotSettings.model_validate({"access_token": "pat-eu1-0000", "api_version": set_to})
        client = HubSpotClient.open(Opening("hs", settings, SystemClock(), MemoryTokens()))
        assert await client.create(ContactDraft("p1", "Иван")) == "512"
        assert await client.create(DealDraft("l1", "Окна", "512")) == "512"
        assert [line for line in asked if line.endswith("/deals")][-1] == f"POST {objects}/deals"
        await client.close()


async def test_an_address_that_no_version_knows_is_refused_and_not_asked_for_twice(
    mock: respx.MockRouter, client: HubSpotClient
) -> None:
    mock.post(f"{OBJECTS}/contacts").respond(404)
    for _ in range(2):
        with pytest.raises(PermanentError):
            await client.create(ContactDraft("p1", "Иван"))
    plain = [call.request.url.path for call in mock["plain"].calls]
    assert plain.count("/crm/v3/objects/contacts") == 1


async def test_a_record_is_not_called_absent_because_the_paths_are_the_wrong_ones() -> None:
    deal = {**RECORD, "properties": {"leadhub_external_id": "l1", "dealstage": "new"}}
    settings = HubSpotSettings.model_validate({"access_token": "pat-eu1-0000"})
    with mocked(base_url=HOST) as router:
        router.get("/crm/v3/objects/deals/512").respond(json=deal)
        router.route(path__regex="^/crm/").respond(404)
        client = HubSpotClient.open(Opening("hs", settings, SystemClock(), MemoryTokens()))
        found = await client.read_back(("512",), AT, AT)
        await client.close()
    assert [each.id for each in found] == ["512"]
