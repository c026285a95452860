"""onlinePBX: three events of an answered call, one of a missed one."""

from datetime import UTC, datetime

import pytest

from connectors.doors import Parsed
from connectors.events import ParsedCall
from tests.support.calldoors import call, changed, fields, folded, parsed_json, replayed

ANSWERED = "3f54d09a-a8a8-4821-be7d-e9efadd80001"
START = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)


def test_a_start_rings_at_the_colleague() -> None:
    assert call(replayed("onlinepbx/in-answered-1-start")) == ParsedCall(
        call_id=ANSWERED,
        event="call_start",
        event_id=f"{ANSWERED}:call_start:101",
        state="ringing",
        direction="in",
        client="+79990003301",
        line="+74950000404",
        extension="101",
        at=START,
        started_at=START,
    )


def test_an_answer_names_who_talks() -> None:
    made = call(replayed("onlinepbx/in-answered-2-answered"))
    assert (made.state, made.extension, made.answered_at) == ("talking", "101", START.replace(second=8))
    assert made.disposition == ""


def test_an_end_with_talk_is_answered() -> None:
    made = call(replayed("onlinepbx/in-answered-3-end"))
    assert (made.state, made.disposition, made.ring_s, made.talk_s) == ("ended", "answered", 8, 52)
    assert (made.started_at, made.answered_at) == (START, START.replace(second=8))
    assert made.ended_at == made.at == START.replace(minute=1)
    assert made.recording_url == "https://api.example.test/rec/0001.mp3"


def test_an_end_without_talk_is_missed() -> None:
    made = call(replayed("onlinepbx/in-missed-end"))
    assert (made.state, made.disposition, made.ring_s, made.talk_s) == ("ended", "missed", 20, 0)
    assert (made.client, made.extension, made.recording_url) == ("+79990003302", "101", "")


def test_of_an_incoming_call_it_does_not_matter_who_hung_up() -> None:
    for cause in ("USER_BUSY", "ORIGINATOR_CANCEL", "NORMAL_CLEARING", "NO_ROUTE_DESTINATION"):
        assert call(changed("onlinepbx/in-missed-end", hangup_cause=cause)).disposition == "missed"


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [("USER_BUSY", "busy"), ("NO_ANSWER", "no_answer"), ("UNALLOCATED_NUMBER", "failed"), ("", "no_answer")],
)
def test_an_outgoing_call_without_talk(cause: str, disposition: str) -> None:
    made = call(
        changed("onlinepbx/in-missed-end", direction="outbound", caller="101", callee="79990003302", hangup_cause=cause)
    )
    assert (made.direction, made.disposition) == ("out", disposition)
    assert (made.client, made.extension, made.line) == ("+79990003302", "101", "+74950000404")


def test_a_call_missed_of_its_own_is_missed() -> None:
    assert call(changed("onlinepbx/in-missed-end", event="call_missed", dialog_duration="")).disposition == "missed"


def test_an_end_that_tells_no_talk_leaves_it_to_what_came_before() -> None:
    answered = call(replayed("onlinepbx/in-answered-2-answered"))
    end = call(changed("onlinepbx/in-answered-3-end", dialog_duration=""))
    assert (end.state, end.disposition) == ("ended", "")
    assert folded(answered, end) == "answered"
    assert folded(end) == "missed"


def test_two_extensions_are_colleagues() -> None:
    made = call(changed("onlinepbx/in-answered-3-end", caller="102", direction="inbound"))
    assert (made.direction, made.client, made.extension) == ("internal", "", "101")


def test_without_direction_the_length_of_the_numbers_tells_it() -> None:
    assert call(changed("onlinepbx/in-answered-1-start", direction="")).direction == "in"
    out = call(changed("onlinepbx/in-answered-1-start", direction="", caller="101", callee="79990003301"))
    assert (out.direction, out.client) == ("out", "+79990003301")


def test_json_is_read_as_well() -> None:
    assert parsed_json("onlinepbx", fields("onlinepbx/in-answered-3-end")) == replayed("onlinepbx/in-answered-3-end")


def test_an_event_of_another_pbx_is_taken_and_marked() -> None:
    tree = {**fields("onlinepbx/in-answered-1-start"), "domain": "other.onpbx.ru"}
    assert call(parsed_json("onlinepbx", tree, domain="demo.onpbx.ru")).extra == {"domain": "other.onpbx.ru"}


def test_a_link_that_is_none_is_not_kept() -> None:
    assert call(changed("onlinepbx/in-answered-3-end", download_url="javascript:alert(1)")).recording_url == ""


def test_a_hidden_caller_has_no_number() -> None:
    assert call(changed("onlinepbx/in-answered-1-start", caller="anonymous")).client == ""


def test_an_event_without_call_makes_nothing() -> None:
    assert changed("onlinepbx/in-answered-1-start", uuid="") == Parsed()
    assert changed("onlinepbx/in-answered-1-start", event="call_transfer") == Parsed()
