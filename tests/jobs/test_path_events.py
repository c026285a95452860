"""Messages and calls at their doors -> leads in the CRM, once, whatever is repeated."""

import json
from pathlib import Path
from typing import Any

import httpx

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from tests.support.hub_on_virtual_time import PATIENT, VirtualHub, config, hub, virtual
from tests.support.requests import from_http_file

SAMPLES = Path(__file__).parents[1] / "samples"
KEYS: dict[str, dict[str, Any]] = {
    **json.loads((SAMPLES / "keys.json").read_text(encoding="utf-8")),
    **json.loads((SAMPLES / "keys-messengers.json").read_text(encoding="utf-8")),
}


def of(vendor: str, *names: str) -> str:
    """The source in flow YAML, with the keys of its samples."""
    settings = {name: KEYS[vendor][name] for name in names}
    return f"{vendor}: {json.dumps({'type': vendor, **settings})}"


async def replay(h: VirtualHub, vendor: str, name: str) -> httpx.Response:
    sample = from_http_file(SAMPLES / vendor / f"{name}.http")
    answer = await h.request(
        sample.method,
        f"/in/{vendor}/{sample.path_tail}".rstrip("/"),
        headers=dict(sample.headers),
        content=sample.body,
        params=sample.query or None,
    )
    assert answer.status_code == 200, answer.text
    return answer


ALL = "  - {from: ['*'], to: [amo]}"


@virtual
async def test_the_first_message_is_a_lead_and_the_later_ones_are_none() -> None:
    async with hub(config(ALL, sources=of("telegram", "secret_token", "url_token"))) as h:
        for _ in range(2):
            await replay(h, "telegram", "msg-3-text-with-phone")
            await replay(h, "telegram", "msg-4-photo-with-caption")
            await replay(h, "telegram", "msg-6-callback-query")
        await h.quiet()
        assert [lead.lead_uid for lead in h.leads()] == ["chat:5210002"]
        assert len(h.amocrm.deals) == 1


@virtual
async def test_a_shared_contact_ties_the_phone_to_the_person_of_the_chat() -> None:
    async with hub(config(ALL, sources=of("telegram", "secret_token", "url_token"))) as h:
        await replay(h, "telegram", "msg-1-start-deeplink")
        await h.quiet()
        await replay(h, "telegram", "msg-2-contact-shared")
        await h.quiet()
        first, second = h.leads()
        assert first.person_id == second.person_id
        assert second.phones == ("+79161234567",)
        assert (len(h.amocrm.deals), len(h.amocrm.contacts)) == (1, 1)


@virtual
async def test_messages_wait_in_the_spool_while_the_database_is_away() -> None:
    async with hub(config(ALL, sources=of("whatsapp", "app_secret", "url_token"))) as h:
        h.world.database_down = True
        await replay(h, "whatsapp", "msg-2-text-new")
        await replay(h, "whatsapp", "msg-2-text-new")
        h.world.database_down = False
        await h.until(lambda: len(h.leads()) == 1, 10.0)
        await h.quiet()
        assert [lead.phones for lead in h.leads()] == [("+79161234567",)]
        assert len(h.amocrm.deals) == 1


# --- calls ---------------------------------------------------------------------------------------------------------


MANGO = of("mango", "vpbx_api_key", "vpbx_api_salt")


def samples(vendor: str, beginning: str) -> list[str]:
    return sorted(path.stem for path in (SAMPLES / vendor).glob(f"{beginning}*.http"))


@virtual
async def test_all_events_of_a_call_make_one_lead_when_it_is_over() -> None:
    async with hub(config(ALL, sources=MANGO)) as h:
        for name in samples("mango", "in-answered")[:5]:
            await replay(h, "mango", name)
        assert h.leads() == []
        for name in samples("mango", "in-answered"):  # the first five once more
            await replay(h, "mango", name)
        await h.quiet()
        (lead,) = h.leads()
        assert lead.data["call"]["disposition"] == "answered"
        assert (lead.data["call"]["extension"], lead.data["call"]["talk_s"]) == ("101", 87)
        assert len(h.amocrm.deals) == 1


@virtual
async def test_events_that_come_backwards_make_the_same_lead() -> None:
    async with hub(config(ALL, sources=MANGO)) as h:
        for name in reversed(samples("mango", "in-answered")):
            await replay(h, "mango", name)
        await h.quiet()
        (lead,) = h.leads()
        assert (lead.data["call"]["disposition"], lead.data["call"]["extension"]) == ("answered", "101")
        assert len(h.amocrm.deals) == 1


