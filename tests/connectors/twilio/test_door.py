"""Twilio: calls, SMS and MMS by one door."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.doors import Parsed, ParsedLead, Refused
from connectors.events import Media, ParsedCall, ParsedMessage, ParsedUndelivered
from connectors.twilio import SOURCE, TwilioSettings
from leads.calls import CallEvent, call_of
from leads.records import Touch
from tests.support.pbx import call, form, only, replayed, sample, settings_of
from tests.support.requests import NOW

ANSWERED, MISSED, BUSY = (f"CAfa0e00000000000000000000000000{last}" for last in ("11", "21", "31"))
EMPTY = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


def record(sid: str) -> str:
    return f"https://api.twilio.com/2010-04-01/Accounts/ACfa0e0000000000000000000000000001/Recordings/{sid}"


EXPECTED = {
    "in-answered-1-voice": ParsedCall(
        call_id=ANSWERED,
        event="voice",
        event_id=f"{ANSWERED}:voice:ringing:",
        state="ringing",
        direction="in",
        client="+12025550143",
        line="+12025550100",
        at=NOW,
        started_at=NOW,
        lead=ParsedLead(extra={"city": "WASHINGTON", "state": "DC"}),
        extra={"status": "ringing"},
    ),
    "in-answered-2-dial-action": ParsedCall(
        call_id=ANSWERED,
        event="dial completed",
        event_id=f"{ANSWERED}:dial:answered",
        state="ended",
        direction="in",
        client="+12025550143",
        line="+12025550100",
        at=NOW,
        talk_s=41,
        disposition="answered",
        extra={"dial_status": "completed", "dial_call_sid": "CAfa0e0000000000000000000000000012"},
    ),
    "in-answered-3-status": ParsedCall(
        call_id=ANSWERED,
        event="completed",
        event_id=f"{ANSWERED}:completed",
        state="ended",
        direction="in",
        client="+12025550143",
        line="+12025550100",
        at=at(20, 0, 52),
        started_at=at(20, 0),
        ended_at=at(20, 0, 52),
        extra={"status": "completed"},
    ),
    "in-answered-4-recording": ParsedCall(
        call_id=ANSWERED,
        event="recording completed",
        event_id=f"{ANSWERED}:recording:REfa0e0000000000000000000000000011:completed",
        at=at(20, 0, 10),
        recording_id="REfa0e0000000000000000000000000011",
        recording_url=record("REfa0e0000000000000000000000000011"),
        extra={"status": "completed", "source": "DialVerb"},
    ),
    "in-missed-1-dial-action": ParsedCall(
        call_id=MISSED,
        event="dial no-answer",
        event_id=f"{MISSED}:dial:unanswered",
        state="ended",
        direction="in",
        client="+12025550177",
        line="+12025550100",
        at=NOW,
        talk_s=0,
        disposition="missed",
        extra={"dial_status": "no-answer", "dial_call_sid": "CAfa0e0000000000000000000000000022"},
    ),
    "in-missed-2-status": ParsedCall(
        call_id=MISSED,
        event="completed",
        event_id=f"{MISSED}:completed",
        state="ended",
        direction="in",
        client="+12025550177",
        line="+12025550100",
        at=at(21, 0, 24),
        started_at=at(21, 0),
        ended_at=at(21, 0, 24),
        extra={"status": "completed"},
    ),
    "out-status-busy": ParsedCall(
        call_id=BUSY,
        event="busy",
        event_id=f"{BUSY}:unanswered",
        state="ended",
        direction="out",
        client="+12025550188",
        line="+12025550100",
        at=at(22, 0, 5),
        ended_at=at(22, 0, 5),
        disposition="busy",
        extra={"status": "busy", "sip_code": "486"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"twilio/{name}") == EXPECTED[name]


def sms(**fields: Any) -> ParsedMessage:
    return ParsedMessage(
        chat_id="+14155550123:+14155550100",
        channel="sms",
        at=NOW,
        lead=ParsedLead(
            phones=("+14155550123",),
            extra={"our_number": "+14155550100"},
            touch=Touch(at=NOW, channel="messenger"),
        ),
        **fields,
    )


def test_an_sms_is_a_message_of_the_number_it_came_from() -> None:
    made = sms(message_id="SM00000000000000000000000000000001", text="Need a quote please")
    assert replayed("twilio/msg-1-sms-inbound") == Parsed(messages=(made,))


def test_an_mms_brings_its_picture_without_a_text() -> None:
    url = "https://api.twilio.example/2010-04-01/Accounts/AC0/Messages/MM2/Media/ME1"
    made = sms(message_id="MM00000000000000000000000000000002", media=(Media("image", url=url),))
    assert replayed("twilio/msg-2-mms-inbound") == Parsed(messages=(made,))


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*EXPECTED, "msg-1-sms-inbound"])
def test_the_answer_is_twiml(name: str) -> None:
    reply = SOURCE.reply(settings_of("twilio"), sample(f"twilio/{name}"), replayed(f"twilio/{name}"), [])
    assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", EMPTY)


def test_only_a_call_that_comes_in_is_told_what_the_owner_wrote() -> None:
    settings = settings_of("twilio", voice_twiml="<Response><Dial>+12025550199</Dial></Response>")
    bodies = {
        name: SOURCE.reply(settings, sample(f"twilio/{name}"), replayed(f"twilio/{name}"), []).body for name in EXPECTED
    }
    assert bodies.pop("in-answered-1-voice") == b"<Response><Dial>+12025550199</Dial></Response>"
    assert set(bodies.values()) == {EMPTY}
    with pytest.raises(ValidationError, match="TwiML"):
        TwilioSettings.model_validate({"voice_twiml": "+12025550199"})


# --- traps of calls ------------------------------------------


def event(settings: Any = None, **fields: str) -> ParsedCall:
    base = {"CallSid": "CA1", "From": "+12025550143", "To": "+12025550100", "Direction": "inbound"}
    return only(form("twilio", {**base, **fields}, **(settings or {})))


def whole(*events: ParsedCall) -> str:
    names = CallEvent.__dataclass_fields__
    return call_of(CallEvent(**{name: getattr(one, name) for name in names}) for one in events).disposition


def test_a_completed_incoming_call_is_missed_when_the_dial_says_that_nobody_answered() -> None:
    parts = [call("twilio/in-missed-1-dial-action"), call("twilio/in-missed-2-status")]
    assert whole(*parts) == whole(*reversed(parts)) == "missed"


def test_a_completed_incoming_call_is_answered_when_the_dial_says_so() -> None:
    parts = [call(f"twilio/{name}") for name in EXPECTED if name.startswith("in-answered")]
    assert whole(*parts) == whole(*reversed(parts)) == "answered"


def test_completed_may_be_believed_if_the_owner_says_so() -> None:
    trusting = {"completed_is_answered": True}
    assert event(trusting, CallStatus="completed", CallDuration="20").disposition == "answered"
    assert event(trusting, CallStatus="completed", CallDuration="0").disposition == ""
    assert event(CallStatus="completed", CallDuration="20").disposition == ""


@pytest.mark.parametrize("said", ["no-answer", "busy", "failed", "canceled"])
def test_an_incoming_call_whose_twiml_never_ran_is_missed(said: str) -> None:
    assert event(CallStatus=said).disposition == "missed"
    assert event(CallStatus="in-progress", DialCallStatus=said).disposition == "missed"


@pytest.mark.parametrize(
    ("said", "disposition"),
    [
        ("completed", "answered"),
        ("busy", "busy"),
        ("failed", "failed"),
        ("no-answer", "no_answer"),
        ("canceled", "no_answer"),
    ],
)
def test_an_outgoing_call_is_told_by_its_status(said: str, disposition: str) -> None:
    made = event(CallStatus=said, Direction="outbound-api", From="+12025550100", To="+12025550143", CallDuration="9")
    assert (made.direction, made.client, made.disposition) == ("out", "+12025550143", disposition)


def test_an_outgoing_call_that_a_machine_took_is_voicemail() -> None:
    made = event(CallStatus="completed", Direction="outbound-api", CallDuration="9", AnsweredBy="machine_start")
    assert made.disposition == "voicemail"


def test_a_dial_of_no_seconds_reached_nobody() -> None:
    assert event(DialCallStatus="completed", DialCallDuration="0").disposition == "missed"
    assert event(DialCallStatus="completed", DialCallDuration="0", DialBridged="true").disposition == "answered"


def test_a_menu_that_answers_does_not_talk() -> None:
    assert event(CallStatus="in-progress", CallbackSource="call-progress-events").state == "ringing"


def test_the_leg_of_a_colleague_belongs_to_the_whole_call_and_tells_who_talked() -> None:
    leg = {"CallSid": "CA2", "ParentCallSid": "CA1", "Direction": "outbound-dial", "To": "client:anna"}
    made = event(**leg, CallStatus="in-progress", SequenceNumber="2")
    assert (made.call_id, made.state, made.direction, made.client) == ("CA1", "talking", "in", "+12025550143")
    assert (made.employee, made.answered_at) == ("anna", NOW)
    made = event(**leg, CallStatus="completed", CallDuration="33")
    assert (made.state, made.disposition, made.talk_s, made.ended_at) == ("", "answered", 33, None)
    made = event(**leg, CallStatus="no-answer")
    assert (made.state, made.disposition) == ("", "")


def test_a_leg_to_an_extension_by_sip_tells_the_extension() -> None:
    made = event(CallSid="CA2", ParentCallSid="CA1", To="sip:101@acme.sip.twilio.com", CallStatus="ringing")
    assert (made.extension, made.employee) == ("101", "")


def test_a_leg_to_a_phone_leaves_the_direction_to_the_whole_call() -> None:
    made = event(
        CallSid="CA2", ParentCallSid="CA1", Direction="outbound-dial", To="+12025550199", CallStatus="completed"
    )
    assert (made.direction, made.client, made.line, made.disposition) == ("", "", "", "answered")


def test_a_colleague_who_calls_from_the_browser_calls_out() -> None:
    made = event(From="client:anna", To="+12025550143", CallStatus="ringing")
    assert (made.direction, made.client, made.line, made.employee) == ("out", "+12025550143", "", "anna")


@pytest.mark.parametrize(
    "number", ["+266696687", "+7378742833", "+86282452253", "+8656696", "+2562533", "anonymous", "Restricted"]
)
def test_a_hidden_caller_has_no_number(number: str) -> None:
    assert event(From=number, CallStatus="ringing").client == ""


def test_what_a_caller_said_after_the_tone_is_voicemail() -> None:
    said = {"RecordingSid": "RE1", "RecordingUrl": "https://api.twilio.com/RE1", "RecordingDuration": "7"}
    made = only(
        form("twilio", {"CallSid": "CA1", **said, "RecordingSource": "RecordVerb", "RecordingStatus": "completed"})
    )
    assert (made.disposition, made.recording_id, made.direction) == ("voicemail", "RE1", "")
    assert event(**said, CallStatus="in-progress").disposition == "voicemail"
    assert event(**{**said, "RecordingDuration": "0"}, CallStatus="in-progress").disposition == ""


def test_a_recording_that_failed_is_not_there() -> None:
    made = only(
        form(
            "twilio",
            {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingUrl": "https://a", "RecordingStatus": "absent"},
        )
    )
    assert (made.recording_id, made.recording_url) == ("", "")


def test_the_name_that_the_carrier_knows_comes_along() -> None:
    made = event(CallStatus="ringing", CallerName="ANNA ORLOVA")
    assert made.lead == ParsedLead(name="ANNA ORLOVA")


# --- traps of messages ------------------------------------------


def message(**fields: str) -> Parsed:
    base = {"MessageSid": "SM1", "From": "+14155550123", "To": "+14155550100", "Body": "Hi", "SmsStatus": "received"}
    return form("twilio", {**base, **fields})


def test_an_sms_of_ours_that_did_not_arrive_is_told_of() -> None:
    report = {"MessageSid": "SM1", "From": "+14155550100", "To": "+14155550123"}
    failed = form("twilio", {**report, "MessageStatus": "undelivered", "ErrorCode": "30003"})
    assert failed == Parsed(undelivered=(ParsedUndelivered("SM1", "Twilio could not deliver it (code 30003)"),))
    assert form("twilio", {**report, "SmsStatus": "failed"}).undelivered[0].why == "Twilio could not deliver it"


@pytest.mark.parametrize("status", ["sent", "delivered", "queued"])
def test_a_report_about_our_own_sms_makes_nothing(status: str) -> None:
    assert message(SmsStatus=status) == Parsed()
    assert (
        form("twilio", {"MessageSid": "SM1", "MessageStatus": status, "From": "+1", "To": "+14155550123"}) == Parsed()
    )


def test_a_short_code_has_no_phone() -> None:
    (made,) = message(From="72345").messages
    assert made.lead is not None
    assert (made.lead.phones, made.lead.messengers) == ((), (("sms", "72345"),))


def test_whatsapp_of_twilio_is_a_channel_of_its_own() -> None:
    (made,) = message(From="whatsapp:+14155550123", To="whatsapp:+14155550100", ProfileName="Anna").messages
    assert (made.channel, made.chat_id) == ("whatsapp", "+14155550123:+14155550100")
    assert made.lead is not None
    assert (made.lead.name, made.lead.phones) == ("Anna", ("+14155550123",))
    assert made.lead.messengers == (("whatsapp", "14155550123"),)


def test_an_id_of_facebook_is_no_phone() -> None:
    (made,) = message(From="messenger:4155550123999").messages
    assert made.lead is not None
    assert (made.channel, made.lead.phones) == ("messenger", ())


def test_media_that_are_no_addresses_are_left_out() -> None:
    (made,) = message(
        NumMedia="3", MediaUrl0="ftp://x", MediaUrl1="https://a/1", MediaContentType1="application/pdf"
    ).messages
    assert made.media == (Media("file", url="https://a/1"),)


@pytest.mark.parametrize("fields", [{"AccountSid": "AC1"}, {"EventType": "onMessageAdded"}])
def test_what_is_neither_call_nor_message_makes_nothing(fields: dict[str, str]) -> None:
    assert form("twilio", fields) == Parsed()


def test_a_signed_request_needs_no_token_but_a_wrong_one_is_refused() -> None:
    settings = settings_of("twilio", url_token="tok-1")
    request = sample("twilio/in-answered-1-voice")
    url = f"{request.url}/tok-1"
    for signed in (request, replace(request, path_tail="tok-1", url=url)):
        SOURCE.verify(settings, signed)  # at the address with the token, signed for the one without it
    with pytest.raises(Refused, match="token"):
        SOURCE.verify(settings, replace(request, path_tail="tok-2", url=f"{request.url}/tok-2"))
