"""A vendor that knows the essential endpoints only, keeps records as they were sent and ignores every parameter."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.amocrm import AmocrmClient, AmocrmSettings
from connectors.base import ContactDraft, DealDraft, Hint, NoteDraft, Opening, TaskDraft
from connectors.errors import UnknownOutcomeError
from leads.clock import SystemClock
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve

KEPT = ("contacts", "leads", "notes", "tasks")


class Minimal:
    """Creates and lists, nothing else; any other path is a 404 in plain text. `lose` answers are cut off."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KEPT}
        self.lose = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status, answer = self._answer(scope["method"], scope["path"], body)
        if status == 200 and scope["method"] == "POST" and self.lose:
            self.lose -= 1
            answer = answer[:9]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        parts = path.removeprefix("/api/v4/").split("/")
        kind = parts[-1]
        if kind not in KEPT or (len(parts) > 1 and kind != "notes"):
            return 404, b"404: Not Found"
        rows = self.rows[kind]
        if method == "POST":
            made = [
                {**item, "id": 100 + len(rows) + n, "entity": parts[1:2]} for n, item in enumerate(json.loads(body))
            ]
            rows.extend(made)
            return 200, json.dumps({"_embedded": {kind: [{"id": row["id"]} for row in made]}}).encode()
        return (200, json.dumps({"_embedded": {kind: rows}}).encode()) if rows else (204, b"")


@pytest.fixture
async def vendor() -> Minimal:
    return Minimal()


@pytest.fixture
async def crm(vendor: Minimal) -> AsyncIterator[AmocrmClient]:
    async with serve(vendor) as url:
        settings = AmocrmSettings.model_validate({"base_url": url, "access_token": "t", "rate": {"calls": 1000}})
        client = AmocrmClient(Opening("sales", settings, SystemClock(), MemoryTokens()))
        yield client
        await client.close()


async def test_a_lead_arrives_whole_all_the_same(vendor: Minimal, crm: AmocrmClient) -> None:
    await crm.create(ContactDraft("p0", "Чужой", ("+74951234567",)))
    assert await crm.find_contact(("+79161234567",), ("ivan@example.ru",), "p1") is None
    contact_id = await crm.create(ContactDraft("p1", "Иван", ("+79161234567",), ("ivan@example.ru",)))
    assert await crm.find_contact(("+79161234567",), (), "p1") == contact_id
    draft = DealDraft(
        "d1", "Заявка", contact_id=contact_id, source="site", utm={"utm_source": "yandex"}, responsible="5"
    )
    deal_id = await crm.create(draft)
    await crm.create(NoteDraft("n1", "Текст", deal_id))
    await crm.create(TaskDraft("t1", "Позвонить", datetime.now(UTC), deal_id))
    sent = vendor.rows["leads"][0]
    assert sent["name"] == "Заявка [lh-d1]"
    assert sent["custom_fields_values"] == [{"field_code": "UTM_SOURCE", "values": [{"value": "yandex"}]}]
    assert sent["_embedded"] == {"tags": [{"name": "site"}], "contacts": [{"id": int(contact_id), "is_main": True}]}
    assert [len(vendor.rows[kind]) for kind in KEPT] == [2, 1, 1, 1]
    assert (await crm.metadata()).known == frozenset()
    assert await crm.open_deal(contact_id) is None


async def test_what_was_made_before_the_answer_was_cut_is_found(vendor: Minimal, crm: AmocrmClient) -> None:
    hint = Hint(datetime.now(UTC), "101", "100")
    drafts = [
        ContactDraft("p1", "Иван", ("+79161234567",)),
        DealDraft("d1", "Заявка", contact_id="101"),
        NoteDraft("n1", "Текст", "100"),
        TaskDraft("t1", "Позвонить", datetime.now(UTC), "100"),
    ]
    for draft in drafts:
        assert await crm.find_created(draft, hint) is None
        vendor.lose = 1
        with pytest.raises(UnknownOutcomeError):
            await crm.create(draft)
        assert await crm.find_created(draft, hint) == "100"
