"""Requests of a hangup handler, and ARI messages that a script forwards."""

from datetime import UTC, datetime

import pytest

from connectors.doors import Parsed
from connectors.events import ParsedCall
from tests.support.calldoors import (
    DOORS,
    SAMPLES,
    call,
    changed,
    fields,
    parsed_form,
    parsed_json,
    replayed,
    settings_of,
)
from tests.support.requests import inbound

START = datetime(2026, 1, 5, 21, 0, tzinfo=UTC)
RECORDING = "2026/01/05/in-74950000909-79990001010-20260105-210000-1767646800.10.wav"
ARI = (SAMPLES / "asterisk/in-answered.ari.jsonl").read_text()
HANGUP = "asterisk/dialplan-curl-hangup"


def test_a_hangup_handler_tells_the_whole_call() -> None:
    assert call(replayed(HANGUP)) == ParsedCall(
        call_id="1767646800.10",
        event="hangup",
        event_id="1767646800.10:hangup",
        state="ended",
        direction="in",
        client="+79990001010",
        line="+74950000909",
        extension="101",
        at=START.replace(minute=1, second=7),
        started_at=START,
        answered_at=START.replace(second=7),
        ended_at=START.replace(minute=1, second=7),
        ring_s=7,
        talk_s=60,
        disposition="answered",
        recording_id=RECORDING,
    )


def test_a_recording_is_a_link_where_the_folder_has_an_address() -> None:
    made = call(parsed_form("asterisk", fields(HANGUP), recordings_url="https://pbx.example.test/rec"))
    assert made.recording_url == f"https://pbx.example.test/rec/{RECORDING}"
    full = call(changed(HANGUP, recording="https://pbx.example.test/1.wav"))
    assert full.recording_url == "https://pbx.example.test/1.wav"


@pytest.mark.parametrize(
    ("more", "disposition"),
    [
        ({"disposition": "NO ANSWER", "billsec": "0"}, "missed"),
        ({"disposition": "BUSY", "billsec": "0"}, "missed"),
        ({"billsec": "0"}, "missed"),
        ({"extension": ""}, "missed"),  # a menu answered
        ({"dialstatus": "NOANSWER"}, "missed"),
        ({"dialstatus": "ANSWER", "extension": ""}, "answered"),
        ({"direction": "out", "disposition": "BUSY", "billsec": "0"}, "busy"),
        ({"direction": "out", "disposition": "CONGESTION", "billsec": "0"}, "failed"),
        ({"direction": "out", "disposition": "NO ANSWER", "billsec": "0"}, "no_answer"),
    ],
)
def test_how_a_call_came_out(more: dict[str, str], disposition: str) -> None:
    assert call(changed(HANGUP, **more)).disposition == disposition


def test_a_leg_that_rang_in_vain_does_not_say_that_the_call_was_missed() -> None:
    made = call(changed(HANGUP, uniqueid="1767646800.12", disposition="NO ANSWER", billsec="0"))
    assert (made.call_id, made.event_id, made.disposition) == ("1767646800.10", "1767646800.12:hangup", "")


def test_an_outgoing_call_is_the_callees() -> None:
    made = call(changed(HANGUP, direction="out", caller="101", callee="79990001010", did="74950000909", extension=""))
    assert (made.direction, made.client, made.line, made.extension) == ("out", "+79990001010", "+74950000909", "101")


@pytest.mark.parametrize(("event", "state"), [("ringing", "ringing"), ("answer", "talking"), ("hangup", "ended")])
def test_handlers_may_tell_earlier_moments_too(event: str, state: str) -> None:
    made = call(changed(HANGUP, event=event))
    assert made.state == state
    assert bool(made.disposition) == (state == "ended")


def test_a_handler_may_use_get() -> None:
    assert parsed_form("asterisk", fields(HANGUP), method="GET") == replayed(HANGUP)


def ari(body: str) -> Parsed:
    return DOORS["asterisk"].parse(DOORS["asterisk"].settings(), inbound(body), "RU")


def test_messages_of_ari_in_one_request_are_one_call() -> None:
    lines, as_list = ari(ARI), ari(f"[{','.join(ARI.strip().splitlines())}]")
    assert lines == as_list
    assert [made.state for made in lines.calls] == ["ringing", "ringing", "talking", "ended"]
    assert (lines.calls[-1].disposition, lines.calls[-1].talk_s, lines.calls[-1].extension) == ("answered", 60, "101")


def test_messages_of_ari_one_by_one_stand_each_for_itself() -> None:
    told = [made for line in ARI.strip().splitlines() for made in ari(line).calls]
    assert [made.state for made in told] == ["ringing", "ringing", "talking", "ended"]
    assert {made.call_id for made in told} == {"1767646800.10"}
    assert told[2].extension == "101"
    assert told[3].disposition == ""  # whether they talked the others tell


def test_other_messages_of_ari_make_nothing() -> None:
    assert parsed_json("asterisk", {"type": "PlaybackFinished", "application": "leadhub", "playback": {}}) == Parsed()


def test_settings_are_checked() -> None:
    for wrong in (
        {"extension_pattern": "("},
        {"ami": {"host": "pbx", "username": "hub", "secret": "a\nAction: Originate"}},
        {"ami": {"host": "pbx", "username": "hub\r", "secret": "a"}},
        {"ami": {"host": "pbx", "username": "hub", "secret": ""}},
        {"ami": {"host": "pbx", "username": "hub", "secret": "a", "port": 0}},
    ):
        with pytest.raises(ValueError, match="validation error"):
            settings_of("asterisk", **wrong)
    fine = settings_of("asterisk", ami={"host": "pbx", "username": "hub", "secret": "fake-secret"})
    assert "fake-secret" not in repr(fine)
