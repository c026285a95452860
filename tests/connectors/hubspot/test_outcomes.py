"""Every way in which HubSpot, or the road to it, can fail: which outcome, and that nothing is lost or doubled."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import ContactDraft, DealDraft, Hint, NoteDraft
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.hubspot import HubSpotClient
from connectors.sandbox.base import Fault, FaultKind
from connectors.sandbox.hubspot_errors import lacking, throttled
from tests.connectors.hubspot.conftest import Account

CREATE_DEAL = "POST /crm/objects/2026-03/deals"


async def ready_deal(client: HubSpotClient, key: str = "l-01") -> DealDraft:
    """A draft whose contact exists, the properties known: the next call is the create itself."""
    contact_id = await client.create(ContactDraft(key="p-01", name="Иван", phones=("+79161234567",)))
    await client.create(DealDraft(key="l-00", title="прежняя", contact_id=contact_id))
    return DealDraft(key=key, title="новая", contact_id=contact_id)


WRITES: list[tuple[FaultKind, type[ConnectorError]]] = [
    ("500", UnknownOutcomeError),
    ("500_after", UnknownOutcomeError),
    ("502", UnknownOutcomeError),
    ("504_late", UnknownOutcomeError),
    ("429", RateLimitedError),
    ("503", UnknownOutcomeError),
    ("401", AuthError),
    ("reset", UnknownOutcomeError),
    ("reset_after", UnknownOutcomeError),
    ("html200", UnknownOutcomeError),
    ("truncated", UnknownOutcomeError),
]
READS: list[tuple[FaultKind, type[ConnectorError]]] = [
    ("500", RetryableError),
    ("502", RetryableError),
    ("429", RateLimitedError),
    ("503", RetryableError),
    ("401", AuthError),
    ("reset", RetryableError),
    ("html200", RetryableError),
    ("truncated", RetryableError),
]


@pytest.mark.parametrize(("kind", "outcome"), WRITES)
async def test_a_failed_write_has_its_outcome_and_can_be_settled(
    account: Account, client: HubSpotClient, kind: FaultKind, outcome: type[ConnectorError]
) -> None:
    draft = await ready_deal(client)
    account.faults.faults.append(Fault(kind, match=CREATE_DEAL, times=1, delay_s=0.05))
    sent_at = account.sandbox.clock.now()
    with pytest.raises(outcome) as caught:
        await client.create(draft)
    assert type(caught.value) in (outcome, *outcome.__subclasses__())
    if outcome is not UnknownOutcomeError:
        assert len(account.sandbox.deals) == 1
        return
    if kind == "504_late":
        await asyncio.sleep(0.15)
    hint = Hint(sent_at=sent_at, contact_id=draft.contact_id)
    found = await client.find_created(draft, hint)
    done = kind in ("500_after", "504_late", "reset_after", "truncated")
    assert (found is not None) is done
    assert await client.create(draft) == (found or max(account.sandbox.deals))
    assert len(account.sandbox.deals) == 2


@pytest.mark.parametrize(("kind", "outcome"), READS)
async def test_a_failed_read_has_its_outcome(
    account: Account, client: HubSpotClient, kind: FaultKind, outcome: type[ConnectorError]
) -> None:
    draft = await ready_deal(client)
    for match in ("GET /crm/objects", "search"):
        account.faults.faults[:] = [Fault(kind, match=match, delay_s=0.05)]
        client = account.client()
        with pytest.raises(outcome):
            await client.find_contact(("+79161234567",), (), "p-77")
        if outcome is not RateLimitedError:
            account.faults.faults[:] = [Fault(kind, match="/associations/"), Fault(kind, match="GET /crm/objects")]
            with pytest.raises(outcome):
                await client.open_deal(draft.contact_id)


async def test_nobody_listening_is_retryable_for_reads_and_writes(account: Account) -> None:
    client = account.client(base_url="http://127.0.0.1:9")
    with pytest.raises(RetryableError):
        await client.ping()
    with pytest.raises(RetryableError):
        await client.create(ContactDraft(key="p-01", name="Иван"))


async def test_a_repeat_that_races_a_late_landing_gives_one_deal(account: Account, client: HubSpotClient) -> None:
    draft = await ready_deal(client)
    account.faults.faults.append(Fault("504_late", match=CREATE_DEAL, times=1, delay_s=0.1))
    sent_at = account.sandbox.clock.now()
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, Hint(sent_at, draft.contact_id)) is None
    made = await client.create(draft)
    await asyncio.sleep(0.2)
    assert [id_ for id_, deal in account.sandbox.deals.items() if deal["properties"]["dealname"] == "новая"] == [made]


async def test_a_lost_contact_with_an_email_is_found_and_repeated_safely(
    account: Account, client: HubSpotClient
) -> None:
    draft = ContactDraft(key="p-01", name="Иван", emails=("ivan@example.ru",))
    await client.find_contact((), (), "p-00")
    account.faults.faults.append(Fault("reset_after", match="POST /crm/objects/2026-03/contacts", times=1))
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    (made,) = account.sandbox.contacts
    assert await client.find_created(draft, Hint(datetime.now(UTC))) == made
    assert await client.create(draft) == made


async def test_a_lost_note_is_found_by_its_mark_where_the_key_cannot_be_kept(
    account: Account, client: HubSpotClient
) -> None:
    account.sandbox.account.may_write_schemas = False
    deal_id = await client.create(await ready_deal(client))
    account.sandbox.records.create("notes", {"hs_timestamp": "2026-11-24", "hs_note_body": "чужая"}, [])
    draft = NoteDraft(key="n-01", text="Заявка", deal_id=deal_id)
    account.faults.faults.append(Fault("reset_after", match="POST /crm/objects/2026-03/notes", times=1))
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    found = await client.find_created(draft, Hint(datetime.now(UTC), deal_id=deal_id))
    assert found == max(account.sandbox.notes)
    assert account.sandbox.linked("notes", found, "deals") == [deal_id]


async def test_properties_that_cannot_be_read_right_now_do_not_stop_a_lead(
    account: Account, client: HubSpotClient
) -> None:
    account.faults.faults.append(Fault("500", match="/properties/"))
    contact_id = await client.create(ContactDraft(key="p-01", name="Иван"))
    deal_id = await client.create(DealDraft(key="l-01", title="окна", contact_id=contact_id))
    assert account.sandbox.linked("deals", deal_id, "contacts") == [contact_id]
    later = datetime.now(UTC) - timedelta(seconds=40)
    assert await client.find_created(DealDraft(key="l-01", title="окна"), Hint(later, contact_id)) == deal_id


async def test_pipelines_that_cannot_be_read_do_not_stop_a_lead(account: Account, client: HubSpotClient) -> None:
    account.faults.faults.append(Fault("500", match="/pipelines/"))
    deal_id = await client.create(DealDraft(key="l-01", title="окна"))
    assert account.sandbox.deals[deal_id]["properties"]["dealstage"] == "appointmentscheduled"


async def test_a_slow_answer_is_an_answer(account: Account, client: HubSpotClient) -> None:
    draft = await ready_deal(client)
    account.faults.faults.append(Fault("slow", match=CREATE_DEAL, times=1, delay_s=0.1))
    assert await client.create(draft) in account.sandbox.deals


async def test_a_refused_search_waits_by_itself_and_not_for_the_writes(account: Account, client: HubSpotClient) -> None:
    draft = await ready_deal(client)
    handle = account.sandbox.handle
    account.sandbox.handle = lambda r: throttled("SECONDLY").response() if "search" in r.path else handle(r)  # type: ignore[method-assign]
    with pytest.raises(RateLimitedError) as caught:
        await client.find_contact(("+79160000000",), (), "")
    assert caught.value.retry_after_s == 1.0
    before = account.sandbox.clock.monotonic()
    await client.create(draft)
    assert account.sandbox.clock.monotonic() - before < 0.9


async def test_a_daily_limit_stops_both_and_is_asked_about_every_quarter_hour(
    account: Account, client: HubSpotClient
) -> None:
    account.sandbox.handle = lambda request: throttled("DAILY").response()  # type: ignore[method-assign]
    with pytest.raises(RateLimitedError) as caught:
        await client.ping()
    assert 0 < caught.value.retry_after_s <= 900


async def test_a_token_that_may_not_write_notes_is_no_reason_to_pause_the_connection(
    account: Account, client: HubSpotClient
) -> None:
    deal_id = await client.create(await ready_deal(client))
    handle = account.sandbox.handle
    account.sandbox.handle = lambda r: lacking("notes").response() if r.path.endswith("/notes") else handle(r)  # type: ignore[method-assign]
    with pytest.raises(PermanentError):
        await client.create(NoteDraft(key="n-1", text="x", deal_id=deal_id))
    account.sandbox.handle = lambda r: (
        lacking("crm.objects.deals.write").response() if r.path.endswith("/deals") else handle(r)
    )  # type: ignore[method-assign]
    with pytest.raises(AuthError, match=r"crm\.objects\.deals\.write"):
        await client.create(DealDraft(key="l-7", title="x"))
