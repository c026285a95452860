"""Zadarma: the test of the address, signatures, and what each event makes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from connectors.doors import Inbound, Parsed, Refused, Reply, Unreadable
from connectors.events import ParsedCall
from connectors.zadarma import SOURCE, ZadarmaSettings
from tests.support.pbx import KEYS, call, form, only, sample, settings_of, taken, zadarma_signature
from tests.support.requests import NOW, inbound

FIRST = "in_ae6b03b3b0765d127ec0b739209346bbc4f00001"
SECOND = "in_ae6b03b3b0765d127ec0b739209346bbc4f00002"
OUT = "out_5b1c0d7f8e2a4c6db0f1e2d3c4b5a69700000003"
SECRET = KEYS["zadarma"]["secret"]


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


EXPECTED = {
    "in-answered-1-start": ParsedCall(
        call_id=FIRST,
        event="notify_start",
        event_id=f"{FIRST}:notify_start::",
        state="ringing",
        direction="in",
        client="+442071838750",
        line="+442037691880",
        at=NOW,
        started_at=at(11, 0),
    ),
    "in-answered-2-internal": ParsedCall(
        call_id=FIRST,
        event="notify_internal",
        event_id=f"{FIRST}:notify_internal:100:",
        state="ringing",
        direction="in",
        client="+442071838750",
        line="+442037691880",
        extension="100",
        at=NOW,
        started_at=at(11, 0),
    ),
    "in-answered-3-answer": ParsedCall(
        call_id=FIRST,
        event="notify_answer",
        event_id=f"{FIRST}:notify_answer:100:",
        state="talking",
        direction="in",
        client="+442071838750",
        extension="100",
        at=NOW,
        started_at=at(11, 0),
        answered_at=NOW,
    ),
    "in-answered-4-end": ParsedCall(
        call_id=FIRST,
        event="notify_end",
        event_id=f"{FIRST}:answered",
        state="ended",
        direction="in",
        client="+442071838750",
        line="+442037691880",
        extension="100",
        at=NOW,
        started_at=at(11, 0),
        ended_at=at(11, 1, 4),
        talk_s=64,
        disposition="answered",
        recording_id="1767610800.1234567",
        extra={"disposition": "answered", "status_code": "16"},
    ),
    "in-answered-5-record": ParsedCall(
        call_id=FIRST,
        event="notify_record",
        event_id=f"{FIRST}:notify_record:1767610800.1234567",
        recording_id="1767610800.1234567",
    ),
    "in-missed-1-start": ParsedCall(
        call_id=SECOND,
        event="notify_start",
        event_id=f"{SECOND}:notify_start::",
        state="ringing",
        direction="in",
        client="+12025550143",
        line="+442037691881",
        at=NOW,
        started_at=at(12, 10),
    ),
    "in-missed-2-end": ParsedCall(
        call_id=SECOND,
        event="notify_end",
        event_id=f"{SECOND}:unanswered",
        state="ended",
        direction="in",
        client="+12025550143",
        line="+442037691881",
        at=NOW,
        started_at=at(12, 10),
        ended_at=at(12, 10, 25),
        ring_s=25,
        talk_s=0,
        disposition="missed",
        extra={"disposition": "cancel", "status_code": "16"},
    ),
    "out-1-start": ParsedCall(
        call_id=OUT,
        event="notify_out_start",
        event_id=f"{OUT}:notify_out_start:101:",
        state="ringing",
        direction="out",
        client="+442071838751",
        extension="101",
        at=NOW,
        started_at=at(13, 0),
    ),
    "out-2-end": ParsedCall(
        call_id=OUT,
        event="notify_out_end",
        event_id=f"{OUT}:answered",
        state="ended",
        direction="out",
        client="+442071838751",
        line="+442037691880",
        extension="101",
        at=NOW,
        started_at=at(13, 0),
        ended_at=at(13, 0, 31),
        talk_s=31,
        disposition="answered",
        recording_id="1767618000.7654321",
        extra={"disposition": "answered", "status_code": "16"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"zadarma/{name}") == EXPECTED[name]


def test_the_reply_steers_no_call() -> None:
    assert SOURCE.reply(settings_of("zadarma"), sample("zadarma/in-answered-1-start"), Parsed(), []) == Reply(
        200, b"{}"
    )


# --- the test of the address ------------------------------------------


def test_the_echo_is_answered_with_its_value_alone() -> None:
    assert SOURCE.handshake(settings_of("zadarma"), sample("zadarma/0-zd-echo")) == Reply(200, b"5f2b8c", "text/plain")


def test_the_echo_at_another_address_is_refused() -> None:
    with pytest.raises(Refused):
        SOURCE.handshake(settings_of("zadarma"), replace(sample("zadarma/0-zd-echo"), path_tail="tok-zadarma-2"))


def test_a_get_without_echo_is_no_handshake() -> None:
    assert SOURCE.handshake(settings_of("zadarma"), inbound(method="GET", path_tail="tok-zadarma-1")) is None


def test_an_echo_by_post_is_answered_too() -> None:
    request = inbound(query="zd_echo=abc", path_tail="tok-zadarma-1")
    assert taken("zadarma", request).reply == Reply(200, b"abc", "text/plain")


# --- the signature ------------------------------------------

VECTOR = ZadarmaSettings.model_validate({"secret": "testsecret"})


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (
            "event=NOTIFY_START&caller_id=%2B442071838750&called_did=442037691880&call_start=2026-01-05+11:00:00&pbx_call_id=a",
            "OTYyMTdmZGRiZDRhZTYyMzI5NzZhYmZlN2UxOGZmNjRlNzA4ZTA2Ng==",
        ),
        (
            "event=NOTIFY_RECORD&pbx_call_id=in_1&call_id_with_rec=1767.5",
            "YmNkM2NjNzEyMjgzMDk5YTg5OGZlNTJhM2M3M2Q5MWVlYzFmMjk1Mw==",
        ),
    ],
)
def test_signatures_are_those_of_the_documented_vectors(body: str, signature: str) -> None:
    SOURCE.verify(VECTOR, inbound(body, headers={"Signature": signature}))
    for forged in (signature.swapcase(), signature[:-4] + "MA==", "", signature + "="):
        with pytest.raises(Refused):
            SOURCE.verify(VECTOR, inbound(body, headers={"Signature": forged}))


def signed(fields: dict[str, str], signed_text: str) -> Inbound:
    headers = {"Signature": zadarma_signature(signed_text, SECRET)}
    return inbound(urlencode(fields), headers=headers, path_tail="tok-zadarma-1")


def test_a_multipart_form_is_checked_and_read_as_well() -> None:
    fields = {"event": "NOTIFY_RECORD", "pbx_call_id": "in_1", "call_id_with_rec": "1767.5"}
    body = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    )
    headers = {"Signature": zadarma_signature("in_11767.5", SECRET), "Content-Type": "multipart/form-data; boundary=b"}
    made = only(taken("zadarma", inbound(f"{body}--b--\r\n", headers=headers, path_tail="tok-zadarma-1")))
    assert (made.call_id, made.recording_id) == ("in_1", "1767.5")


def test_an_unknown_event_is_let_through_when_signed_and_makes_nothing() -> None:
    fields = {"event": "NOTIFY_INTERNAL_END", "pbx_call_id": "in_1", "caller_id": "1"}
    assert taken("zadarma", signed(fields, "who knows")) == Parsed()
    with pytest.raises(Refused):
        taken("zadarma", replace(signed(fields, "x"), headers={}))


@pytest.mark.parametrize("event", ["notify_end", "NOTIFY_END ", " NOTIFY_END", "NOTIFY_END\0", "sms", "Sms"])
def test_an_event_that_is_not_spelled_as_the_vendor_does_cannot_slip_past_the_signature(event: str) -> None:
    fields = {"event": event, "pbx_call_id": "in_1", "caller_id": "1", "disposition": "answered", "result": RESULT}
    assert taken("zadarma", signed(fields, "forged")) == Parsed()


def test_nothing_at_all_is_refused_where_a_secret_is_set() -> None:
    for body in ("", "zd=1", "{}", "\xff"):
        with pytest.raises(Refused):
            SOURCE.verify(VECTOR, inbound(body, headers={"Signature": zadarma_signature("", "testsecret")}))


# --- traps --------------------------------------------------------------------------------------------------


def end(**fields: str) -> ParsedCall:
    base = {"event": "NOTIFY_END", "pbx_call_id": "in_1", "caller_id": "+442071838750", "called_did": "442037691880"}
    return only(form("zadarma", {**base, "call_start": "2026-01-05 11:00:00", "duration": "25", **fields}))


@pytest.mark.parametrize(
    "said", ["busy", "cancel", "no answer", "failed", "call failed", "no money", "line limit", "Cancel", "new word"]
)
def test_whoever_hung_up_an_incoming_call_that_was_not_answered_is_missed(said: str) -> None:
    made = end(disposition=said)
    assert (made.disposition, made.talk_s, made.ring_s) == ("missed", 0, 25)


@pytest.mark.parametrize(
    ("said", "disposition"),
    [
        ("no answer", "no_answer"),
        ("cancel", "no_answer"),
        ("busy", "busy"),
        ("failed", "failed"),
        ("unallocated number", "failed"),
        ("no money, no limit", "failed"),
    ],
)
def test_an_outgoing_call_in_vain_is_told_by_its_word(said: str, disposition: str) -> None:
    made = end(event="NOTIFY_OUT_END", internal="101", destination="442071838751", disposition=said)
    assert (made.direction, made.client, made.disposition) == ("out", "+442071838751", disposition)


def test_the_final_event_without_a_word_is_left_open() -> None:
    made = end()
    assert (made.state, made.disposition, made.talk_s) == ("ended", "", None)


def test_who_took_part_last_is_who_talked() -> None:
    assert end(disposition="answered", internal="100", last_internal="105").extension == "105"


def test_a_call_between_colleagues_is_internal_and_has_no_client() -> None:
    made = end(event="NOTIFY_OUT_END", internal="101", destination="102", disposition="answered")
    assert (made.direction, made.client, made.extension) == ("internal", "", "101")
    made = end(caller_id="101", internal="102")
    assert (made.direction, made.client) == ("internal", "")


def test_a_hidden_caller_has_no_number() -> None:
    assert end(caller_id="anonymous").client == ""


def test_a_recording_that_was_not_made_has_no_id() -> None:
    assert end(is_recorded="0", call_id_with_rec="1.2").recording_id == ""


def test_the_zone_of_the_account_is_found_by_the_clock_or_set() -> None:
    received = at(8, 0, 2)
    fields = {
        "event": "NOTIFY_START",
        "pbx_call_id": "in_1",
        "caller_id": "+442071838750",
        "called_did": "442037691880",
    }
    fields["call_start"] = "2026-01-05 11:00:00"
    assert only(form("zadarma", fields, received_at=received)).started_at == at(8, 0)
    assert only(form("zadarma", fields, received_at=at(11, 0, 2))).started_at == at(11, 0)
    assert only(form("zadarma", fields, received_at=at(11, 12))).started_at == at(11, 0)
    late = only(form("zadarma", fields, received_at=at(8, 9, 30)))  # no event tells of what has yet to happen
    assert late.started_at == at(8, 0)
    assert only(form("zadarma", fields, received_at=received, timezone="Asia/Tokyo")).started_at == at(2, 0)
    ended = {**fields, "event": "NOTIFY_END", "duration": "64", "disposition": "answered"}
    assert only(form("zadarma", ended, received_at=received + timedelta(seconds=64))).started_at == at(8, 0)


def test_a_zone_that_does_not_exist_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ValidationError, match="time zone"):
        ZadarmaSettings.model_validate({"timezone": "Europe/Nowhere"})


def test_a_call_without_an_id_makes_nothing() -> None:
    assert form("zadarma", {"event": "NOTIFY_START", "caller_id": "1"}) == Parsed()


# --- SMS ------------------------------------------------------------------------------------------------------

RESULT = '{"caller_id": "+442071838750", "caller_did": "442037691880", "text": "Call me back on 020 7183 8751"}'


def test_an_sms_is_a_message_of_its_sender() -> None:
    (made,) = taken(
        "zadarma", signed({"event": "SMS", "result": RESULT}, RESULT), settings_of("zadarma", region="GB")
    ).messages
    assert (made.channel, made.author, made.text) == ("sms", "client", "Call me back on 020 7183 8751")
    assert made.chat_id == "+442071838750:+442037691880"
    assert made.hints == ("+442071838751",)
    assert made.lead is not None
    assert made.lead.phones == ("+442071838750",)
    assert made.lead.extra == {"our_number": "+442037691880"}
    assert made.lead.touch is not None
    assert made.lead.touch.channel == "messenger"


def test_an_sms_with_another_text_than_was_signed_is_refused() -> None:
    with pytest.raises(Refused):
        taken("zadarma", signed({"event": "SMS", "result": RESULT}, RESULT + " "))


def test_the_same_sms_is_one_a_day_and_another_the_next_day() -> None:
    ids = [
        form("zadarma", {"event": "SMS", "result": RESULT}, received_at=NOW + timedelta(hours=hours))
        .messages[0]
        .message_id
        for hours in (0, 1, 24)
    ]
    assert ids[0] == ids[1] != ids[2]


def test_an_sms_of_a_name_has_no_phone() -> None:
    (made,) = form(
        "zadarma", {"event": "SMS", "result": '{"caller_id": "BANK", "caller_did": "1", "text": ""}'}
    ).messages
    assert made.lead is not None
    assert (made.lead.phones, made.lead.messengers) == ((), (("sms", "BANK"),))


def test_a_result_that_is_no_object_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        form("zadarma", {"event": "SMS", "result": "[1]"})