@virtual
async def test_a_missed_call_whose_last_event_never_comes_is_a_lead_ten_minutes_later() -> None:
    async with hub(config(ALL, sources=MANGO), pace=PATIENT) as h:
        for name in samples("mango", "in-missed")[:2]:
            await replay(h, "mango", name)
        waited = await h.until(lambda: len(h.leads()) == 1, 700.0)
        assert waited > 500.0
        assert h.leads()[0].data["call"]["disposition"] == "missed"
        await replay(h, "mango", samples("mango", "in-missed")[2])
        await h.quiet()
        assert len(h.leads()) == 1


@virtual
async def test_an_outgoing_call_is_an_enquiry_only_of_somebody_we_know() -> None:
    async with hub(config(ALL, sources=f"{MANGO}, site: {{type: webform}}")) as h:
        for name in samples("mango", "out"):
            await replay(h, "mango", name)
        await h.wait(5.0)
        assert h.leads() == []


@virtual
async def test_a_missed_call_gets_a_task_to_call_back_and_the_call_in_the_crm_s_own_form() -> None:
    async with hub(config(ALL, sources=MANGO)) as h:
        for name in samples("mango", "in-missed"):
            await replay(h, "mango", name)
        await h.quiet()
        assert [call["note_type"] for call in h.amocrm.calls.values()] == ["call_in"]
        assert len(h.tasks("amo")) == 1


@virtual
async def test_who_answered_is_responsible_and_needs_no_task() -> None:
    source = MANGO.replace('"type": "mango"', '"type": "mango", "extensions": {"101": "1010101"}')
    async with hub(config(ALL, sources=source)) as h:
        for name in samples("mango", "in-answered"):
            await replay(h, "mango", name)
        await h.quiet()
        (deal,) = h.amocrm.deals.values()
        assert deal["responsible_user_id"] == 1010101
        assert h.tasks("amo") == []
        assert h.delivery(h.leads()[0].id).assigned_to == "1010101"


@virtual
async def test_calls_of_and_to_somebody_known_are_logged_on_his_open_deal_as_of_who_talked() -> None:
    pbx = MANGO.replace('"type": "mango"', '"type": "mango", "extensions": {"101": "1010102"}')
    route = "  - {from: ['*'], to: [amo], assign: {strategy: fixed, users: [1010101]}}"
    async with hub(config(route, sources=f"{pbx}, site: {{type: webform}}")) as h:
        await h.post("site", {"phone": "+79990001122", "comment": "жду звонка"})
        await h.post("site", {"phone": "+79990005566", "comment": "и я"})
        await h.quiet()
        for name in (*samples("mango", "in-answered"), *samples("mango", "out")):
            await replay(h, "mango", name)
        await h.quiet()
        assert (len(h.amocrm.deals), len(h.amocrm.contacts)) == (2, 2)
        assert sorted(call["note_type"] for call in h.amocrm.calls.values()) == ["call_in", "call_out"]
        assert {call["entity_id"] for call in h.amocrm.calls.values()} == {int(one) for one in h.amocrm.deals}
        assert {deal["responsible_user_id"] for deal in h.amocrm.deals.values()} == {1010101}
        assert {call["params"]["call_responsible"] for call in h.amocrm.calls.values()} == {1010102}


@virtual
async def test_a_repeat_of_which_the_open_deal_takes_nothing_gets_a_deal_of_its_own() -> None:
    async with hub() as h:
        await h.post("site", {"name": "Иван", "phone": "+79161234567", "lead_uid": "1"})
        await h.quiet()
        real = h.amocrm.handle

        def refuse(request: SandboxRequest) -> SandboxResponse:
            if request.method == "POST" and request.path.endswith(("/notes", "/tasks")):
                return SandboxResponse(400, {"title": "Bad Request", "status": 400, "detail": "no more of these"})
            return real(request)

        h.amocrm.handle = refuse  # type: ignore[method-assign]  # the account's own trouble
        lead_id = await h.post("site", {"name": "Иван", "phone": "+79161234567", "lead_uid": "2"})
        await h.until(lambda: h.delivery(lead_id).state == "delivered", 60.0)
        assert len(h.amocrm.deals) == 2
        assert h.delivery(lead_id).outcome == "created"
