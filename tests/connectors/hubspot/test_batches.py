"""What waits together leaves together, and a bad row sinks only itself."""

import asyncio
import json

import httpx
import pytest

from connectors.base import ContactDraft, DealDraft, NoteDraft, Opening, Rate
from connectors.errors import PermanentError, UnknownOutcomeError
from connectors.hubspot import HubSpotClient, HubSpotSettings
from connectors.hubspot.answers import Refusal
from connectors.hubspot.lookups import MAX_PHONES, phone_search
from connectors.hubspot.writes import Row, sort_out
from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.hubspot_search import MAX_BODY
from leads.clock import SystemClock
from tests.connectors.hubspot.conftest import Account, CheckedSandbox, MemoryTokens

FEW = {"calls": 1, "per_s": 0.3}
"""So that the first call leaves and the rest waits."""


def phone(number: int) -> str:
    return f"+7916{number:07d}"


def people(count: int) -> list[ContactDraft]:
    return [ContactDraft(key=f"p-{n}", name=f"Имя {n}", phones=(phone(n),)) for n in range(count)]


async def warm(account: Account) -> HubSpotClient:
    """A client that knows the properties already, on a narrow limit."""
    first = account.client()
    for kind in ("contact", "deal", "note", "task"):
        await first._book.ready(kind)
    client = account.client(rate=FEW)
    client._book._states = first._book._states
    account.sandbox.requests.clear()
    return client


async def test_forty_contacts_take_one_request(account: Account) -> None:
    client = await warm(account)
    ids = await asyncio.gather(*map(client.create, people(40)))
    assert account.sandbox.lines() == ["POST /crm/objects/2026-03/contacts/batch/create"]
    held = [account.sandbox.contacts[id_]["properties"]["phone"] for id_ in ids]
    assert held == [phone(n) for n in range(40)]


async def test_forty_people_are_looked_for_in_a_handful_of_requests(account: Account) -> None:
    records = account.sandbox.records
    by_phone = records.create("contacts", {"firstname": "a", "phone": "8 (916) 000-00-07"}, [])["id"]
    by_email = records.create("contacts", {"email": "nine@example.ru"}, [])["id"]
    client = await warm(account)
    by_key = await client.create(ContactDraft(key="p-11", name="b"))
    found = await asyncio.gather(
        *(
            client.find_contact((phone(n),), ("nine@example.ru",) if n == 9 else (f"n{n}@example.ru",), f"P-{n}")
            for n in range(40)
        )
    )
    assert {n: id_ for n, id_ in enumerate(found) if id_} == {7: by_phone, 9: by_email, 11: by_key}
    assert len(account.sandbox.lines()) <= 9


async def test_a_bad_row_sinks_only_itself(account: Account) -> None:
    client = await warm(account)
    account.sandbox.records.create("contacts", {"email": "there@example.ru"}, [])
    (there,) = account.sandbox.contacts
    drafts = people(6)
    drafts[2] = ContactDraft(key="p-2", name="x", emails=("not an e-mail",))
    drafts[4] = ContactDraft(key="p-4", name="x", emails=("there@example.ru",))
    results = await asyncio.gather(*map(client.create, drafts), return_exceptions=True)
    assert isinstance(results[2], PermanentError)
    assert results[2].fields == ("emails",)
    assert results[4] == there
    assert all(isinstance(results[n], str) for n in (0, 1, 3, 5))
    assert len(account.sandbox.contacts) == 5
    assert len(account.sandbox.lines()) == 3  # the batch, and two to add our key to the contact that was there


async def test_a_batch_refused_as_a_whole_is_sent_one_by_one(account: Account) -> None:
    client = await warm(account)
    account.sandbox.batch_endpoints = False
    client._api.limiter.rate = Rate(100, 0.1)
    client._api.limiter._max_in_flight = 1
    ids = await asyncio.gather(*map(client.create, people(5)))
    assert len(set(ids)) == 5
    assert account.sandbox.lines().count("POST /crm/objects/2026-03/contacts/batch/create") == 1
    found = await asyncio.gather(*(client.find_contact((phone(n),), (), f"p-{n}") for n in range(5)))
    assert found == ids


