"""A recording that comes after its call became a lead is told to the CRM once."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.sandbox.base import SandboxRequest, SandboxResponse
from jobs.calls.recordings import Recordings
from leads.calls import Call
from leads.clock import SystemClock
from store.call_tables import t_call_recording
from store.conversation_tables import t_note_duty
from store.events import KnownCall
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

LINK = "https://rec.example.test/1.mp3"
TALKED = {"direction": "in", "caller": "+79161234567", "did": "+74951112233", "extension": "101"}


def to(connection: str) -> str:
    return config(f"  - {{from: ['*'], to: [{connection}]}}", sources="pbx: {type: asterisk, extensions: {'101': '1'}}")


async def told(h: VirtualHub, event: str, **more: str) -> None:
    fields = {"uniqueid": "c1", "event": event, "duration": "80", "billsec": "60", "dialstatus": "ANSWER", **TALKED}
    answer = await h.request("POST", "/in/pbx", data={**fields, **more})
    assert answer.status_code == 200, answer.text


def shown(h: VirtualHub, connection: str) -> list[str]:
    """Where the link stands in the CRM."""
    crm = h.crm(connection)
    places = {
        "note": h.notes(connection),
        "call": [json.dumps(one) for one in crm.calls.values()] if hasattr(crm, "calls") else [],
    }
    return [place for place, texts in places.items() for text in texts if LINK in text]


@pytest.mark.parametrize(("connection", "place"), [("amo", "note"), ("b24", "note"), ("hs", "call")])
@virtual
async def test_the_link_of_a_late_recording_reaches_the_crm_once(connection: str, place: str) -> None:
    async with hub(to(connection)) as h:
        await told(h, "hangup")
        await h.quiet()
        assert shown(h, connection) == []
        await h.wait(240.0)
        for _ in range(3):
            await told(h, "cdr", recording=LINK)
        await h.until(lambda: shown(h, connection), 60.0)
        await told(h, "end", recording=LINK)
        await h.wait(120.0)
        assert shown(h, connection) == [place]
        assert [row.state for row in h.rows(t_note_duty)] == ["written"]
        assert [row.url for row in h.rows(t_call_recording)] == [LINK]
        assert len(h.leads()) == 1


@virtual
async def test_a_recording_that_came_in_time_stands_in_the_call_and_in_no_note() -> None:
    async with hub(to("amo")) as h:
        await told(h, "hangup", recording=LINK)
        await told(h, "cdr", recording=LINK)
        await h.quiet()
        await h.wait(60.0)
        assert shown(h, "amo") == ["call"]
        assert h.rows(t_note_duty) == []


@virtual
async def test_while_the_crm_is_away_the_link_waits_and_comes_after_the_call() -> None:
    async with hub(to("amo")) as h:
        h.fault("amocrm", "down")
        await told(h, "hangup")
        await told(h, "cdr", recording=LINK)
        await h.wait(300.0)
        assert [row.state for row in h.rows(t_note_duty)] == ["ready"]
        h.calm()
        await h.until(lambda: shown(h, "amo"), 120.0)
        assert len(h.amocrm.calls) == 1


@virtual
async def test_an_answer_that_is_lost_makes_no_second_link() -> None:
    async with hub(to("hs")) as h:
        await told(h, "hangup")
        await h.quiet()
        h.fault("hubspot", "reset_after", "PATCH", times=2)
        await told(h, "cdr", recording=LINK)
        await h.until(lambda: [row.state for row in h.rows(t_note_duty)] == ["written"], 300.0)
        assert shown(h, "hs") == ["call"]


@virtual
async def test_a_call_that_takes_no_recording_is_told_in_a_note() -> None:
    async with hub(to("hs")) as h:
        await told(h, "hangup")
        await h.quiet()
        real = h.hubspot.handle

        def refuse(request: SandboxRequest) -> SandboxResponse:
            if request.method == "PATCH":
                return SandboxResponse(400, {"status": "error", "category": "VALIDATION_ERROR", "message": "no"})
            return real(request)

        h.hubspot.handle = refuse  # type: ignore[method-assign]  # the account's own rules
        await told(h, "cdr", recording=LINK)
        await h.until(lambda: shown(h, "hs"), 120.0)
        assert shown(h, "hs") == ["note"]


def test_an_address_that_runs_out_gives_way_to_a_link_of_ours() -> None:
    call = Call(recording_id="u1", recording_url="https://pbx.test/1.mp3")
    known = KnownCall("c1", "pbx", "u1", datetime(2026, 11, 24, tzinfo=UTC), "", call, {})
    clock, at = SystemClock(), "https://hub.test"
    lasting = Recordings(clock, "en", UTC, at, {"pbx"})
    perishable = Recordings(clock, "en", UTC, at, {"pbx"}, perishable={"pbx"})
    assert lasting.linked(known).call.recording_url == "https://pbx.test/1.mp3"
    assert perishable.linked(known).call.recording_url == "https://hub.test/recordings/c1"
    assert replace(perishable, fetchable=()).linked(known) == known
