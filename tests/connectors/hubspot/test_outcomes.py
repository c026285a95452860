"""Every way in which HubSpot, or the road to it, can fail: which outcome, and that nothing is lost or doubled."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import ContactDraft, DealDraft, Hint, NoteDraft
from connectors.errors import (
    AuthError,
    ConnectorError,
    NoRightsError,
    RateLimitedError,
    RetryableError,
    TooEarlyError,
    UnknownOutcomeError,
)
from connectors.hubspot import HubSpotClient
from connectors.hubspot.properties import PATIENCE_S
from connectors.sandbox.base import Fault, FaultKind
from connectors.sandbox.hubspot_errors import lacking, throttled
from tests.connectors.hubspot.conftest import Account
from tests.support.moved_clock import MovedClock

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
    delay_s = 60.0 if kind == "504_late" else 0.05
    account.faults.faults.append(Fault(kind, match=CREATE_DEAL, times=1, delay_s=delay_s))
    sent_at = account.sandbox.clock.now()
    with pytest.raises(outcome) as caught:
        await client.create(draft)
    assert type(caught.value) in (outcome, *outcome.__subclasses__())
    if outcome is not UnknownOutcomeError:
        assert len(account.sandbox.deals) == 1
        return
    account.faults.land()
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
    account.faults.faults.append(Fault("504_late", match=CREATE_DEAL, times=1, delay_s=60.0))
    sent_at = account.sandbox.clock.now()
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, Hint(sent_at, draft.contact_id)) is None
    made = await client.create(draft)
    account.faults.land()
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


async def test_properties_that_cannot_be_read_do_not_stop_a_lead_for_long(account: Account, tmp_path: Path) -> None:
    clock = MovedClock(tmp_path / "clock")
    client = account.client(clock)
    account.faults.faults.append(Fault("500", match="/properties/"))
    for draft in (ContactDraft(key="p-01", name="Иван"), DealDraft(key="l-01", title="окна")):
        with pytest.raises(TooEarlyError):
            await client.create(draft)
    clock.pass_by(PATIENCE_S)
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


async def test_a_token_that_may_not_write_something_is_told_from_one_that_is_not_taken(
    account: Account, client: HubSpotClient
) -> None:
    deal_id = await client.create(await ready_deal(client))
    handle = account.sandbox.handle
    account.sandbox.handle = lambda r: lacking("notes").response() if r.path.endswith("/notes") else handle(r)  # type: ignore[method-assign]
    with pytest.raises(NoRightsError, match="notes"):
        await client.create(NoteDraft(key="n-1", text="x", deal_id=deal_id))
    account.sandbox.handle = lambda r: (
        lacking("crm.objects.deals.write").response() if r.path.endswith("/deals") else handle(r)
    )  # type: ignore[method-assign]
    with pytest.raises(AuthError, match=r"crm\.objects\.deals\.write"):
        await client.create(DealDraft(key="l-7", title="x"))


# --- a key that nobody could know of when the record was sent ----------------------------------


async def test_a_record_waits_until_it_is_seen_whether_the_account_has_our_key(
    account: Account, client: HubSpotClient
) -> None:
    account.faults.faults.append(Fault("500_after", match="POST /crm/properties/2026-03/contacts", times=1))
    draft = ContactDraft(key="p-01", name="Иван", phones=("+79161234567",))
    await client.find_contact(draft.phones, (), draft.key)
    with pytest.raises(TooEarlyError) as caught:
        await client.create(draft)
    assert account.sandbox.contacts == {}
    await asyncio.sleep(caught.value.wait_s)
    made = await client.create(draft)
    assert account.sandbox.contacts[made]["properties"]["leadhub_external_id"] == "p-01"
    assert await account.client().find_created(draft, Hint(datetime.now(UTC))) == made


async def test_all_that_wait_at_the_first_use_go_with_the_key_that_is_slow_to_be_made(
    account: Account, client: HubSpotClient
) -> None:
    account.faults.faults.append(Fault("slow", match="/crm/properties/2026-03/contacts", delay_s=0.1))
    drafts = [ContactDraft(key=f"p-{n}", name="Иван", phones=(f"+7916000000{n}",)) for n in range(5)]
    await asyncio.gather(*(client.create(draft) for draft in drafts))
    keys = [contact["properties"].get("leadhub_external_id") for contact in account.sandbox.contacts.values()]
    assert sorted(keys) == [draft.key for draft in drafts]


async def test_what_went_out_without_the_key_is_found_by_who_has_the_key(account: Account) -> None:
    before, after = account.client(), account.client()
    account.sandbox.account.may_write_schemas = False
    person = ContactDraft(key="p-01", name="Иван", phones=("+79161234567",))
    contact_id = await before.create(person)
    deal = DealDraft(key="l-01", title="окна", contact_id=contact_id)
    deal_id = await before.create(deal)
    note = NoteDraft(key="n-01", text="Заявка", deal_id=deal_id)
    note_id = await before.create(note)
    account.sandbox.account.may_write_schemas = True
    hint = Hint(datetime.now(UTC), contact_id=contact_id, deal_id=deal_id)
    assert await after.find_created(person, hint) == contact_id
    assert await after.find_created(deal, hint) == deal_id
    assert await after.find_created(note, hint) == note_id
    assert all("leadhub_external_id" in account.sandbox.schema.properties[type_] for type_ in ("contacts", "deals"))


async def test_what_another_process_sent_is_not_repeated_before_it_can_be_seen(account: Account) -> None:
    client = account.client()
    person = ContactDraft(key="p-01", name="Иван", phones=("+79161234567",))
    with pytest.raises(TooEarlyError) as caught:
        await client.find_created(person, Hint(datetime.now(UTC), elapsed_s=12.0))
    assert caught.value.wait_s == 18.0
    assert await client.find_created(person, Hint(datetime.now(UTC), elapsed_s=30.0)) is None


async def test_nothing_is_waited_for_where_the_key_was_there_long_before(
    account: Account, client: HubSpotClient
) -> None:
    draft = await ready_deal(client)
    for type_ in ("contacts", "deals"):
        account.sandbox.schema.properties[type_]["leadhub_external_id"]["createdAt"] = "2026-01-02T03:04:05.678Z"
    other = account.client()
    person = ContactDraft(key="p-77", name="Анна", phones=("+79160000077",))
    account.sandbox.requests.clear()
    assert await other.find_created(person, Hint(datetime.now(UTC))) is None
    assert await other.find_created(draft, Hint(datetime.now(UTC))) is None
    assert not [line for line in account.sandbox.lines() if "search" in line or "associations" in line]


async def test_a_deal_that_could_bear_neither_key_nor_mark_is_found_by_its_title(account: Account) -> None:
    account.sandbox.account.may_write_schemas = False
    del account.sandbox.schema.properties["deals"]["description"]
    before, after = account.client(), account.client()
    contact_id = await before.create(ContactDraft(key="p-01", name="Иван", phones=("+79161234567",)))
    sent_at = datetime.now(UTC)
    deal_id = await before.create(DealDraft(key="l-01", title="окна", contact_id=contact_id))
    late = Hint(sent_at, contact_id=contact_id, elapsed_s=60.0)
    assert await after.find_created(DealDraft(key="l-01", title="окна"), late) == deal_id
    assert await after.find_created(DealDraft(key="l-02", title="двери"), late) is None
    later = Hint(sent_at + timedelta(minutes=5), contact_id=contact_id, elapsed_s=60.0)
    assert await after.find_created(DealDraft(key="l-03", title="окна"), later) is None
