"""Click-to-call: one click rings once, whatever happens in between, and what came of it can be seen."""

import json
import random
from typing import Any

import httpx
import pytest

from connectors.base import CrmUser
from connectors.sandbox.base import FaultLayer
from jobs.calls.dialling import extension_of, names_of
from store.call_tables import t_dialled_call
from store.tables import t_audit_entry
from store.users import create_token
from tests.jobs.test_path_events import ALL
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual
from tests.support.mango_pbx import KEY, SALT, MangoPbx, signed

PHONE = "+79990005566"
ANNA = "1010101"


def sources(**more: Any) -> str:
    settings = {"type": "mango", "vpbx_api_key": KEY, "vpbx_api_salt": SALT, "extensions": {"101": ANNA}, **more}
    return f"pbx: {json.dumps(settings)}, site: {{type: webform}}"


class Desk:
    """A hub with a PBX at Mango, and a program that dials through it."""

    def __init__(self) -> None:
        self.pbx = MangoPbx()
        self.token = ""

    def prepare(self, h: VirtualHub) -> None:
        h.world.layers["mango"] = FaultLayer(self.pbx, h.clock, random.Random(1))

    async def dial(self, h: VirtualHub, **more: str) -> httpx.Response:
        self.token = self.token or h.write(lambda conn: create_token(conn, "crm", h.clock.now()))
        wanted = {"connection": "amo", "user": ANNA, "phone": "8 999 000-55-66", **more}
        headers = {"Authorization": f"Bearer {self.token}"}
        return await h.request("POST", "/api/v1/calls", json=wanted, headers=headers)

    async def shown(self, h: VirtualHub, call_id: str) -> dict[str, Any]:
        answer = await h.request("GET", f"/api/v1/calls/{call_id}", headers={"Authorization": f"Bearer {self.token}"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def state(self, h: VirtualHub, answer: httpx.Response, *wanted: str, within_s: float = 200.0) -> str:
        """Waits until the call is in one of these states."""
        assert answer.status_code == 202, answer.text

        def now() -> str:
            (row,) = h.rows(t_dialled_call, id=answer.json()["id"])
            return str(row.state)

        await h.until(lambda: now() in wanted, within_s)
        return now()


async def event(h: VirtualHub, path: str, tree: dict[str, Any]) -> None:
    answer = await h.request("POST", f"/in/pbx/{path}", data=signed(tree))
    assert answer.status_code == 200, answer.text


def summary(entry: str) -> dict[str, Any]:
    return {
        "entry_id": entry,
        "call_direction": 2,
        "from": {"extension": "101", "number": "sip:anna@demo.mangosip.ru"},
        "to": {"number": "79990005566"},
        "line_number": "74950000101",
        "create_time": 1795507200,
        "forward_time": 1795507200,
        "talk_time": 1795507215,
        "end_time": 1795507260,
        "entry_result": 1,
        "disconnect_reason": 1120,
    }


def connected(entry: str, command: str) -> dict[str, Any]:
    return {
        "entry_id": entry,
        "call_id": f"{entry}-1",
        "timestamp": 1795507200,
        "seq": 1,
        "call_state": "Connected",
        "location": "abonent",
        "from": {"extension": "101", "number": "sip:anna@demo.mangosip.ru"},
        "to": {"number": "79990005566", "line_number": "74950000101"},
        "command_id": command,
    }


@virtual
async def test_a_click_rings_the_colleague_and_the_call_that_came_of_it_is_tied_to_it() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        answer = await desk.dial(h)
        assert answer.status_code == 202, answer.text
        asked = answer.json()
        assert (asked["state"], asked["source"], asked["extension"]) == ("queued", "pbx", "101")
        assert await desk.state(h, answer, "accepted") == "accepted"
        assert desk.pbx.dialled == [("101", "79990005566", asked["id"])]
        await event(h, "events/call", connected("e1", asked["id"]))
        assert (await desk.shown(h, asked["id"]))["call_state"] == "talking"
        await event(h, "events/summary", summary("e1"))
        found = await desk.shown(h, asked["id"])
        assert (found["disposition"], found["talk_s"]) == ("answered", 45)
        (entry,) = h.rows(t_audit_entry)
        assert (entry.actor, entry.action, entry.subject) == ("api:crm", "call.dial", asked["id"])
        assert PHONE not in json.dumps(entry.data)


@virtual
async def test_an_answer_that_is_lost_is_never_asked_for_again_and_an_event_clears_it_up() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        h.fault("mango", "reset_after", "callback")
        answer = await desk.dial(h)
        assert await desk.state(h, answer, "unknown", "accepted") == "unknown"
        await h.wait(300.0)
        assert len(desk.pbx.dialled) == 1
        found = await desk.shown(h, answer.json()["id"])
        assert "did not confirm" in found["error"]
        await event(h, "events/call", connected("e1", answer.json()["id"]))
        assert (await desk.shown(h, answer.json()["id"]))["state"] == "accepted"


@virtual
async def test_what_a_killed_process_was_dialling_is_unknown() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        h.fault("mango", "slow", "callback", delay_s=20.0)
        answer = await desk.dial(h)
        await desk.state(h, answer, "sending")
        await h.wait(1.0)
        await h.kill()
        h.calm()
        await h.start()
        assert await desk.state(h, answer, "unknown", "accepted") == "unknown"
        await h.wait(120.0)
        assert len(desk.pbx.dialled) <= 1


@virtual
async def test_a_vendor_that_is_away_is_tried_again_for_two_minutes_and_no_longer() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        h.fault("mango", "down")
        first = await desk.dial(h)
        await h.wait(30.0)
        assert (await desk.shown(h, first.json()["id"]))["state"] == "queued"
        h.calm()
        assert await desk.state(h, first, "accepted") == "accepted"
        assert len(desk.pbx.dialled) == 1
        h.fault("mango", "down")
        second = await desk.dial(h)
        assert await desk.state(h, second, "failed", "accepted") == "failed"
        h.calm()
        await h.wait(120.0)
        assert len(desk.pbx.dialled) == 1


@virtual
async def test_a_click_that_nobody_could_carry_out_in_time_rings_nobody_later() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        await h.start("web", ["web"])
        await h.stop("one")
        token = h.write(lambda conn: create_token(conn, "crm", h.clock.now()))
        wanted = {"connection": "amo", "user": ANNA, "phone": PHONE}
        headers = {"Authorization": f"Bearer {token}"}
        answer = await h.request("POST", "/api/v1/calls", json=wanted, headers=headers, to="web")
        await h.wait(600.0)
        await h.start("one")
        assert await desk.state(h, answer, "failed", "accepted") == "failed"
        assert desk.pbx.dialled == []


@virtual
async def test_a_refusal_is_told_and_not_repeated() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        desk.pbx.refuse = 3310
        answer = await desk.dial(h)
        await desk.state(h, answer, "failed")
        assert "this extension does not exist" in (await desk.shown(h, answer.json()["id"]))["error"]


@virtual
async def test_the_same_key_is_the_same_call() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        first, second = await desk.dial(h, key="click-7"), await desk.dial(h, key="click-7")
        assert first.json()["id"] == second.json()["id"]
        await desk.state(h, first, "accepted")
        third = await desk.dial(h, key="click-7")
        assert third.json()["state"] == "accepted"
        await h.wait(30.0)
        assert len(desk.pbx.dialled) == 1


@virtual
async def test_what_cannot_be_dialled_is_refused_with_the_reason() -> None:
    desk = Desk()
    async with hub(config(ALL, sources=sources()), prepare=desk.prepare) as h:
        for wrong, said in (
            ({"phone": "12"}, "phone: not a phone number"),
            ({"user": "nobody@example.ru"}, "user: no extension of 'nobody@example.ru'"),
            ({"connection": "nope"}, "connection: there is no connection"),
            ({"source": "site"}, "source: the source 'site' cannot dial"),
        ):
            answer = await desk.dial(h, **wrong)
            assert (answer.status_code, said in answer.json()["error"]) == (409, True), answer.text
        assert (await desk.dial(h, user=" ")).status_code == 422
        missing = await h.request("GET", "/api/v1/calls/x", headers={"Authorization": f"Bearer {desk.token}"})
        assert missing.status_code == 404
        assert (await h.request("POST", "/api/v1/calls", json={})).status_code == 401
        for _ in range(40):
            answer = await desk.dial(h, key="again")
        assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    async with hub(config(ALL), prepare=desk.prepare) as h:
        desk.token = ""
        answer = await desk.dial(h)
        assert (answer.status_code, answer.json()["error"][:18]) == (409, "no source can dial")


USERS = (CrmUser("7", "Анна Петрова", "anna@example.ru"), CrmUser("8", "Олег", ""))


@pytest.mark.parametrize("named", ["7", "Анна Петрова", "ANNA@example.ru", " анна петрова "])
@pytest.mark.parametrize("asked", ["7", "anna@example.ru", "Анна Петрова"])
def test_a_user_is_known_by_any_of_his_names(named: str, asked: str) -> None:
    assert extension_of({"100": "8", "101": named, "102": named}, names_of(asked, USERS)) == "101"


def test_a_user_whom_the_crm_does_not_tell_of_is_taken_at_his_word() -> None:
    assert extension_of({"101": "anna@example.ru"}, names_of("Anna@example.ru", ())) == "101"
    assert extension_of({"101": "anna@example.ru"}, names_of("olga@example.ru", USERS)) == ""
