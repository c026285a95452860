"""What every CRM connector promises, asked of each over real HTTP; what one does not claim is skipped aloud."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, get_args

import pytest

from connectors.base import (
    KINDS,
    CallDraft,
    CompanyDraft,
    ContactDraft,
    DealDraft,
    Disposition,
    Draft,
    Kind,
    NoteDraft,
    TaskDraft,
)
from connectors.errors import (
    AuthError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.recorded import CompletesTasks
from connectors.registry import CONNECTORS
from tests.contract.vendors import VENDORS, Connected, connected, opened

PHONE, MAIL = "+79161234567", "ivan@example.ru"
IVAN = ContactDraft("018f0000-0000-7000-8000-000000000001", "Иван Иванов", (PHONE,), (MAIL,))
LEAD = "018f0000-0000-7000-8000-00000000000a"
DUE = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)


@pytest.fixture(params=sorted(CONNECTORS))
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[Connected]:
    async with connected(request.param) as found:
        yield found


def deal_of(contact_id: str, key: str = LEAD, **more: str) -> DealDraft:
    return DealDraft(key, "Заявка с сайта", contact_id=contact_id, source="site", **more)  # type: ignore[arg-type]  # texts only


def call_of(deal_id: str, contact_id: str, key: str = "c-1", **more: Any) -> CallDraft:
    facts = {"direction": "in", "phone": PHONE, "line": "+74951234567", "started_at": DUE, "talk_s": 62, "ring_s": 9}
    facts |= {"disposition": "answered", "recording_url": "https://rec.example.ru/1.mp3", "text": "Ответила Анна, 101"}
    return CallDraft(key, deal_id, contact_id, **{**facts, **more})


async def draft_of(crm: Connected, kind: Kind) -> tuple[Draft, str, str]:
    """(draft, contact id, deal id) in an account that is set up, with what the draft hangs on already made."""
    if kind not in crm.capabilities.creates:
        pytest.skip(f"{crm.connector.name} does not claim to make a {kind}")
    await crm.target.ensure_fields(crm.connector.needed_fields, create=True)
    if kind == "contact":
        return IVAN, "", ""
    if kind == "company":
        return CompanyDraft("company-1", "Окна и двери"), "", ""
    contact_id = await crm.target.create(IVAN)
    if kind == "deal":
        return deal_of(contact_id), contact_id, ""
    deal_id = await crm.target.create(deal_of(contact_id))
    if kind == "note":
        return NoteDraft(f"{LEAD}-note", "Заявка с сайта\nНужны 3 окна", deal_id, contact_id), contact_id, deal_id
    if kind == "call":
        return call_of(deal_id, contact_id), contact_id, deal_id
    return TaskDraft(f"{LEAD}-task", "Позвонить: Иван", DUE, deal_id, contact_id), contact_id, deal_id


def test_every_connector_is_in_the_contract() -> None:
    assert set(VENDORS) == set(CONNECTORS)


# --- the declaration ---------------------------------------------------------------------------


async def test_the_declared_limits_and_times_make_sense(crm: Connected) -> None:
    claimed = crm.capabilities
    assert claimed.max_rate.calls > 0
    assert claimed.max_rate.per_s > 0
    assert claimed.max_batch >= 1
    assert all(earlier < later for earlier, later in pairwise(claimed.look_again_s))
    assert {"contact", "deal"} <= claimed.creates, "without these there is nobody to call"
    # The last look comes when nothing can land any more, or the repeat is looked for afterwards, or it is safe itself.
    late_enough = bool(claimed.look_again_s) and claimed.look_again_s[-1] >= claimed.slowest_write_s
    safe_by_key = any(field.unique for field in crm.connector.needed_fields)
    assert late_enough or claimed.recheck_s or safe_by_key


# --- create ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_record_is_made_once_and_its_id_is_the_vendors(crm: Connected, kind: Kind) -> None:
    draft, _, _ = await draft_of(crm, kind)
    before = set(crm.rows(kind))
    made = await crm.target.create(draft)
    assert set(crm.rows(kind)) - before == {made}


async def test_the_bare_minimum_is_enough(crm: Connected) -> None:
    """What is left when the CRM refuses everything else: a phone to call, and a title."""
    contact_id = await crm.target.create(ContactDraft("p-bare", phones=(PHONE,)))
    deal_id = await crm.target.create(DealDraft("l-bare", "Заявка", contact_id=contact_id))
    assert list(crm.rows("contact")) == [contact_id]
    assert list(crm.rows("deal")) == [deal_id]


async def test_an_enquiry_without_phone_and_mail_is_taken_too(crm: Connected) -> None:
    contact_id = await crm.target.create(ContactDraft("p-nobody"))
    await crm.target.create(DealDraft("l-nobody", "Заявка", contact_id=contact_id, comment="Перезвоните"))
    assert len(crm.rows("deal")) == 1


async def test_many_at_a_time_get_each_its_own_record(crm: Connected) -> None:
    """Where the vendor takes batches they leave together; the answers must not be mixed up."""
    drafts = [ContactDraft(f"p-{n}", f"Гость {n}", (f"+7916000000{n}",), (f"guest{n}@example.ru",)) for n in range(8)]
    ids = await asyncio.gather(*(crm.target.create(draft) for draft in drafts))
    assert len(set(ids)) == 8
    for draft, made in zip(drafts, ids, strict=True):
        assert await crm.target.find_contact(draft.phones, (), draft.key) == made


# --- find --------------------------------------------------------------------------------------


async def test_a_company_is_found_by_its_name_and_by_nothing_else(crm: Connected) -> None:
    if "company" not in crm.capabilities.creates:
        pytest.skip(f"{crm.connector.name} does not claim to make a company")
    made = await crm.target.create(CompanyDraft("company-1", "Окна и двери"))
    await crm.target.create(CompanyDraft("company-2", "Окна и двери плюс"))
    assert await crm.target.find_company("окна и ДВЕРИ") == made
    assert await crm.target.find_company("Окна") is None
    assert await crm.target.find_company("Двери и окна") is None


async def test_two_companies_of_one_name_are_none(crm: Connected) -> None:
    if "company" not in crm.capabilities.creates:
        pytest.skip(f"{crm.connector.name} does not claim to make a company")
    for key in ("company-1", "company-2"):
        await crm.target.create(CompanyDraft(key, "Окна и двери"))
    assert await crm.target.find_company("Окна и двери") is None


@pytest.mark.parametrize(
    ("phones", "emails", "key"),
    [((PHONE,), (), "other"), ((), (MAIL,), "other"), ((PHONE,), (), IVAN.key), (("+74950000000",), (MAIL,), "other")],
    ids=["phone", "mail", "key", "second key"],
)
async def test_a_person_is_found_by_any_of_their_keys(
    crm: Connected, phones: tuple[str, ...], emails: tuple[str, ...], key: str
) -> None:
    contact_id = await crm.target.create(IVAN)
    await crm.target.create(ContactDraft("p2", "Пётр", ("+79031112233",), ("petr@example.ru",)))
    assert await crm.target.find_contact(phones, emails, key) == contact_id


async def test_a_stranger_is_never_taken_for_the_person(crm: Connected) -> None:
    """The last ten digits of other numbers, the beginning of other addresses: a search hits, a comparison does not."""
    await crm.target.create(ContactDraft("p2", "Пётр", ("+79161234568",), ("ivan@example.ru.com",)))
    assert await crm.target.find_contact((PHONE,), (MAIL,), IVAN.key) is None


async def test_the_newest_open_deal_of_a_person_is_known(crm: Connected) -> None:
    contact_id = await crm.target.create(IVAN)
    assert await crm.target.open_deal(contact_id) is None
    closed = await crm.target.create(deal_of(contact_id, "l-1"))
    crm.vendor.close_deal(crm.box, closed)
    state = await crm.target.open_deal(contact_id)
    assert state is not None
    assert (state.id, state.closed) == (closed, True)
    opened = await crm.target.create(deal_of(contact_id, "l-2"))
    state = await crm.target.open_deal(contact_id)
    assert state is not None
    assert (state.id, state.closed) == (opened, False)
    known = await crm.target.deal_state(opened)
    assert known is not None
    assert known.id == opened
    assert await crm.target.deal_state("99999999") is None


# --- unknown outcomes --------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset_after", "500_after", "truncated"])
@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_written_before_the_answer_got_lost_is_found(crm: Connected, kind: Kind, fault: str) -> None:
    draft, contact_id, deal_id = await draft_of(crm, kind)
    before = set(crm.rows(kind))
    hint = crm.hint(contact_id, deal_id)
    crm.fail(fault, crm.vendor.create[kind])  # type: ignore[arg-type]  # one of FaultKind
    with pytest.raises(UnknownOutcomeError):
        await crm.target.create(draft)
    written = set(crm.rows(kind)) - before
    assert len(written) == 1, "create never repeats by itself"
    assert await crm.target.find_created(draft, hint) == written.pop()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_look_up_finds_nothing_where_nothing_was_written(crm: Connected, kind: Kind) -> None:
    draft, contact_id, deal_id = await draft_of(crm, kind)
    before = set(crm.rows(kind))
    hint = crm.hint(contact_id, deal_id)
    crm.fail("reset", crm.vendor.create[kind])
    with pytest.raises(UnknownOutcomeError):
        await crm.target.create(draft)
    assert set(crm.rows(kind)) == before
    assert await crm.target.find_created(draft, hint) is None


async def test_calls_of_one_deal_are_not_mistaken_for_each_other(crm: Connected) -> None:
    draft, contact_id, deal_id = await draft_of(crm, "call")
    assert isinstance(draft, CallDraft)
    other = call_of(deal_id, contact_id, f"{draft.key}0")
    first = await crm.target.create(other)
    hint = replace(crm.hint(contact_id, deal_id), elapsed_s=3600.0)
    assert await crm.target.find_created(draft, hint) is None
    second = await crm.target.create(draft)
    assert await crm.target.find_created(draft, hint) == second
    assert await crm.target.find_created(other, hint) == first


async def test_a_call_without_a_deal_hangs_on_the_contact(crm: Connected) -> None:
    _, contact_id, _ = await draft_of(crm, "call")
    draft = call_of("", contact_id)
    hint = crm.hint(contact_id)
    crm.fail("reset_after", crm.vendor.create["call"].replace("leads", "contacts"))
    with pytest.raises(UnknownOutcomeError):
        await crm.target.create(draft)
    found = await crm.target.find_created(draft, hint)
    assert list(crm.rows("call")) == [found]


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("disposition", get_args(Disposition))
async def test_every_end_of_a_call_is_taken(crm: Connected, direction: str, disposition: str) -> None:
    """The sandboxes refuse what their vendors would."""
    _, contact_id, deal_id = await draft_of(crm, "call")
    bare = {"line": "", "talk_s": 0, "ring_s": 0, "recording_url": "", "text": ""}
    made = await crm.target.create(call_of(deal_id, contact_id, direction=direction, disposition=disposition, **bare))
    assert list(crm.rows("call")) == [made]


# --- refusals ----------------------------------------------------------------------------------


async def test_a_refused_token_pauses_the_connection_and_writes_nothing(crm: Connected) -> None:
    crm.fail("401", times=-1)
    with pytest.raises(AuthError):
        await crm.target.ping()
    with pytest.raises(AuthError):
        await crm.target.create(IVAN)
    crm.mend()
    assert crm.rows("contact") == {}


async def test_being_told_to_slow_down_writes_nothing_and_says_how_long(crm: Connected) -> None:
    await draft_of(crm, "contact")
    crm.fail("429", crm.vendor.create["contact"])
    with pytest.raises(RateLimitedError) as caught:
        await crm.target.create(IVAN)
    assert caught.value.retry_after_s > 0
    assert crm.rows("contact") == {}


async def test_a_connection_that_cannot_be_made_is_safe_to_repeat(crm: Connected) -> None:
    await crm.target.ping()
    url = re.sub(r":\d+/", ":9/", crm.url)  # the discard port: nobody listens
    away = opened(crm.connector, crm.vendor.settings(url), crm.clock)
    with pytest.raises(RetryableError):
        await away.create(IVAN)
    await away.close()


async def test_an_unknown_responsible_user_is_named_as_the_refused_field(crm: Connected) -> None:
    exempt = re.search(r"^- unknown responsible user: exempt,? ?(.*)$", crm.notes(), re.MULTILINE)
    if exempt:
        pytest.skip(f"{crm.connector.name}: {exempt[1]}")
    contact_id = await crm.target.create(IVAN)
    with pytest.raises(PermanentError) as caught:
        await crm.target.create(deal_of(contact_id, responsible="99999999"))
    assert "responsible" in caught.value.fields
    assert not caught.value.gone
    assert crm.rows("deal") == {}


async def test_a_contact_that_was_deleted_is_told_as_gone(crm: Connected) -> None:
    """At the latest by the create; a vendor that drops an unknown link in silence is asked before."""
    contact_id = await crm.target.create(IVAN)
    crm.vendor.delete_contact(crm.box, contact_id)
    later = crm.another()
    with pytest.raises(PermanentError) as caught:
        await later.open_deal(contact_id)
        await later.create(deal_of(contact_id))
    assert caught.value.gone
    assert crm.rows("deal") == {}
    with pytest.raises(PermanentError) as caught:
        await later.enrich_contact(contact_id, IVAN)
    assert caught.value.gone
    await later.close()


async def test_no_error_shows_a_person_or_a_secret(crm: Connected) -> None:
    for fault in ("401", "500", "502", "reset", "html200", "truncated", "429"):  # after a 429 the next call waits
        crm.mend()
        crm.fail(fault, times=-1)  # type: ignore[arg-type]  # each is a FaultKind
        with pytest.raises((AuthError, RetryableError, PermanentError, UnknownOutcomeError)) as caught:
            await crm.target.create(IVAN)
        text = str(caught.value)
        assert not any(hidden in text for hidden in ("9161234567", MAIL, "Иван", "/sandbox/", "Bearer"))


# --- what the account is made of ---------------------------------------------------------------


async def test_users_pipelines_and_fields_are_read(crm: Connected) -> None:
    found = await crm.target.metadata()
    assert found.known == {"users", "pipelines", "fields"}
    assert all(user.id and user.name for user in found.users)
    assert all(pipeline.stages for pipeline in found.pipelines)


async def test_a_list_that_cannot_be_read_is_left_out_and_stops_nothing(crm: Connected) -> None:
    crm.vendor.hide_users(crm)
    found = await crm.target.metadata()
    assert found.known == {"pipelines", "fields"}
    assert found.users == ()


async def test_an_account_that_tells_nothing_of_itself_takes_leads_all_the_same(crm: Connected) -> None:
    crm.fail("500", times=-1)
    assert (await crm.target.metadata()).known == frozenset()
    crm.mend()
    await crm.target.create(deal_of(await crm.target.create(IVAN)))
    assert len(crm.rows("deal")) == 1


async def test_needed_fields_are_shown_then_made_then_no_longer_missing(crm: Connected) -> None:
    needed = crm.connector.needed_fields
    if not needed:
        pytest.skip(f"{crm.connector.name} needs no fields of its own")
    missing = await crm.target.ensure_fields(needed, create=False)
    assert missing
    assert await crm.target.ensure_fields(needed, create=False) == missing, "showing makes nothing"
    await crm.target.ensure_fields(needed, create=True)
    assert await crm.target.ensure_fields(needed, create=False) == []


# --- afterwards --------------------------------------------------------------------------------


async def test_enriching_twice_adds_once_and_overwrites_nothing(crm: Connected) -> None:
    contact_id = await crm.target.create(IVAN)
    more = ContactDraft(IVAN.key, "Другое Имя", (PHONE, "+79039998877"), (MAIL,))
    await crm.target.enrich_contact(contact_id, more)
    once = str(crm.rows("contact")[contact_id])
    await crm.target.enrich_contact(contact_id, more)
    assert "9039998877" in once
    assert "Другое" not in once
    assert str(crm.rows("contact")[contact_id]).count("9039998877") == once.count("9039998877")
    assert await crm.target.find_contact(("+79039998877",), (), "") == contact_id


async def test_delivered_deals_are_read_back_with_those_we_do_not_know_of(crm: Connected) -> None:
    await crm.target.ensure_fields(crm.connector.needed_fields, create=True)
    contact_id = await crm.target.create(IVAN)
    kept = await crm.target.create(deal_of(contact_id, "l-kept"))
    twin = await crm.target.create(deal_of(contact_id, "l-twin"))
    now = crm.clock.now()
    found = await crm.target.read_back((kept, "99999999"), now - timedelta(minutes=5), now + timedelta(minutes=5))
    by_id = {deal.id: deal for deal in found}
    assert set(by_id) == {kept, twin}
    assert by_id[kept].key == "l-kept"
    assert by_id[twin].key == "l-twin"
    assert by_id[kept].has_contact
    assert by_id[kept].has_source


async def test_a_closed_deal_opens_again(crm: Connected) -> None:
    contact_id = await crm.target.create(IVAN)
    deal_id = await crm.target.create(deal_of(contact_id))
    crm.vendor.close_deal(crm.box, deal_id)
    pipeline = (await crm.target.metadata()).pipelines[0]
    stage = next(stage for stage in pipeline.stages if not stage.closed)
    await crm.target.reopen_deal(deal_id, pipeline.id, stage.id)
    state = await crm.target.deal_state(deal_id)
    assert state is not None
    assert not state.closed


@pytest.mark.parametrize("kind", ["contact", "company", "deal"])
async def test_a_person_can_be_sent_to_the_record(crm: Connected, kind: Kind) -> None:
    await crm.target.ping()
    url = crm.target.record_url(kind, "4711")
    assert url.startswith(("http://", "https://"))
    assert "4711" in url


# --- what comes after a call ------------------------------------------------------------------------------------


async def test_a_task_is_marked_as_done_and_what_people_did_meanwhile_is_let_be(crm: Connected) -> None:
    assert isinstance(crm.target, CompletesTasks)  # the task to call back is closed in every CRM
    draft, _, _ = await draft_of(crm, "task")
    task_id = await crm.target.create(draft)
    rows = getattr(crm.box, crm.vendor.rows["task"])
    assert await crm.target.task_is_open(task_id)
    for _ in range(2):
        await crm.target.complete_task(task_id, "Исходящий звонок: разговор 1:05")
        told = ("'is_completed': True", "'COMPLETED': 'Y'", "'hs_task_status': 'COMPLETED'")
        assert any(done in str(rows[task_id]) for done in told)
    before = str(rows[task_id])
    assert not await crm.target.task_is_open(task_id)
    assert not await crm.target.task_is_open("999999")
    with pytest.raises(PermanentError) as caught:
        await crm.target.complete_task("999999", "")
    assert caught.value.gone
    assert str(rows[task_id]) == before
