"""Sipuni: the answer it wants, and what each event makes."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from connectors.doors import Parsed, Reply
from connectors.events import ParsedCall
from connectors.sipuni import SOURCE
from tests.support.pbx import call, form, only, sample, settings_of, taken
from tests.support.requests import inbound

FIRST, MISSED, OUT = "1767621600.100001", "1767625200.100002", "1767628800.100003"


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


def record(call_id: str) -> str:
    return f"https://sipuni.com/api/crm/record?id={call_id}&hash={'0' * 32}"


EXPECTED = {
    "in-answered-1-start": ParsedCall(
        call_id=FIRST,
        event="event 1",
        event_id=f"{FIRST}:1:1767621600:78120000202",
        state="ringing",
        direction="in",
        client="+79990007788",
        line="+78120000202",
        at=at(14, 0),
        started_at=at(14, 0),
        extra={"scheme": "Входящая"},
    ),
    "in-answered-2-start-operator": ParsedCall(
        call_id=FIRST,
        event="event 1",
        event_id=f"{FIRST}:1:1767621603:201",
        state="ringing",
        direction="in",
        client="+79990007788",
        line="+78120000202",
        extension="201",
        at=at(14, 0, 3),
        started_at=at(14, 0, 3),
        extra={"scheme": "Входящая"},
    ),
    "in-answered-3-answer": ParsedCall(
        call_id=FIRST,
        event="event 3",
        event_id=f"{FIRST}:3:1767621610:201",
        state="talking",
        direction="in",
        client="+79990007788",
        line="+78120000202",
        extension="201",
        at=at(14, 0, 10),
        answered_at=at(14, 0, 10),
    ),
    "in-answered-4-hangup": ParsedCall(
        call_id=FIRST,
        event="event 2",
        event_id=f"{FIRST}:answered",
        state="ended",
        direction="in",
        client="+79990007788",
        line="+78120000202",
        extension="201",
        at=at(14, 1, 10),
        started_at=at(14, 0),
        answered_at=at(14, 0, 10),
        ended_at=at(14, 1, 10),
        ring_s=10,
        talk_s=60,
        disposition="answered",
        recording_url=record(FIRST),
        extra={"status": "ANSWER", "scheme": "Входящая", "last_called": "201"},
    ),
    "in-missed-hangup": ParsedCall(
        call_id=MISSED,
        event="event 2",
        event_id=f"{MISSED}:unanswered",
        state="ended",
        direction="in",
        client="+79990009900",
        line="+78120000202",
        at=at(15, 0, 21),
        started_at=at(15, 0),
        ended_at=at(15, 0, 21),
        ring_s=21,
        talk_s=0,
        disposition="missed",
        extra={"status": "NOANSWER", "scheme": "Входящая", "last_called": "201&202"},
    ),
    "out-hangup": ParsedCall(
        call_id=OUT,
        event="event 2",
        event_id=f"{OUT}:answered",
        state="ended",
        direction="out",
        client="+79990001234",
        extension="201",
        at=at(16, 0, 40),
        started_at=at(16, 0),
        answered_at=at(16, 0, 10),
        ended_at=at(16, 0, 40),
        ring_s=10,
        talk_s=30,
        disposition="answered",
        recording_url=record(OUT),
        extra={"status": "ANSWER", "scheme": "Исходящая", "last_called": "201"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"sipuni/{name}") == EXPECTED[name]


@pytest.mark.parametrize("query", ["", "event=1", "call_id=7", "event=9&call_id=7"])
def test_every_request_is_answered_with_success_a_test_of_the_address_too(query: str) -> None:
    request = inbound(query=query, method="GET", path_tail="tok-sipuni-1")
    parsed = taken("sipuni", request)
    assert parsed == Parsed()
    assert SOURCE.reply(settings_of("sipuni"), request, parsed, []) == Reply(200, b'{"success": true}')
    assert SOURCE.handshake(settings_of("sipuni"), request) is None
    assert SOURCE.methods == ("GET", "POST")


def test_the_same_fields_by_post_make_the_same_call() -> None:
    request = sample("sipuni/in-answered-4-hangup")
    posted = inbound(urlencode(request.query), path_tail="tok-sipuni-1")
    assert only(taken("sipuni", posted)) == EXPECTED["in-answered-4-hangup"]


# --- traps ----------------------------------------------------------------------------------------------------


def event(**fields: str) -> ParsedCall:
    base = {"event": "1", "call_id": "7.1", "src_num": "79990007788", "src_type": "1", "dst_num": "78120000202"}
    return only(form("sipuni", {**base, "dst_type": "1", "timestamp": "1767621600", "user_id": "070001", **fields}))


def test_a_tail_of_the_scheme_is_cut_off_the_number() -> None:
    assert event(dst_num="78120000202_id265648").line == "+78120000202"
    assert event(dst_num="070001201_id265648", dst_type="2").extension == "201"


def test_the_account_in_front_of_an_extension_is_cut_off() -> None:
    assert event(dst_num="070001201", dst_type="2").extension == "201"
    assert event(src_num="070001201", src_type="2", dst_num="79990001234").extension == "201"
    assert event(event="2", status="ANSWER", last_called="070001202").extension == "202"
    leg = {"event": "3", "call_id": "7.1", "dst_num": "070001201", "dst_type": "2", "src_type": "1"}
    for user in ("070001", 70001):
        assert only(form("sipuni", leg, user=user)).extension == "201"
    assert only(form("sipuni", {**leg, "dst_num": "20201"}, user="202")).extension == "20201"


def test_kinds_count_and_a_renamed_scheme_does_not() -> None:
    made = event(src_num="070001201", src_type="2", dst_num="79990001234", treeName="Входящая новая")
    assert (made.direction, made.client, made.line) == ("out", "+79990001234", "")
    assert event(treeName="Исходящая").direction == "in"


def test_without_kinds_the_scheme_tells_the_direction() -> None:
    made = event(src_num="201", src_type="", dst_num="79990001234", dst_type="", treeName="Исходящая")
    assert (made.direction, made.client, made.extension) == ("out", "+79990001234", "201")
    assert event(src_type="", dst_type="", treeName="Входящая").direction == "in"
    assert event(src_type="", dst_type="").direction == "in"


def test_a_call_between_colleagues_is_internal_and_has_no_client() -> None:
    made = event(src_num="070001201", src_type="2", dst_num="070001202", dst_type="2")
    assert (made.direction, made.client, made.line, made.extension) == ("internal", "", "", "201")


def test_answer_times_of_a_call_from_outside_to_outside_are_not_believed() -> None:
    made = event(
        event="2",
        status="NOANSWER",
        call_start_timestamp="1767621600",
        call_answer_timestamp="1767621600",
        timestamp="1767621640",
    )
    assert (made.disposition, made.answered_at, made.talk_s, made.ring_s) == ("missed", None, 0, 40)


def test_an_answer_time_of_nought_is_none() -> None:
    made = event(event="2", status="ANSWER", call_start_timestamp="1767621600", call_answer_timestamp="0")
    assert (made.disposition, made.answered_at, made.talk_s) == ("answered", None, None)


@pytest.mark.parametrize(
    ("status", "incoming", "outgoing"),
    [
        ("NOANSWER", "missed", "no_answer"),
        ("CANCEL", "missed", "no_answer"),
        ("BUSY", "missed", "busy"),
        ("CONGESTION", "missed", "failed"),
        ("CHANUNAVAIL", "missed", "failed"),
        ("", "", ""),
    ],
)
def test_the_status_of_the_hangup_decides(status: str, incoming: str, outgoing: str) -> None:
    assert event(event="2", status=status).disposition == incoming
    made = event(event="2", status=status, src_num="201", src_type="2", dst_num="79990001234")
    assert (made.disposition, made.state) == (outgoing, "ended")


def test_the_hangup_of_a_leg_that_was_passed_on_does_not_end_the_call() -> None:
    made = event(event="4", status="ANSWER", transfer_from="201", dst_num="202", dst_type="2")
    assert (made.state, made.disposition, made.ended_at) == ("", "", None)
    assert made.extra["transfer_from"] == "201"


def test_a_ring_that_is_sent_twice_has_one_id() -> None:
    assert event().event_id == event().event_id
    assert event().event_id != event(dst_num="070001201", dst_type="2", timestamp="1767621603").event_id


def test_of_several_who_rang_in_vain_nobody_is_named() -> None:
    assert event(event="2", status="NOANSWER", last_called="201&202").extension == ""
    assert event(event="2", status="NOANSWER", last_called="202").extension == "202"


def test_a_link_that_is_no_address_of_the_web_is_left_out() -> None:
    assert event(event="2", status="ANSWER", call_record_link="javascript:alert(1)").recording_url == ""