async def test_a_lost_answer_to_a_batch_leaves_every_row_unknown_and_findable(account: Account) -> None:
    client = await warm(account)
    contact_id = await client.create(people(1)[0])
    drafts = [
        DealDraft(key=f"l-{n}", title=f"Заявка {n}", contact_id=contact_id, pipeline="default", stage="closedwon")
        for n in range(6)
    ]
    account.faults.faults.append(Fault("reset_after", match="batch/create", times=1))
    results = await asyncio.gather(*map(client.create, drafts), return_exceptions=True)
    assert all(isinstance(result, UnknownOutcomeError) for result in results)
    assert len(account.sandbox.deals) == 6
    client._api.limiter.rate = Rate(100, 0.1)
    repeated = await asyncio.gather(*map(client.create, drafts))
    assert len(set(repeated)) == 6
    assert len(account.sandbox.deals) == 6


async def test_notes_of_many_deals_leave_together(account: Account) -> None:
    client = await warm(account)
    deal_id = await client.create(DealDraft(key="l-1", title="x", pipeline="default", stage="closedwon"))
    notes = [NoteDraft(key=f"n-{n}", text=f"{n}", deal_id=deal_id) for n in range(10)]
    ids = await asyncio.gather(*map(client.create, notes))
    assert [account.sandbox.notes[id_]["properties"]["hs_note_body"] for id_ in ids] == [str(n) for n in range(10)]
    assert len(account.sandbox.requests) == 2


def test_a_search_for_as_many_phones_as_we_put_into_one_is_short_enough() -> None:
    phones = [f"+998901{n:08d}" for n in range(MAX_PHONES)]
    assert len(json.dumps(phone_search(phones))) < MAX_BODY


# --- the answer to a batch ------------------------------------------------------------------

ROWS = [Row({}, "k0"), Row({}, "k1"), Row({}, "k2")]
TRACES = ["lh0", "lh1", "lh2"]


def outcomes(answer: dict[str, object]) -> list[object]:
    return list(sort_out(answer, ROWS, TRACES, "leadhub_external_id", "create deals"))


def test_rows_are_matched_by_trace_or_key_and_never_by_position() -> None:
    answer = {
        "results": [
            {"id": "12", "properties": {"leadhub_external_id": "K2"}},
            {"id": "11", "objectWriteTraceId": "lh0", "properties": {}},
            {"id": "99", "properties": {}},
        ]
    }
    first, second, third = outcomes(answer)
    assert (first, third) == ("11", "12")
    assert isinstance(second, UnknownOutcomeError)


def test_an_error_that_names_no_row_belongs_to_the_only_row_left() -> None:
    made = [{"id": str(n), "objectWriteTraceId": f"lh{n}", "properties": {}} for n in (0, 1)]
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": "x"}
    assert isinstance(outcomes({"results": made, "errors": [error]})[2], Refusal)
    assert isinstance(outcomes({"results": made[:1], "errors": [error]})[2], UnknownOutcomeError)


def test_a_row_that_failed_inside_hubspot_is_unknown() -> None:
    error = {"category": "INTERNAL_ERROR", "message": "x", "context": {"objectWriteTraceId": ["lh1"]}}
    assert isinstance(outcomes({"results": [], "errors": [error]})[1], UnknownOutcomeError)


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": ["x"]}, {"results": [], "errors": ["x"]}])
def test_an_answer_without_rows_leaves_all_unknown(answer: dict[str, object]) -> None:
    assert all(isinstance(outcome, UnknownOutcomeError) for outcome in outcomes(answer))


async def test_the_real_limits_are_used_and_never_overrun() -> None:
    """In one process, so that the jitter of a busy machine is not taken for an overrun."""
    sandbox = CheckedSandbox(SystemClock(), rate=Rate(20, 2.0), search_rate=Rate(5, 1.0), search_lag_s=0.0)
    given = {"base_url": "http://hubspot", "access_token": "sandbox", "rate": {"calls": 20, "per_s": 2.0}}
    transport = httpx.ASGITransport(FaultLayer(sandbox, sandbox.clock))
    settings = HubSpotSettings.model_validate(given)
    client = HubSpotClient.open(Opening("hs", settings, sandbox.clock, MemoryTokens(), transport))
    started = sandbox.clock.monotonic()

    async def lead(number: int) -> None:
        assert await client.find_contact((phone(number),), (), f"p-{number}") is None
        contact_id = await client.create(ContactDraft(key=f"p-{number}", phones=(phone(number),)))
        await client.create(DealDraft(key=f"l-{number}", title="x", contact_id=contact_id))

    await asyncio.gather(*map(lead, range(120)))
    took_s = sandbox.clock.monotonic() - started
    await client.close()
    assert len(sandbox.deals) == 120
    assert took_s < 20
    assert sandbox.problems == []
    assert sandbox.refused == 0
