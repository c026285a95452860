"""Telphin: microseconds, legs, and menus that answer by themselves."""

from datetime import UTC, datetime

import pytest

from connectors.events import ParsedCall
from tests.support.calldoors import call, changed, fields, folded, parsed_form, replayed

START = datetime(2026, 1, 5, 19, 0, tzinfo=UTC)


def test_a_dial_in_rings() -> None:
    assert call(replayed("telphin/in-answered-1-dial-in")) == ParsedCall(
        call_id="7a1c0a6e-0001",
        event="dial-in",
        event_id="7a1c0a6e-0001-1:dial-in",
        state="ringing",
        direction="in",
        client="+79990006601",
        line="+74990000606",
        extension="101",
        at=START,
        started_at=START,
        extra={"extension_id": "12345"},
    )


def test_an_answer_names_who_talks() -> None:
    made = call(replayed("telphin/in-answered-2-answer"))
    assert (made.state, made.extension) == ("talking", "101")
    assert made.answered_at == START.replace(second=7)


def test_a_hangup_after_talk_is_answered_and_lasts_microseconds() -> None:
    made = call(replayed("telphin/in-answered-3-hangup"))
    assert (made.state, made.disposition, made.talk_s) == ("ended", "answered", 60)
    assert (made.answered_at, made.ended_at) == (START.replace(second=7), START.replace(minute=1, second=7))
    assert (made.recording_id, made.extension) == ("12345-7a1c0a6e0001", "101")


@pytest.mark.parametrize(("written", "talk_s"), [("60", 60), ("3600", 3600), ("90000000", 90), ("", None)])
def test_a_duration_in_seconds_is_read_as_well(written: str, talk_s: int | None) -> None:
    made = call(changed("telphin/in-answered-3-hangup", Duration=written))
    assert (made.disposition, made.talk_s) == ("answered", talk_s)


def test_a_menu_that_picked_up_proves_no_talk() -> None:
    made = call(changed("telphin/in-answered-3-hangup", Bridged="no"))
    assert (made.disposition, made.talk_s, made.extension) == ("missed", None, "")


def test_a_queue_that_connected_somebody_is_answered_without_naming_itself() -> None:
    made = call(changed("telphin/in-answered-3-hangup", Bridged="yes", CallStatus=""))
    assert (made.disposition, made.talk_s, made.extension) == ("answered", None, "")


def test_a_phone_that_nobody_took_does_not_end_a_call_that_another_answers() -> None:
    ring = call(replayed("telphin/in-answered-1-dial-in"))
    answer = call(replayed("telphin/in-answered-2-answer"))
    other = call(
        changed("telphin/in-answered-3-hangup", SubCallID="7a1c0a6e-0001-2", CallStatus="CANCEL", Duration="0")
    )
    assert (other.disposition, other.state) == ("", "ended")
    assert folded(ring, other, answer) == "answered"
    assert folded(ring, other) == "missed"


@pytest.mark.parametrize(
    ("status", "disposition"),
    [("BUSY", "busy"), ("NOANSWER", "no_answer"), ("CANCEL", "no_answer"), ("CHANUNAVAIL", "failed")],
)
def test_an_outgoing_call(status: str, disposition: str) -> None:
    form = {
        "EventType": "hangup",
        "EventTime": "1767639667000000",
        "Duration": "0",
        "CallStatus": status,
        "CallID": "c1",
        "SubCallID": "c1-1",
        "CallFlow": "OUT",
        "CallAPIID": "99-2",
        "CallerIDNum": "74990000606",
        "CallerExtension": "00000*101",
        "CallerExtensionID": "7",
        "CalledNumber": "79990006601",
    }
    for told in (form, {name: value for name, value in form.items() if name != "CallFlow"}):
        made = call(parsed_form("telphin", told))
        assert (made.direction, made.client, made.line) == ("out", "+79990006601", "+74990000606")
    assert (made.extension, made.disposition, made.command_id) == ("101", disposition, "99-2")


def test_colleagues_are_internal() -> None:
    made = call(
        changed("telphin/in-answered-1-dial-in", CallerIDNum="00000*102", CalledDID="", CallerExtension="00000*102")
    )
    assert (made.direction, made.client) == ("internal", "")


def test_an_unknown_flow_is_told_by_the_event() -> None:
    assert call(changed("telphin/in-answered-1-dial-in", CallFlow="?")).direction == "in"
    assert call(changed("telphin/in-answered-1-dial-in", CallFlow="?", EventType="dial-out")).direction == "out"


def test_events_come_by_get_as_well() -> None:
    by_get = parsed_form("telphin", fields("telphin/in-answered-3-hangup"), method="GET")
    assert by_get == replayed("telphin/in-answered-3-hangup")


def test_a_callers_name_is_kept_but_no_number_is_a_name() -> None:
    named = call(changed("telphin/in-answered-1-dial-in", CallerIDName="Иван Петров"))
    assert named.lead is not None
    assert named.lead.name == "Иван Петров"
    assert named.lead.touch is not None
    assert named.lead.touch.channel == "call"
    assert call(changed("telphin/in-answered-1-dial-in", CallerIDName="79990006601")).lead is None
