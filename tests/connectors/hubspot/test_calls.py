"""A call becomes an object of its own: what is left out of it, and how it is found again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import CallDraft, ContactDraft, DealDraft, Hint
from connectors.errors import PermanentError, TooEarlyError, UnknownOutcomeError
from connectors.hubspot import HubSpotClient
from connectors.hubspot.payloads import Taken, create_body
from connectors.sandbox.base import Fault
from tests.connectors.hubspot.conftest import Account

AT = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
CALL = CallDraft(
    "PBX-1:in_7", "", "", "in", "+79161234567", "+74951234567", AT, 62, 9, "answered", text="Ответила Анна"
)
CREATE_CALL = "POST /crm/objects/2026-03/calls"


def properties(draft: CallDraft, *, marked: bool = False) -> dict[str, str]:
    body = create_body(draft, now=AT, taken=Taken(), marked=marked, default=("", ""))
    found: dict[str, str] = body["properties"]
    return found


async def on_a_deal(client: HubSpotClient, **more: Any) -> CallDraft:
    contact_id = await client.create(ContactDraft(key="p-01", name="Иван", phones=("+79161234567",)))
    deal_id = await client.create(DealDraft(key="l-01", title="Окна", contact_id=contact_id))
    return replace(CALL, deal_id=deal_id, contact_id=contact_id, **more)


@pytest.mark.parametrize(
    ("disposition", "status", "outcome"),
    [
        ("answered", "COMPLETED", "f240bbac-87c9-4f6e-bf70-924b57d47db7"),
        ("missed", "NO_ANSWER", "73a0d17f-1163-4015-bdd5-ec830791da20"),
        ("no_answer", "NO_ANSWER", "73a0d17f-1163-4015-bdd5-ec830791da20"),
        ("busy", "BUSY", "9d9162e7-6cf3-4944-bf63-4dff82258764"),
        ("failed", "FAILED", None),
        ("voicemail", "COMPLETED", "b2cf5968-551e-4856-9783-52b3da59a7d0"),
    ],
)
def test_every_end_of_a_call_has_its_status_and_outcome(disposition: Any, status: str, outcome: str | None) -> None:
    held = properties(replace(CALL, disposition=disposition))
    assert (held["hs_call_status"], held.get("hs_call_disposition")) == (status, outcome)


def test_an_incoming_call_is_from_the_client_to_our_line() -> None:
    held = properties(CALL)
    assert (held["hs_call_direction"], held["hs_call_from_number"], held["hs_call_to_number"]) == (
        "INBOUND",
        "+79161234567",
        "+74951234567",
    )


def test_a_recording_that_cannot_be_played_is_in_the_text() -> None:
    held = properties(replace(CALL, recording_url="http://pbx.example.ru/1.wav"))
    assert "hs_call_recording_url" not in held
    assert held["hs_call_body"] == "Ответила Анна<br>http://pbx.example.ru/1.wav"


def test_a_call_of_which_nothing_is_told_has_the_number_for_a_title() -> None:
    held = properties(replace(CALL, text="", line=""), marked=True)
    assert held["hs_call_title"] == "+79161234567"
    assert held["hs_call_body"] == "<br>[lh:pbx-1:in_7]"
    assert "hs_call_to_number" not in held


async def test_a_call_hangs_on_deal_and_contact(account: Account, client: HubSpotClient) -> None:
    draft = await on_a_deal(client)
    made = await client.create(draft)
    assert account.sandbox.linked("calls", made, "deals") == [draft.deal_id]
    assert account.sandbox.linked("calls", made, "contacts") == [draft.contact_id]
    assert account.sandbox.calls[made]["properties"]["leadhub_activity_id"] == "pbx-1:in_7"


async def test_a_repeat_after_a_lost_answer_is_the_same_call(account: Account, client: HubSpotClient) -> None:
    draft = await on_a_deal(client)
    account.faults.faults.append(Fault("reset_after", CREATE_CALL, times=1))
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    made = await client.create(draft)
    assert list(account.sandbox.calls) == [made]
    assert await client.find_created(draft, Hint(AT)) == made


@pytest.mark.parametrize("with_deal", [True, False])
async def test_without_the_unique_property_it_is_found_by_its_mark(
    account: Account, client: HubSpotClient, *, with_deal: bool
) -> None:
    account.sandbox.account.may_write_schemas = False
    draft = await on_a_deal(client)
    draft = draft if with_deal else replace(draft, deal_id="")
    await client.create(replace(draft, key=f"{draft.key}0"))
    now = account.sandbox.clock.now()
    with pytest.raises(TooEarlyError):
        await client.find_created(draft, Hint(now))
    account.faults.faults.append(Fault("reset_after", CREATE_CALL, times=1))
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    made = max(account.sandbox.calls, key=int)
    assert await client.find_created(draft, Hint(now)) == made
    later = Hint(now - timedelta(minutes=1))
    assert await client.find_created(replace(draft, key="other"), later) is None


async def test_an_outcome_that_the_account_does_not_know_is_left_out(account: Account, client: HubSpotClient) -> None:
    draft = await on_a_deal(client)
    account.sandbox.schema.properties["calls"]["hs_call_disposition"]["options"] = [
        {"label": "Own", "value": "own", "displayOrder": 0, "hidden": False, "description": ""}
    ]
    held = account.sandbox.calls[await client.create(draft)]["properties"]
    assert "hs_call_disposition" not in held
    assert held["hs_call_status"] == "COMPLETED"


async def test_an_owner_who_is_unknown_is_named(account: Account, client: HubSpotClient) -> None:
    with pytest.raises(PermanentError) as caught:
        await client.create(await on_a_deal(client, responsible="99"))
    assert caught.value.fields == ("responsible",)
