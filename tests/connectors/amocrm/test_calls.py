"""A call becomes a call note: the exact request, what is refused, and found again by its `uniq`."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.amocrm import AmocrmClient, AmocrmSettings
from connectors.base import CallDraft, NoteDraft, Opening
from connectors.errors import PermanentError, UnknownOutcomeError
from leads.clock import SystemClock
from tests.connectors.amocrm.support import IVAN, connected, deal
from tests.support.mocked import mocked
from tests.support.token_store import MemoryTokens

AT = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)
CALL = CallDraft(
    key="pbx-1:in_7",
    deal_id="77",
    contact_id="7",
    direction="in",
    phone="+79161234567",
    line="+74951234567",
    started_at=AT,
    talk_s=62,
    ring_s=9,
    disposition="answered",
    recording_url="https://rec.example.ru/1.mp3",
    responsible="5",
    employee="Анна (101)",
    text="Звонок 1:02, ждали 9 с, линия +7 495 123-45-67",
)


async def sent(draft: CallDraft, path: str) -> dict[str, Any]:
    """The one item that is posted to `path`."""
    settings = AmocrmSettings.model_validate({"base_url": "https://acme.amocrm.ru", "access_token": "t"})
    crm = AmocrmClient(Opening("sales", settings, SystemClock(), MemoryTokens()))
    answer = {"_embedded": {"notes": [{"id": 8, "entity_id": 77, "request_id": "0"}]}}
    try:
        with mocked(base_url=settings.base_url) as vendor:
            route = vendor.post(path).mock(return_value=httpx.Response(200, json=answer))
            assert await crm.create(draft) == "8"
    finally:
        await crm.close()
    (item,) = json.loads(route.calls.last.request.content)
    return dict(item)


async def test_a_call_is_one_note_with_our_key_as_uniq() -> None:
    assert await sent(CALL, "/api/v4/leads/77/notes") == {
        "note_type": "call_in",
        "params": {
            "uniq": "pbx-1:in_7",
            "duration": 62,
            "source": "leadhub",
            "link": "https://rec.example.ru/1.mp3",
            "phone": "+79161234567",
            "call_status": 4,
            "call_result": "Звонок 1:02, ждали 9 с, линия +7 495 123-45-67",
            "call_responsible": 5,
        },
        "created_at": int(AT.timestamp()),
        "responsible_user_id": 5,
    }


async def test_an_employee_without_a_user_of_the_crm_is_named_and_a_call_without_a_deal_hangs_on_the_contact() -> None:
    draft = replace(CALL, deal_id="", direction="out", responsible="", recording_url="", text="")
    item = await sent(draft, "/api/v4/contacts/7/notes")
    assert item["note_type"] == "call_out"
    assert item["params"]["call_responsible"] == "Анна (101)"
    assert item["params"]["link"] == ""
    assert "responsible_user_id" not in item
    assert "call_result" not in item["params"]


@pytest.mark.parametrize(
    ("disposition", "status"),
    [("answered", 4), ("missed", 6), ("no_answer", 6), ("failed", 6), ("busy", 7), ("voicemail", 1)],
)
async def test_every_end_of_a_call_has_its_status(disposition: Any, status: int) -> None:
    item = await sent(replace(CALL, disposition=disposition), "/api/v4/leads/77/notes")
    assert item["params"]["call_status"] == status


async def test_refused_values_are_named_as_the_draft_calls_them() -> None:
    async with connected() as x:
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN)))
        with pytest.raises(PermanentError) as caught:
            await x.crm.create(replace(CALL, deal_id=deal_id, responsible="99999999"))
        assert caught.value.fields == ("responsible",)
        with pytest.raises(PermanentError) as caught:
            await x.crm.create(replace(CALL, deal_id="999", responsible=""))
        assert caught.value.gone
        assert not x.box.calls


async def test_a_lost_call_is_found_by_its_uniq_among_other_notes() -> None:
    async with connected() as x:
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN)))
        draft = replace(CALL, deal_id=deal_id, responsible="")
        await x.crm.create(NoteDraft("n", f"Про звонок {draft.key}", deal_id))
        await x.crm.create(replace(draft, key=f"{draft.key}0"))
        assert await x.crm.find_created(draft, x.hint()) is None
        x.fail("reset_after", "POST /api/v4/leads")
        with pytest.raises(UnknownOutcomeError):
            await x.crm.create(draft)
        found = await x.crm.find_created(draft, x.hint())
        assert found is not None
        assert x.box.calls[found]["params"]["uniq"] == draft.key
        x.box.delete_deal(deal_id)
        assert await x.crm.find_created(draft, x.hint()) is None
