"""MegaFon's PBX: the key, the question who calls, and what each request makes."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.doors import Parsed, Refused
from connectors.events import ParsedCall
from connectors.megafon import SOURCE
from tests.support.pbx import call, form, only, replayed, sample, settings_of, taken
from tests.support.requests import NOW, inbound

FIRST, MISSED = "43294397431", "43294397432"


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


EXPECTED = {
    "in-answered-1-incoming": ParsedCall(
        call_id=FIRST,
        event="incoming",
        event_id=f"{FIRST}:incoming:anna:101:",
        state="ringing",
        direction="in",
        client="+79990004401",
        line="+79280000505",
        extension="101",
        employee="anna",
        at=NOW,
        extra={"group": "Продажи"},
    ),
    "in-answered-2-accepted": ParsedCall(
        call_id=FIRST,
        event="accepted",
        event_id=f"{FIRST}:accepted:anna:101:",
        state="talking",
        direction="in",
        client="+79990004401",
        line="+79280000505",
        extension="101",
        employee="anna",
        at=NOW,
        answered_at=NOW,
        extra={"group": "Продажи"},
    ),
    "in-answered-3-history": ParsedCall(
        call_id=FIRST,
        event="history",
        event_id=f"{FIRST}:answered",
        state="ended",
        direction="in",
        client="+79990004401",
        line="+79280000505",
        extension="101",
        employee="anna",
        at=at(10, 0, 50),
        started_at=at(10, 0),
        ended_at=at(10, 0, 50),
        talk_s=50,
        disposition="answered",
        recording_url="https://records.example.test/43294397431.mp3",
        extra={"status": "Success", "group": "Продажи"},
    ),
    "in-missed-history": ParsedCall(
        call_id=MISSED,
        event="history",
        event_id=f"{MISSED}:unanswered",
        state="ended",
        direction="in",
        client="+79990004402",
        line="+79280000505",
        extension="101",
        employee="anna",
        at=at(10, 30),
        started_at=at(10, 30),
        ended_at=at(10, 30),
        talk_s=0,
        disposition="missed",
        extra={"status": "Missed"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"megafon/{name}") == EXPECTED[name]


def test_the_question_who_calls_is_answered_that_nobody_is_known() -> None:
    parsed = replayed("megafon/contact-request")
    answer = SOURCE.reply(settings_of("megafon"), sample("megafon/contact-request"), parsed, [])
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"contact_name": "", "responsible": ""}
    assert parsed == Parsed(reply=answer)


# --- the key ----------------------------------------------------------------------------------------------------


def test_the_key_may_stand_in_a_header() -> None:
    bare = replace(sample("megafon/in-missed-history"), body=b"cmd=history&callid=7&type=in&status=missed")
    assert only(taken("megafon", replace(bare, headers={"x-api-key": "fake-crm-token-0001"}))).disposition == "missed"
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "fake-crm-token-0002"}):
        with pytest.raises(Refused) as caught:
            taken("megafon", replace(bare, headers=headers))
        assert caught.value.status == 403


def test_a_wrong_key_in_the_form_is_not_mended_by_the_header() -> None:
    request = inbound("cmd=history&callid=7&crm_token=wrong", headers={"X-API-KEY": "fake-crm-token-0001"})
    with pytest.raises(Refused):
        taken("megafon", request)


# --- traps --------------------------------------------------------------------------------------------------------


def history(**fields: str) -> ParsedCall:
    base = {"cmd": "history", "type": "in", "callid": "7", "phone": "79990004401", "start": "20260105T100000Z"}
    return only(form("megafon", {**base, "duration": "50", **fields}))


@pytest.mark.parametrize(
    ("status", "incoming", "outgoing"),
    [
        ("Missed", "missed", "no_answer"),
        ("missed", "missed", "no_answer"),
        ("MISSED", "missed", "no_answer"),
        ("Busy", "missed", "busy"),
        ("NotAvailable", "missed", "failed"),
        ("NotAllowed", "missed", "failed"),
        ("Cancel", "missed", "no_answer"),
        ("Something", "missed", "no_answer"),
        ("SUCCESS", "answered", "answered"),
        ("", "", ""),
    ],
)
def test_the_status_decides_whatever_its_case(status: str, incoming: str, outgoing: str) -> None:
    assert history(status=status).disposition == incoming
    assert history(status=status, type="out").disposition == outgoing


def test_a_success_of_no_seconds_is_none() -> None:
    assert history(status="Success", duration="0").disposition == "missed"
    made = history(status="Success", duration="")
    assert (made.disposition, made.talk_s) == ("answered", None)


def test_an_outgoing_call_is_of_the_one_who_was_called() -> None:
    made = only(
        form(
            "megafon",
            {
                "cmd": "event",
                "type": "OUTGOING",
                "callid": "7",
                "phone": "79990004401",
                "user": "anna",
                "telnum": "79280000506",
            },
        )
    )
    assert (made.direction, made.state, made.client, made.line) == ("out", "ringing", "+79990004401", "+79280000506")


def test_one_phone_of_a_group_that_stops_ringing_does_not_end_the_call() -> None:
    fields = {"cmd": "event", "callid": "7", "phone": "79990004401", "user": "boris", "ext": "102"}
    made = only(form("megafon", {**fields, "type": "CANCELLED"}))
    assert (made.state, made.disposition, made.ended_at) == ("", "", None)
    made = only(form("megafon", {**fields, "type": "COMPLETED"}))
    assert (made.state, made.disposition, made.ended_at) == ("ended", "", NOW)


def test_a_call_that_was_passed_on_tells_the_other_call() -> None:
    made = only(form("megafon", {"cmd": "event", "type": "TRANSFERRED", "callid": "7", "second_callid": "8"}))
    assert (made.state, made.extra) == ("", {"second_call_id": "8"})


def test_a_call_between_colleagues_is_internal_and_has_no_client() -> None:
    made = history(phone="102", status="Success")
    assert (made.direction, made.client) == ("internal", "")


def test_a_hidden_caller_has_no_number() -> None:
    assert history(phone="anonymous").client == ""
    assert history(phone="").direction == "in"


@pytest.mark.parametrize("start", ["", "20261399T000000Z", "yesterday", "2026"])
def test_a_start_that_is_no_time_leaves_the_time_of_arrival(start: str) -> None:
    made = history(start=start, status="Missed")
    assert (made.started_at, made.ended_at, made.at) == (None, None, NOW)


@pytest.mark.parametrize(
    "fields", [{"cmd": "rating", "callid": "7"}, {"cmd": "event"}, {"cmd": "new", "callid": "7"}, {"a": "b"}]
)
def test_what_tells_nothing_of_a_call_makes_nothing(fields: dict[str, str]) -> None:
    assert form("megafon", fields) == Parsed()


def test_json_is_read_as_well() -> None:
    body = json.dumps(
        {"cmd": "event", "type": "INCOMING", "callid": 7, "phone": 79990004401, "crm_token": "fake-crm-token-0001"}
    )
    assert only(taken("megafon", inbound(body))).client == "+79990004401"
