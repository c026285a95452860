"""Mango Office: signature, answers, and what each event makes."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, Refused, Reply, Unreadable
from connectors.events import ParsedCall
from connectors.mango import SOURCE, MangoSettings
from tests.support.pbx import call, mango_event, only, replayed, sample, settings_of, taken
from tests.support.requests import inbound

ANSWERED = "MTA3NzE1OTQ6MTIzNDU2Nzg5MA=="
MISSED = "MTA3NzE1OTQ6MTIzNDU2Nzg5MQ=="
OUT = "MTA3NzE1OTQ6MTIzNDU2Nzg5Mg=="
LEG = "MToxMDA3NzE1OTQ6MjQxOj"
RECORDING = "ODA3MTU5NDoxMjM0NQ=="


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


EXPECTED = {
    "in-answered-1-ivr-appeared": ParsedCall(
        call_id=ANSWERED,
        event="call.appeared",
        event_id=f"call:{LEG}E=:1:appeared",
        state="ringing",
        direction="in",
        client="+79990001122",
        line="+74950000101",
        at=at(8, 0),
        extra={"location": "ivr", "dynamic_number": "+74950000101"},
    ),
    "in-answered-2-abonent-appeared": ParsedCall(
        call_id=ANSWERED,
        event="call.appeared",
        event_id=f"call:{LEG}I=:1:appeared",
        state="ringing",
        direction="in",
        client="+79990001122",
        line="+74950000101",
        extension="101",
        at=at(8, 0, 4),
        extra={"location": "abonent", "group": "500", "dynamic_number": "+74950000101"},
    ),
    "in-answered-3-connected": ParsedCall(
        call_id=ANSWERED,
        event="call.connected",
        event_id=f"call:{LEG}I=:2:connected",
        state="talking",
        direction="in",
        client="+79990001122",
        line="+74950000101",
        extension="101",
        at=at(8, 0, 11),
        answered_at=at(8, 0, 11),
        extra={"location": "abonent"},
    ),
    "in-answered-4-recording-started": ParsedCall(
        call_id=ANSWERED,
        event="recording.started",
        event_id=f"recording:{RECORDING}:1:started",
        extension="101",
        at=at(8, 0, 11),
        recording_id=RECORDING,
    ),
    "in-answered-5-disconnected": ParsedCall(
        call_id=ANSWERED,
        event="call.disconnected",
        event_id=f"call:{LEG}I=:3:disconnected",
        state="ended",
        direction="in",
        client="+79990001122",
        line="+74950000101",
        extension="101",
        at=at(8, 1, 38),
        ended_at=at(8, 1, 38),
        extra={"location": "abonent", "disconnect_reason": "1110"},
    ),
    "in-answered-6-summary": ParsedCall(
        call_id=ANSWERED,
        event="summary",
        event_id=f"summary:{ANSWERED}:answered",
        state="ended",
        direction="in",
        client="+79990001122",
        line="+74950000101",
        extension="101",
        at=at(8, 1, 38),
        started_at=at(8, 0),
        answered_at=at(8, 0, 11),
        ended_at=at(8, 1, 38),
        ring_s=7,
        talk_s=87,
        disposition="answered",
        extra={"disconnect_reason": "1110", "dynamic_number": "+74950000101"},
    ),
    "in-answered-7-record-added": ParsedCall(
        call_id=ANSWERED,
        event="record.added",
        event_id=f"record.added:{RECORDING}",
        at=at(8, 2, 5),
        recording_id=RECORDING,
        extra={"user_id": "10090397"},
    ),
    "in-missed-1-appeared": ParsedCall(
        call_id=MISSED,
        event="call.appeared",
        event_id=f"call:{LEG}M=:1:appeared",
        state="ringing",
        direction="in",
        client="+79990003344",
        line="+74950000101",
        extension="102",
        at=at(9, 0),
        extra={"location": "abonent"},
    ),
    "in-missed-2-disconnected": ParsedCall(
        call_id=MISSED,
        event="call.disconnected",
        event_id=f"call:{LEG}M=:2:disconnected",
        direction="in",
        client="+79990003344",
        line="+74950000101",
        extension="102",
        at=at(9, 0, 25),
        extra={"location": "abonent", "disconnect_reason": "1111"},
    ),
    "in-missed-3-summary": ParsedCall(
        call_id=MISSED,
        event="summary",
        event_id=f"summary:{MISSED}:unanswered",
        state="ended",
        direction="in",
        client="+79990003344",
        line="+74950000101",
        extension="102",
        at=at(9, 0, 25),
        started_at=at(9, 0),
        ended_at=at(9, 0, 25),
        ring_s=25,
        talk_s=0,
        disposition="missed",
        extra={"disconnect_reason": "1111"},
    ),
    "out-1-appeared": ParsedCall(
        call_id=OUT,
        event="call.appeared",
        event_id=f"call:{LEG}Q=:1:appeared",
        state="ringing",
        direction="out",
        client="+79990005566",
        extension="101",
        at=at(10, 0),
        command_id="leadhub-cb-000001",
        extra={"location": "abonent", "callback_initiator": "API"},
    ),
    "out-2-connected": ParsedCall(
        call_id=OUT,
        event="call.connected",
        event_id=f"call:{LEG}Q=:2:connected",
        state="talking",
        direction="out",
        client="+79990005566",
        extension="101",
        at=at(10, 0, 15),
        answered_at=at(10, 0, 15),
        command_id="leadhub-cb-000001",
        extra={"location": "abonent"},
    ),
    "out-3-summary": ParsedCall(
        call_id=OUT,
        event="summary",
        event_id=f"summary:{OUT}:answered",
        state="ended",
        direction="out",
        client="+79990005566",
        line="+74950000101",
        extension="101",
        at=at(10, 1),
        started_at=at(10, 0),
        answered_at=at(10, 0, 15),
        ended_at=at(10, 1),
        ring_s=15,
        talk_s=45,
        disposition="answered",
        extra={"disconnect_reason": "1120"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"mango/{name}") == EXPECTED[name]


def test_the_outcome_of_a_command_makes_nothing_and_is_answered_well() -> None:
    parsed = replayed("mango/result-callback")
    assert parsed == Parsed()
    assert SOURCE.reply(settings_of("mango"), sample("mango/result-callback"), parsed, []) == Reply(200, b"{}")


# --- the signature ------------------------------------------

TEXT = '{"entry_id":"E1","call_direction":1}'
SIGN = "75d29a4642c3bd5a7923b77882811c761ab0e250a9d79add482a1d9431660949"
VECTOR = MangoSettings.model_validate({"vpbx_api_key": "testkey", "vpbx_api_salt": "testsalt"})


def signed(**fields: str) -> Inbound:
    return inbound(
        urlencode({"vpbx_api_key": "testkey", "sign": SIGN, "json": TEXT, **fields}), path_tail="events/summary"
    )


def test_the_signature_is_that_of_the_documented_vector() -> None:
    SOURCE.verify(VECTOR, signed())
    SOURCE.verify(VECTOR, signed(sign=SIGN.upper()))


@pytest.mark.parametrize(
    "changed",
    [{"json": TEXT + " "}, {"sign": SIGN[:-1] + "8"}, {"sign": ""}, {"vpbx_api_key": "testkez"}, {"vpbx_api_key": ""}],
)
def test_another_text_signature_or_key_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(Refused):
        SOURCE.verify(VECTOR, signed(**changed))


@pytest.mark.parametrize("left_out", ["vpbx_api_key", "sign", "json"])
def test_a_field_left_out_is_refused(left_out: str) -> None:
    fields = {"vpbx_api_key": "testkey", "sign": SIGN, "json": TEXT}
    del fields[left_out]
    with pytest.raises(Refused):
        SOURCE.verify(VECTOR, inbound(urlencode(fields), path_tail="events/summary"))


def test_the_text_is_signed_as_it_was_sent_spaces_and_escapes_included() -> None:
    text = '{ "entry_id" : "E\\u0031",\n"call_direction":1, "name": "Анна" }'
    sign = hashlib.sha256(("testkey" + text + "testsalt").encode()).hexdigest()
    request = signed(json=text, sign=sign)
    SOURCE.verify(VECTOR, request)
    assert only(SOURCE.parse(VECTOR, request, "RU")).call_id == "E1"


@pytest.mark.parametrize("body", ["", "vpbx_api_key=testkey"])
@pytest.mark.parametrize("tail", ["", "events/call"])
def test_the_test_of_the_connection_is_answered_well_and_makes_nothing(body: str, tail: str) -> None:
    assert taken("mango", inbound(body, path_tail=tail), VECTOR) == Parsed()


def test_the_event_follows_the_token_in_the_address() -> None:
    settings = settings_of("mango", url_token="tok-mango-1")
    request = sample("mango/out-3-summary")
    assert only(taken("mango", replace(request, path_tail="tok-mango-1/events/summary"), settings)).talk_s == 45
    for tail in ("events/summary", "tok-mango-2/events/summary", ""):
        with pytest.raises(Refused):
            taken("mango", replace(request, path_tail=tail), settings)


def test_an_address_with_something_in_between_is_refused_and_not_lost_with_a_200() -> None:
    for tail in ("tok-mango-1/events/summary", "in/mango/events/call", "x/result/callback"):
        with pytest.raises(Refused, match="no such address"):
            taken("mango", replace(sample("mango/out-3-summary"), path_tail=tail), settings_of("mango", url_token=None))


@pytest.mark.parametrize("tail", ["events/dtmf", "events/sms", "events/record/tagged", "result/callback", "brand/new"])
def test_events_that_tell_nothing_of_a_call_make_nothing(tail: str) -> None:
    assert mango_event(tail, {"entry_id": "E1", "call_id": "C1"}) == Parsed()


def test_one_of_key_and_salt_alone_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ValidationError, match="go together"):
        MangoSettings.model_validate({"vpbx_api_key": "testkey"})


@pytest.mark.parametrize("text", ["[1]", "{", "5", "null"])
def test_a_text_that_is_no_object_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        SOURCE.parse(MangoSettings(), inbound(urlencode({"json": text}), path_tail="events/call"), "RU")


# --- traps ----------------------------------------------------------------------------------------------


def summary(**fields: Any) -> ParsedCall:
    tree = {
        "entry_id": "E1",
        "call_direction": 1,
        "from": {"number": "79990001122"},
        "to": {"extension": 101, "number": "sip:anna@demo.mangosip.ru"},
        "line_number": "74950000101",
        "create_time": 1767600000,
        "forward_time": 1767600004,
        "talk_time": 0,
        "end_time": 1767600098,
        "entry_result": 1,
        "disconnect_reason": 1170,
        **fields,
    }
    return only(mango_event("events/summary", tree))


def test_a_call_that_ended_in_the_menu_is_missed_whatever_entry_result_says() -> None:
    made = summary()
    assert (made.disposition, made.talk_s, made.ring_s, made.extension) == ("missed", 0, 94, "101")


def test_an_unanswered_group_has_nobody_in_particular() -> None:
    assert summary(to={}).extension == ""


def test_a_hidden_caller_has_no_number() -> None:
    assert summary(**{"from": {"number": "anonymous"}}).client == ""
    assert summary(**{"from": {}}).client == ""


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [
        (1121, "busy"),
        (1122, "busy"),
        (1111, "no_answer"),
        (1110, "no_answer"),
        (1132, "failed"),
        (2001, "failed"),
        (1999, "no_answer"),
        (5003, "failed"),
    ],
)
def test_an_outgoing_call_in_vain_is_told_by_the_reason_and_its_class(reason: int, disposition: str) -> None:
    made = summary(
        call_direction=2, **{"from": {"extension": "101"}, "to": {"number": "79990005566"}}, disconnect_reason=reason
    )
    assert (made.disposition, made.client, made.extension) == (disposition, "+79990005566", "101")


def test_a_call_between_colleagues_is_internal_and_has_no_client() -> None:
    made = summary(call_direction=0, **{"from": {"extension": "101"}}, talk_time=1767600010)
    assert (made.direction, made.client, made.disposition) == ("internal", "", "answered")
    leg = {"entry_id": "E1", "call_id": "C1", "seq": 1, "call_state": "Appeared", "timestamp": 1767600000}
    leg |= {"from": {"extension": "101", "number": "sip:a@b"}, "to": {"extension": "102", "number": "sip:c@b"}}
    made = only(mango_event("events/call", leg))
    assert (made.direction, made.client) == ("internal", "")


@pytest.mark.parametrize(("location", "state"), [("ivr", "ringing"), ("queue", "ringing"), ("abonent", "talking")])
def test_only_a_person_who_picks_up_talks_not_a_menu_or_a_queue(location: str, state: str) -> None:
    leg = {"entry_id": "E1", "call_id": "C1", "seq": 2, "call_state": "Connected", "timestamp": 1767600000}
    leg |= {"location": location, "from": {"number": "79990001122"}, "to": {"number": "74950000101"}}
    made = only(mango_event("events/call", leg))
    assert made.state == state
    assert (made.answered_at is not None) == (state == "talking")


@pytest.mark.parametrize(
    ("location", "reason", "state"),
    [("ivr", 1100, ""), ("queue", 1110, ""), ("abonent", 1111, ""), ("abonent", 1120, "ended")],
)
def test_one_leg_that_goes_does_not_end_the_call(location: str, reason: int, state: str) -> None:
    leg = {"entry_id": "E1", "call_id": "C1", "seq": 3, "call_state": "Disconnected", "timestamp": 1767600000}
    leg |= {"location": location, "from": {"number": "79990001122"}, "to": {}, "disconnect_reason": reason}
    made = only(mango_event("events/call", leg))
    assert (made.state, made.disposition) == (state, "")


def test_repeats_have_the_same_id_and_other_events_of_the_leg_another() -> None:
    ids = [
        only(
            mango_event("events/call", {"entry_id": "E", "call_id": "C", "seq": seq, "call_state": "Appeared"})
        ).event_id
        for seq in (1, 1, 2)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_times_counted_in_the_zone_of_moscow_are_put_right() -> None:
    received = datetime(2026, 1, 5, 8, 1, 40, tzinfo=UTC)
    ahead = int(timedelta(hours=3).total_seconds())
    tree = {"entry_id": "E1", "call_direction": 1, "from": {"number": "79990001122"}, "to": {}}
    tree |= {"create_time": 1767600000 + ahead, "talk_time": 1767600011 + ahead, "end_time": 1767600098 + ahead}
    made = only(mango_event("events/summary", tree, received))
    assert (made.started_at, made.answered_at, made.ended_at) == (at(8, 0), at(8, 0, 11), at(8, 1, 38))
    leg = {"entry_id": "E1", "call_id": "C1", "call_state": "Appeared", "timestamp": 1767600000 + ahead}
    assert only(mango_event("events/call", leg, received)).at == at(8, 0)
    on_time = {"entry_id": "E1", "call_id": "C1", "call_state": "Appeared", "timestamp": 1767600000}
    assert only(mango_event("events/call", on_time, received)).at == at(8, 0)


def test_a_recording_of_nobody_has_no_user() -> None:
    made = only(mango_event("events/record/added", {"entry_id": "E1", "recording_id": "R1", "user_id": -1}))
    assert (made.recording_id, made.extra) == ("R1", {})


def test_an_event_without_a_call_makes_nothing() -> None:
    assert mango_event("events/summary", {"call_direction": 1}) == Parsed()
    assert json.loads(TEXT)["entry_id"] == only(mango_event("events/summary", json.loads(TEXT))).call_id
