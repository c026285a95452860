"""Each client method's requests, to the letter."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.amocrm import CONNECTOR, AmocrmClient, AmocrmSettings
from connectors.amocrm.payloads import text_marker
from connectors.base import CompanyDraft, ContactDraft, DealDraft, NoteDraft, Opening, TaskDraft
from leads.clock import SystemClock
from tests.support.mocked import mocked
from tests.support.token_store import MemoryTokens

BASE = "https://acme.amocrm.ru"
FIELDS = {
    "leads": [
        {"id": 901, "code": "LEADHUB_ID", "type": "text"},
        {"id": 610, "code": "UTM_SOURCE", "type": "tracking_data"},
    ],
    "contacts": [{"id": 911, "code": "LEADHUB_ID", "type": "text"}, {"id": 912, "code": "PHONE", "type": "multitext"}],
}


def listed(collection: str, rows: list[Any]) -> httpx.Response:
    return httpx.Response(200, json={"_page": 1, "_links": {"self": {}}, "_embedded": {collection: rows}})


@pytest.fixture
def vendor() -> Any:
    with mocked(base_url=BASE, assert_all_called=False) as mock:
        for entity, rows in FIELDS.items():
            mock.get(f"/api/v4/{entity}/custom_fields").mock(return_value=listed("custom_fields", rows))
        yield mock


@pytest.fixture
async def crm(vendor: Any) -> AsyncIterator[AmocrmClient]:
    settings = AmocrmSettings(base_url=BASE, access_token="long-lived")  # type: ignore[arg-type]
    client = AmocrmClient(Opening("sales", settings, SystemClock(), MemoryTokens(), user_agent="leadhub/1"))
    yield client
    await client.close()


def sent(route: Any) -> Any:
    return json.loads(route.calls.last.request.content)


async def test_every_request_bears_the_token_and_who_asks(vendor: Any, crm: AmocrmClient) -> None:
    route = vendor.get("/api/v4/account").mock(return_value=httpx.Response(200, json={"id": 1}))
    await crm.ping()
    headers = route.calls.last.request.headers
    assert headers["authorization"] == "Bearer long-lived"
    assert headers["user-agent"] == "leadhub/1"


async def test_find_contact(vendor: Any, crm: AmocrmClient) -> None:
    row = {
        "id": 7,
        "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": "89161234567", "enum": "WORK"}]}],
    }
    by_phone = vendor.get("/api/v4/contacts", params={"query": "9161234567", "limit": "250", "page": "1"}).mock(
        return_value=listed("contacts", [row])
    )
    by_mail = vendor.get("/api/v4/contacts", params={"query": "ivan@example.ru"}).mock(return_value=httpx.Response(204))
    assert await crm.find_contact(("+79161234567",), ("ivan@example.ru",), "k") == "7"
    assert by_phone.called
    assert by_mail.called


async def test_create_contact(vendor: Any, crm: AmocrmClient) -> None:
    route = vendor.post("/api/v4/contacts").mock(return_value=listed("contacts", [{"id": 7, "request_id": "0"}]))
    draft = ContactDraft("p1", "Иван", ("+79161234567",), ("ivan@example.ru",), responsible="5", company_id="9")
    assert await crm.create(draft) == "7"
    assert sent(route) == [
        {
            "name": "Иван",
            "responsible_user_id": 5,
            "custom_fields_values": [
                {"field_code": "PHONE", "values": [{"value": "+79161234567", "enum_code": "WORK"}]},
                {"field_code": "EMAIL", "values": [{"value": "ivan@example.ru", "enum_code": "WORK"}]},
                {"field_id": 911, "values": [{"value": "p1"}]},
            ],
            "_embedded": {"companies": [{"id": 9}]},
        }
    ]


async def test_create_deal(vendor: Any, crm: AmocrmClient) -> None:
    route = vendor.post("/api/v4/leads").mock(return_value=listed("leads", [{"id": 77, "request_id": "0"}]))
    draft = DealDraft("d1", "Заявка", contact_id="7", responsible="5", pipeline="6", stage="142", source="site",
                      utm={"utm_source": "yandex"})  # fmt: skip
    assert await crm.create(draft) == "77"
    assert sent(route) == [
        {
            "name": "Заявка",
            "responsible_user_id": 5,
            "pipeline_id": 6,
            "status_id": 142,
            "custom_fields_values": [
                {"field_id": 901, "values": [{"value": "d1"}]},
                {"field_code": "UTM_SOURCE", "values": [{"value": "yandex"}]},
            ],
            "_embedded": {"tags": [{"name": "site"}], "contacts": [{"id": 7, "is_main": True}]},
        }
    ]


async def test_create_company_note_and_task(vendor: Any, crm: AmocrmClient) -> None:
    company = vendor.post("/api/v4/companies").mock(return_value=listed("companies", [{"id": 9}]))
    assert await crm.create(CompanyDraft("c", "ООО Ромашка", responsible="5")) == "9"
    assert sent(company) == [{"name": "ООО Ромашка", "responsible_user_id": 5}]
    note = vendor.post("/api/v4/leads/77/notes").mock(return_value=listed("notes", [{"id": 8, "entity_id": 77}]))
    assert await crm.create(NoteDraft("n", "Текст", "77")) == "8"
    assert sent(note) == [{"note_type": "common", "params": {"text": f"Текст\n{text_marker('n')}"}}]
    task = vendor.post("/api/v4/tasks").mock(return_value=listed("tasks", [{"id": 10}]))
    due_at = datetime(2026, 11, 24, 14, 17, tzinfo=UTC)
    assert await crm.create(TaskDraft("t", "Позвонить", due_at, "77", responsible="5")) == "10"
    assert sent(task) == [
        {
            "text": f"Позвонить {text_marker('t')}",
            "complete_till": int(due_at.timestamp()),
            "task_type_id": 1,
            "entity_id": 77,
            "entity_type": "leads",
            "responsible_user_id": 5,
        }
    ]


async def test_update_and_reopen(vendor: Any, crm: AmocrmClient) -> None:
    route = vendor.patch("/api/v4/leads/77").mock(return_value=httpx.Response(200, json={"id": 77}))
    await crm.update_deal("77", {"901": "k", "55": "x"})
    assert sent(route) == {
        "custom_fields_values": [
            {"field_id": 901, "values": [{"value": "k"}]},
            {"field_id": 55, "values": [{"value": "x"}]},
        ]
    }
    await crm.reopen_deal("77", "6", "61")
    assert sent(route) == {"status_id": 61, "pipeline_id": 6}
    await crm.tag_deal("77", ("счёт", "жалоба"))
    assert sent(route) == {"tags_to_add": [{"name": "счёт"}, {"name": "жалоба"}]}


async def test_enrich_contact_sends_old_numbers_too(vendor: Any, crm: AmocrmClient) -> None:
    stored = [{"value": "8 916 123-45-67", "enum_id": 1, "enum_code": "MOB"}, {"value": "+74951234567", "enum": "WORK"}]
    row = {"id": 7, "name": "Иван", "custom_fields_values": [{"field_code": "PHONE", "values": stored}]}
    vendor.get("/api/v4/contacts/7").mock(return_value=httpx.Response(200, json=row))
    route = vendor.patch("/api/v4/contacts/7").mock(return_value=httpx.Response(200, json={"id": 7}))
    await crm.enrich_contact("7", ContactDraft("p1", "Пётр", ("+79161234567", "+79031112233")))
    assert sent(route) == {
        "custom_fields_values": [
            {"field_id": 911, "values": [{"value": "p1"}]},
            {
                "field_code": "PHONE",
                "values": [
                    {"value": "8 916 123-45-67", "enum_code": "MOB"},
                    {"value": "+74951234567", "enum_code": "WORK"},
                    {"value": "+79031112233", "enum_code": "WORK"},
                ],
            },
        ]
    }


async def test_open_deal_and_deal_state(vendor: Any, crm: AmocrmClient) -> None:
    contact = {"id": 7, "_embedded": {"leads": [{"id": 76}, {"id": 77}]}}
    vendor.get("/api/v4/contacts/7", params={"with": "leads"}).mock(return_value=httpx.Response(200, json=contact))
    deal = {"id": 77, "status_id": 61, "pipeline_id": 6, "responsible_user_id": 5, "updated_at": 1795529820,
            "_embedded": {"contacts": [{"id": 8, "is_main": False}, {"id": 7, "is_main": True}]}}  # fmt: skip
    vendor.get("/api/v4/leads/77", params={"with": "contacts"}).mock(return_value=httpx.Response(200, json=deal))
    state = await crm.open_deal("7")
    assert state is not None
    assert state == await crm.deal_state("77")
    assert (state.pipeline, state.stage, state.responsible, state.contact_ids) == ("6", "61", "5", ("7", "8"))
    assert state.updated_at == datetime(2026, 11, 24, 14, 17, tzinfo=UTC)
    vendor.get("/api/v4/leads/78").mock(return_value=httpx.Response(204))
    assert await crm.deal_state("78") is None


async def test_ensure_fields(vendor: Any, crm: AmocrmClient) -> None:
    route = vendor.post("/api/v4/leads/custom_fields").mock(
        return_value=listed("custom_fields", [{"id": 950, "code": "LEADHUB_LINK", "type": "url"}])
    )
    link = tuple(needed for needed in CONNECTOR.needed_fields if needed.code in ("LEADHUB_LINK", "LEADHUB_ID"))
    assert [needed.code for needed in await crm.ensure_fields(link, create=True)] == ["LEADHUB_LINK"]
    assert sent(route) == [{"name": "leadhub: ссылка", "type": "url", "code": "LEADHUB_LINK", "is_api_only": True}]


async def test_the_whole_key_field_refused_without_a_path_is_found_out(vendor: Any, crm: AmocrmClient) -> None:
    """A 400 that names nothing: once without fields of ours, and if that is taken, they were to blame."""
    refusal = httpx.Response(400, json={"title": "Bad Request", "status": 400, "detail": "Custom field not found"})
    accepted = listed("leads", [{"id": 77, "request_id": "0"}])
    route = vendor.post("/api/v4/leads").mock(side_effect=[refusal, accepted, accepted])
    assert await crm.create(DealDraft("d1", "Заявка")) == "77"
    assert sent(route) == [{"name": "Заявка [lh-d1]"}]
    await crm.create(DealDraft("d2", "Заявка"))
    assert route.call_count == 3
