"""The exact requests of each method: address, headers, body."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.base import CompanyDraft, ContactDraft, DealDraft, Hint, NoteDraft, Opening, TaskDraft
from connectors.bitrix24 import CONNECTOR, Bitrix24Client, Bitrix24Settings
from connectors.errors import PermanentError, RetryableError
from tests.support.manual_clock import ManualClock
from tests.support.mocked import mocked
from tests.support.token_store import MemoryTokens

BASE = "https://portal.example.ru/rest/1/abc123secret/"
AT = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)
HINT = Hint(AT)
PERSON = ContactDraft("p1", "Иван", ("+79161234567",), ("ivan@example.ru",), "7")


class Vendor:
    """Answers by method; keeps the bodies."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.answers: dict[str, Any] = {"crm.settings.mode.get": 2, "crm.status.list": []}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[httpx.Headers] = []
        router.post(url__startswith=BASE).mock(side_effect=self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        method = str(request.url).removeprefix(BASE)
        body = json.loads(request.content)
        self.asked.append((method, body))
        self.headers.append(request.headers)
        if method == "batch":
            done, refused = {}, {}
            for key, command in body["cmd"].items():
                answer = self._of(command.partition("?")[0])
                target = refused if isinstance(answer, dict) and "error" in answer else done
                target[key] = answer
            return httpx.Response(200, json={"result": {"result": done or [], "result_error": refused or []}})
        answer = self._of(method)
        if isinstance(answer, dict) and "error" in answer:
            return httpx.Response(404 if answer["error"] == "ERROR_METHOD_NOT_FOUND" else 400, json=answer)
        return httpx.Response(200, json={"result": answer})

    def _of(self, method: str) -> Any:
        if method not in self.answers:
            return {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
        return self.answers[method]

    def commands(self) -> list[str]:
        return list(self.asked[-1][1]["cmd"].values())


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with mocked() as router:
        yield Vendor(router)


def opened(**settings: Any) -> Bitrix24Client:
    given = Bitrix24Settings.model_validate({"webhook_url": BASE, **settings})
    return Bitrix24Client(Opening("b24", given, ManualClock(), MemoryTokens(), user_agent="leadhub/test"))


async def test_a_contact_is_one_plain_request(vendor: Vendor) -> None:
    vendor.answers["crm.contact.add"] = 12
    assert await opened().create(PERSON) == "12"
    fields = {
        "NAME": "Иван",
        "PHONE": [{"VALUE": "+79161234567", "VALUE_TYPE": "MOBILE"}],
        "EMAIL": [{"VALUE": "ivan@example.ru", "VALUE_TYPE": "WORK"}],
        "ASSIGNED_BY_ID": 7,
        "ORIGINATOR_ID": "leadhub",
        "ORIGIN_ID": "p1",
    }
    assert vendor.asked == [("crm.contact.add", {"fields": fields})]
    assert vendor.headers[0]["content-type"] == "application/json"
    assert vendor.headers[0]["user-agent"] == "leadhub/test"
    assert "cookie" not in vendor.headers[0]


async def test_a_company_is_one_plain_request(vendor: Vendor) -> None:
    vendor.answers["crm.company.add"] = "3"
    assert await opened().create(CompanyDraft("c1", "ООО Ромашка")) == "3"
    fields = {"TITLE": "ООО Ромашка", "ORIGINATOR_ID": "leadhub", "ORIGIN_ID": "c1"}
    assert vendor.asked == [("crm.company.add", {"fields": fields})]


async def test_a_deal_tells_its_responsible_user(vendor: Vendor) -> None:
    vendor.answers["crm.deal.add"] = 42
    assert await opened(record="deal").create(DealDraft("l1:deal", "Окна", "12", source="Авито")) == "42"
    fields = {
        "TITLE": "Окна",
        "CONTACT_ID": 12,
        "SOURCE_ID": "WEB",
        "SOURCE_DESCRIPTION": "Авито",
        "ORIGINATOR_ID": "leadhub",
        "ORIGIN_ID": "l1:deal",
    }
    assert vendor.asked[-1] == ("crm.deal.add", {"fields": fields, "params": {"REGISTER_SONET_EVENT": "Y"}})


async def test_in_a_classic_portal_an_enquiry_is_a_lead(vendor: Vendor) -> None:
    vendor.answers |= {"crm.settings.mode.get": 1, "crm.lead.add": 8}
    draft = DealDraft("l1:deal", "Окна", "12", phones=("+79161234567",), name="Иван")
    client = opened()
    assert await client.create(draft) == "8"
    method, body = vendor.asked[-1]
    assert method == "crm.lead.add"
    assert body["fields"]["CONTACT_ID"] == 12
    assert body["fields"]["PHONE"] == [{"VALUE": "+79161234567", "VALUE_TYPE": "MOBILE"}]
    assert client.record_url("deal", "8") == "https://portal.example.ru/crm/lead/details/8/"
    assert client.record_url("deal", "D_5") == "https://portal.example.ru/crm/deal/details/5/"


async def test_notes_and_tasks_hang_on_the_deal(vendor: Vendor) -> None:
    vendor.answers |= {"crm.timeline.comment.add": 5, "crm.activity.todo.add": {"id": 6}}
    client = opened(record="deal")
    assert await client.create(NoteDraft("n1", "Текст", "42")) == "5"
    assert vendor.asked[-1] == (
        "crm.timeline.comment.add",
        {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 42, "COMMENT": "Текст\n\n#leadhub:n1"}},
    )
    assert await client.create(TaskDraft("t1", "Позвонить", AT, "42")) == "6"
    assert vendor.asked[-1][0] == "crm.activity.todo.add"
    assert vendor.asked[-1][1]["deadline"] == "2026-11-24T11:17:00+00:00"


async def test_an_old_portal_without_to_dos_gets_a_planned_call(vendor: Vendor) -> None:
    vendor.answers["crm.activity.add"] = 6
    draft = TaskDraft("t1", "Позвонить +7 916 123-45-67", AT, "42", "12")
    assert await opened(record="deal").create(draft) == "6"
    assert [method for method, _ in vendor.asked] == ["crm.activity.todo.add", "crm.activity.add"]


async def test_look_ups_of_a_contact_leave_in_one_request_and_say_contact(vendor: Vendor) -> None:
    vendor.answers |= {"crm.item.list": {"items": []}, "crm.duplicate.findbycomm": []}
    client = opened(record="deal")
    await client.find_contact((), (), "warm")  # dictionaries are read once
    vendor.asked.clear()
    assert await client.find_contact(("+79161234567",), ("ivan@example.ru",), "p1") is None
    assert [method for method, _ in vendor.asked] == ["batch"]
    assert vendor.asked[0][1]["halt"] == 0
    by_phone = next(each for each in vendor.commands() if "type=PHONE" in each)
    assert by_phone == (
        "crm.duplicate.findbycomm?type=PHONE&values[0]=%2B79161234567&values[1]=9161234567&entity_type=CONTACT"
    )


async def test_a_contact_that_we_may_not_see_is_passed_over(vendor: Vendor) -> None:
    denied = {"error": "", "error_description": "Access denied."}
    hits = {"CONTACT": [3]}
    vendor.answers |= {"crm.item.list": {"items": []}, "crm.duplicate.findbycomm": hits, "crm.contact.get": denied}
    assert await opened(record="deal").find_contact(("+79161234567",), (), "p1") is None


async def test_our_key_is_looked_up_as_documented_and_compared(vendor: Vendor) -> None:
    vendor.answers["crm.item.list"] = {
        "items": [
            {"id": 9, "originatorId": "leadhub", "originId": "l1:deal"},
            {"id": 4, "originatorId": "leadhub", "originId": "l1:deal"},
            {"id": 2, "originatorId": "other", "originId": "l1:deal"},
            {"id": 1, "originatorId": "leadhub", "originId": "l10:deal"},
        ]
    }
    client = opened(record="deal")
    assert await client.find_created(DealDraft("l1:deal", "Окна"), HINT) == "4"
    assert vendor.asked == [
        (
            "crm.item.list",
            {
                "entityTypeId": 2,
                "filter": {"=originatorId": "leadhub", "=originId": "l1:deal"},
                "select": ["id", "originatorId", "originId"],
                "order": {"id": "ASC"},
                "start": -1,
            },
        )
    ]


async def test_rows_that_are_not_what_was_asked_mean_unknown_not_absent(vendor: Vendor) -> None:
    vendor.answers["crm.item.list"] = {"items": [{"id": 1, "originatorId": "leadhub", "originId": "other"}]}
    with pytest.raises(RetryableError):
        await opened(record="deal").find_created(DealDraft("l1:deal", "Окна"), HINT)


async def test_a_box_without_crm_item_is_asked_by_the_classic_list(vendor: Vendor) -> None:
    vendor.answers["crm.contact.list"] = [{"ID": "7", "ORIGINATOR_ID": "leadhub", "ORIGIN_ID": "p1"}]
    client = opened(record="deal")
    assert await client.find_created(PERSON, HINT) == "7"
    assert await client.find_created(PERSON, HINT) == "7"
    assert [method for method, _ in vendor.asked] == ["crm.item.list", "crm.contact.list", "crm.contact.list"]
    assert vendor.asked[-1][1]["filter"] == {"ORIGINATOR_ID": "leadhub", "ORIGIN_ID": "p1"}


async def test_a_look_up_that_the_portal_refuses_is_no_answer(vendor: Vendor) -> None:
    with pytest.raises(RetryableError):
        await opened(record="deal").find_created(PERSON, HINT)


async def test_deals_are_updated_and_reopened_by_the_classic_method(vendor: Vendor) -> None:
    row = {"ID": "42", "STAGE_ID": "NEW", "CATEGORY_ID": "0", "STAGE_SEMANTIC_ID": "P", "CONTACT_ID": "12"}
    vendor.answers |= {"crm.deal.update": True, "crm.deal.get": row}
    client = opened(record="deal")
    await client.update_deal("42", {"UF_CRM_LEADHUB_LINK": "x"})
    assert vendor.asked == [("crm.deal.update", {"id": 42, "fields": {"UF_CRM_LEADHUB_LINK": "x"}})]
    await client.reopen_deal("42", "", "NEW")
    assert vendor.asked[2] == ("crm.deal.update", {"id": 42, "fields": {"STAGE_ID": "NEW"}})
    with pytest.raises(PermanentError) as caught:
        await client.reopen_deal("42", "", "NO_SUCH")
    assert caught.value.fields == ("stage",)


async def test_another_pipeline_needs_the_new_method(vendor: Vendor) -> None:
    row = {"ID": "42", "STAGE_ID": "C5:NEW", "CATEGORY_ID": "0"}
    vendor.answers |= {"crm.item.update": {"item": {"id": 42}}, "crm.deal.get": row}
    await opened(record="deal").reopen_deal("42", "5", "")
    body = {"entityTypeId": 2, "id": 42, "fields": {"categoryId": 5, "stageId": "C5:NEW"}}
    assert ("crm.item.update", body) in vendor.asked


async def test_open_deals_are_read_newest_first_and_strangers_dropped(vendor: Vendor) -> None:
    vendor.answers["crm.contact.get"] = {"ID": "12"}
    vendor.answers["crm.deal.list"] = [
        {"ID": "3", "CONTACT_ID": "99", "STAGE_ID": "NEW", "STAGE_SEMANTIC_ID": "P"},
        {"ID": "2", "CONTACT_ID": "12", "STAGE_ID": "WON", "STAGE_SEMANTIC_ID": "S"},
        {"ID": "1", "CONTACT_ID": "12", "STAGE_ID": "NEW", "STAGE_SEMANTIC_ID": "P"},
    ]
    state = await opened(record="deal").open_deal("12")
    assert state is not None
    assert (state.id, state.closed) == ("1", False)
    assert [method for method, _ in vendor.asked] == ["batch"]
    assert "crm.contact.get?id=12" in vendor.commands()
    asked = next(each for each in vendor.commands() if each.startswith("crm.deal.list?"))
    assert asked.startswith("crm.deal.list?filter[CONTACT_ID]=12&select[0]=ID&")
    assert asked.endswith("&order[ID]=DESC&start=-1")


@pytest.mark.parametrize("error", [{"error": "", "error_description": "Not found"}, {"error": "NOT_FOUND"}])
async def test_a_deal_that_is_gone_has_no_state(vendor: Vendor, error: dict[str, str]) -> None:
    vendor.answers["crm.deal.get"] = error
    assert await opened(record="deal").deal_state("42") is None


async def test_a_ping_asks_what_needs_no_rights(vendor: Vendor) -> None:
    vendor.answers["profile"] = {"ID": "1"}
    await opened().ping()
    assert vendor.asked == [("profile", {})]


async def test_fields_are_made_on_what_an_enquiry_becomes(vendor: Vendor) -> None:
    known = {"TITLE": {"type": "string"}, "UF_CRM_LEADHUB_LINK": {"type": "string"}}
    vendor.answers |= {"crm.settings.mode.get": 1, "crm.lead.fields": known, "crm.lead.userfield.add": 101}
    missing = await opened().ensure_fields(CONNECTOR.needed_fields, create=True)
    assert [field.code for field in missing] == [
        "UF_CRM_LEADHUB_SOURCE",
        "UF_CRM_LEADHUB_FIRST_TOUCH",
        "UF_CRM_LEADHUB_LAST_TOUCH",
    ]
    made = [body["fields"] for method, body in vendor.asked if method == "crm.lead.userfield.add"]
    assert made[0]["FIELD_NAME"] == "UF_CRM_LEADHUB_SOURCE"
    assert made[0]["USER_TYPE_ID"] == "string"
    assert made[0]["EDIT_FORM_LABEL"] == {"ru": "leadhub: источник", "en": "leadhub: source"}
    assert len(made) == 3


async def test_a_portal_without_the_classic_methods_is_written_to_by_the_item_ones(vendor: Vendor) -> None:
    vendor.answers |= {"crm.settings.mode.get": 1, "crm.item.add": {"item": {"id": 12}}}
    client = opened()
    assert await client.create(PERSON) == "12"
    assert await client.create(DealDraft("l1", "Окна", "12", phones=PERSON.phones, fields={"UF_CRM_A": "x"})) == "12"
    written = [(method, body) for method, body in vendor.asked if method.startswith("crm.item.")]
    person = {
        "name": "Иван",
        "assignedById": 7,
        "originatorId": "leadhub",
        "originId": "p1",
        "fm": {
            "n0": {"typeId": "PHONE", "valueType": "MOBILE", "value": "+79161234567"},
            "n1": {"typeId": "EMAIL", "valueType": "WORK", "value": "ivan@example.ru"},
        },
    }
    lead = {
        "title": "Окна",
        "contactId": 12,
        "sourceId": "WEB",
        "UF_CRM_A": "x",
        "originatorId": "leadhub",
        "originId": "l1",
        "fm": {"n0": {"typeId": "PHONE", "valueType": "MOBILE", "value": "+79161234567"}},
    }
    assert written == [
        ("crm.item.add", {"entityTypeId": 3, "useOriginalUfNames": "Y", "fields": person}),
        ("crm.item.add", {"entityTypeId": 1, "useOriginalUfNames": "Y", "fields": lead}),
    ]
    await client.create(PERSON)
    assert [method for method, _ in vendor.asked].count("crm.contact.add") == 1


async def test_a_record_read_by_the_item_method_is_understood_as_a_classic_one(vendor: Vendor) -> None:
    item = {
        "id": 31,
        "stageId": "C2:WON",
        "stageSemanticId": "S",
        "categoryId": 2,
        "contactId": 12,
        "assignedById": 7,
        "updatedTime": "2026-11-24T14:02:00+03:00",
    }
    vendor.answers["crm.item.get"] = {"item": item}
    state = await opened().deal_state("31")
    assert state is not None
    assert (state.id, state.stage, state.closed, state.pipeline) == ("31", "C2:WON", True, "2")
    assert (state.contact_ids, state.responsible, state.updated_at) == (("12",), "7", AT.replace(minute=2))


async def test_a_contact_read_by_the_item_method_gets_only_what_it_lacks(vendor: Vendor) -> None:
    phones = [{"id": 5, "typeId": "PHONE", "valueType": "WORK", "value": "8 916 123-45-67"}]
    vendor.answers |= {
        "crm.item.get": {"item": {"id": 12, "name": "Иван", "originId": "p1", "originatorId": "leadhub", "fm": phones}},
        "crm.item.update": {"item": {"id": 12}},
    }
    await opened().enrich_contact("12", PERSON)
    added = {"fm": {"n0": {"typeId": "EMAIL", "valueType": "WORK", "value": "ivan@example.ru"}}}
    assert vendor.asked[-1] == (
        "crm.item.update",
        {"entityTypeId": 3, "useOriginalUfNames": "Y", "id": 12, "fields": added},
    )


async def test_the_audit_does_not_mind_that_a_portal_has_no_leads(vendor: Vendor) -> None:
    del vendor.answers["crm.settings.mode.get"]
    vendor.answers["crm.deal.list"] = [{"ID": "31", "ORIGIN_ID": "l1", "ORIGINATOR_ID": "leadhub", "CONTACT_ID": "12"}]
    found = await opened().read_back(("31",), AT, AT)
    assert [(deal.id, deal.key, deal.has_contact) for deal in found] == [("31", "l1", True)]


async def test_a_mandatory_field_that_is_younger_than_what_we_know_is_known_by_its_title(vendor: Vendor) -> None:
    text = 'Поле "Бюджет" обязательно для заполнения'
    vendor.answers |= {
        "crm.deal.add": {"error": "CRM_FIELD_ERROR_REQUIRED", "error_description": text},
        "crm.deal.list": [],
        "crm.deal.fields": {"UF_CRM_1": {"type": "string", "title": "UF_CRM_1", "formLabel": "Бюджет"}},
    }
    client = opened(record="deal")
    with pytest.raises(PermanentError) as caught:
        await client.create(DealDraft("l1", "Окна"))
    assert caught.value.fields == ("UF_CRM_1",)
    vendor.answers["crm.deal.add"] = 31
    assert await client.create(DealDraft("l1", "Окна")) == "31"
    assert vendor.asked[-1][1]["fields"]["UF_CRM_1"] == "-"
