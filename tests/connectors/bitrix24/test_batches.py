"""With a backlog many commands leave in one request; alone each is a plain call."""

import asyncio
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from connectors.base import ContactDraft, DealDraft, Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.errors import PermanentError, RetryableError
from connectors.http import CALL_LOG, CallRecord
from connectors.limits import BULK, FRESH, PRIORITY
from connectors.sandbox.base import FaultLayer
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from leads.clock import SystemClock
from tests.connectors.bitrix24.conftest import Portal
from tests.support.token_store import MemoryTokens
from tests.support.vendor_server import serve


def person(number: int, email: str = "") -> ContactDraft:
    return ContactDraft(f"p{number}", f"Имя {number}", (f"+7916{number:07d}",), (email,) if email else ())


async def test_one_bad_record_does_not_sink_the_others(portal: Portal) -> None:
    drafts = [person(1), person(2, "not an address"), person(3)]
    made = await asyncio.gather(*map(portal.open().create, drafts), return_exceptions=True)
    assert [type(each) for each in made] == [str, PermanentError, str]
    assert isinstance(made[1], PermanentError)
    assert made[1].fields == ("emails",)
    assert {record["ORIGIN_ID"] for record in portal.sandbox.contacts.values()} == {"p1", "p3"}
    assert portal.methods() == ["batch", "crm.item.list"]


async def test_a_backlog_of_one_connection_leaves_fifty_at_a_time(portal: Portal) -> None:
    client = portal.open()
    made = await asyncio.gather(*(client.create(person(number)) for number in range(120)))
    assert [portal.sandbox.contacts[each]["NAME"] for each in made] == [f"Имя {number}" for number in range(120)]
    assert portal.methods() == ["batch", "batch", "batch"]
    assert portal.sandbox.calls["crm.contact.add"] == 120


async def test_fresh_leads_do_not_ride_with_the_backlog() -> None:
    clock = SystemClock()
    sandbox = Bitrix24Sandbox(clock)
    layer = FaultLayer(sandbox, clock)
    async with serve(layer) as url:
        rate = {"calls": 1, "leak_per_s": 4.0}
        settings = Bitrix24Settings.model_validate({"webhook_url": f"{url}/rest/1/sandbox/", "rate": rate})
        client = Bitrix24Client(Opening("b24", settings, clock, MemoryTokens()))

        async def create(number: int, priority: int) -> str:
            PRIORITY.set(priority)
            return await client.create(person(number))

        first = asyncio.ensure_future(create(0, BULK))
        await asyncio.sleep(0.01)  # takes the only turn
        backlog = [asyncio.ensure_future(create(number, BULK)) for number in range(1, 60)]
        await asyncio.sleep(0)
        fresh = asyncio.ensure_future(create(99, FRESH))
        await asyncio.gather(first, *backlog, fresh)
        await client.close()
    assert int(fresh.result()) == 2, "the fresh one overtakes those that waited before it"
    assert [path.rpartition("/")[2] for _, _, path in layer.requests] == [
        "crm.contact.add",
        "crm.contact.add",
        "batch",
        "batch",
    ]


async def test_text_that_looks_like_a_reference_is_not_replaced(portal: Portal) -> None:
    client = portal.open(record="deal")
    drafts = [DealDraft(f"l{number}:deal", "Окна", comment="отдам $result[c0] рублей") for number in range(2)]
    await client.find_contact((), (), "x")
    made = await asyncio.gather(*map(client.create, drafts))
    assert "batch" in portal.methods()
    assert {portal.sandbox.deals[each]["COMMENTS"] for each in made} == {"отдам $ result[c0] рублей"}


async def test_a_portal_without_batch_is_served_one_by_one(portal: Portal) -> None:
    portal.sandbox.without.add("batch")
    client = portal.open()
    made = await asyncio.gather(*(client.create(person(number)) for number in range(5)))
    assert len(set(made)) == 5
    assert portal.methods() == ["batch", *["crm.contact.add"] * 5]
    await asyncio.gather(*(client.create(person(number)) for number in range(5, 8)))
    assert portal.methods().count("batch") == 1


async def test_each_attempt_keeps_its_own_command_and_nobody_elses(portal: Portal) -> None:
    client = portal.open()
    logs: list[list[CallRecord]] = [[], [], []]

    async def create(number: int) -> None:
        CALL_LOG.set(logs[number])
        await client.create(person(number, f"person{number}@example.ru"))

    await asyncio.gather(*map(create, range(3)))
    for number, log in enumerate(logs):
        kept = unquote(f"{log[0].request} {log[0].answer} {log[0].url}")
        assert len(log) == 1
        assert f"Имя {number}" in kept
        assert not any(f"Имя {other}" in kept for other in range(3) if other != number)
        assert f"+7916{number:07d}" not in kept, "phones are masked"
        assert f"person{number}@" not in kept
        assert "sandbox" not in log[0].url.rpartition("/rest/")[2], "so is the webhook's secret"
        assert log[0].status == 200


async def test_a_portal_that_chokes_on_batches_is_served_one_by_one_for_a_while(portal: Portal) -> None:
    client = portal.open(record="deal")
    portal.fail("500", "batch", times=-1)
    for _ in range(2):
        with pytest.raises(RetryableError):
            await client.find_contact(("+79161234567",), (), "p1")
    assert await client.find_contact(("+79161234567",), (), "p1") is None


@pytest.mark.parametrize("max_batch", [1, 7])
async def test_the_size_of_a_batch_can_be_cut(portal: Portal, max_batch: int) -> None:
    client = portal.open(max_batch=max_batch)
    await asyncio.gather(*(client.create(person(number)) for number in range(14)))
    assert len(portal.methods()) == 14 // max_batch


async def test_yes_no_and_dates_mean_the_same_alone_in_a_batch_and_in_an_update(portal: Portal) -> None:
    client = portal.open()
    for name, kind in (("UF_CRM_PAID", "boolean"), ("UF_CRM_DAY", "date"), ("UF_CRM_AT", "datetime")):
        portal.sandbox.crm.custom["deal"][name] = {"FIELD_NAME": name, "USER_TYPE_ID": kind}
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)
    fields = {"OPENED": False, "UF_CRM_PAID": True, "UF_CRM_DAY": noon.date(), "UF_CRM_AT": noon}
    alone = await client.create(DealDraft("d0", "Заявка", fields=fields))
    made = await asyncio.gather(*(client.create(DealDraft(f"d{n}", "Заявка", fields=fields)) for n in (1, 2)))
    later = await client.create(DealDraft("d3", "Заявка"))
    assert portal.sandbox.deals[later]["OPENED"] == "Y"
    await asyncio.gather(*(client.update_deal(later, fields) for _ in range(2)))
    assert portal.methods().count("batch") >= 2
    for one in (alone, *made, later):
        held = portal.sandbox.deals[one]
        assert (held["OPENED"], held["UF_CRM_PAID"], held["UF_CRM_DAY"]) == ("N", "1", "2026-12-01")
        assert held["UF_CRM_AT"] == "2026-12-01T12:00:00+00:00"
