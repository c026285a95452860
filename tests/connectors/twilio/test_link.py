"""Twilio as an API: Basic auth, pages, the calls that its webhooks told, calls started, recordings."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from connectors.errors import (
    AuthError,
    NoAccessError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.links import Dials, Lists, Records
from connectors.twilio import SOURCE, TwilioSettings
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import KEYS, call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
SID, TOKEN = KEYS["twilio"]["account_sid"], KEYS["twilio"]["auth_token"]
BASE = f"/2010-04-01/Accounts/{SID}"
ANSWERED, MISSED, BUSY = (f"CAfa0e00000000000000000000000000{n}" for n in ("11", "21", "31"))


def line(sid: str, status: str, end: str, duration: str, **more: Any) -> Any:
    base = {"sid": sid, "parent_call_sid": None, "from": "+12025550143", "to": "+12025550100", "direction": "inbound"}
    return {**base, "status": status, "duration": duration, "end_time": f"Mon, 05 Jan 2026 {end} +0000", **more}


LEG = {"direction": "outbound-dial", "to": "client:anna"}
CALLS = [
    line(BUSY, "busy", "22:00:05", "0", direction="outbound-api", to="+12025550188", **{"from": "+12025550100"}),
    line("CA22", "no-answer", "21:00:20", "0", parent_call_sid=MISSED, **LEG),
    line(MISSED, "completed", "21:00:24", "24", **{"from": "+12025550177"}),
    line("CA12", "completed", "20:00:51", "41", parent_call_sid=ANSWERED, **LEG),
    line(ANSWERED, "completed", "20:00:52", "52"),
    line("CA41", "in-progress", "22:59:00", "0"),
]
RECORDINGS = [
    {
        "sid": "REfa0e0000000000000000000000000011",
        "call_sid": ANSWERED,
        "status": "completed",
        "duration": "41",
        "source": "DialVerb",
        "start_time": "Mon, 05 Jan 2026 20:00:10 +0000",
        "uri": f"{BASE}/Recordings/REfa0e0000000000000000000000000011.json",
    }
]


class Twilio:
    """Two calls a page, whatever was wished for."""

    def __call__(self, asked: Asked) -> Any:
        assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        assert asked.method == "GET"
        if asked.path == f"{BASE}/Recordings.json":
            return {"recordings": RECORDINGS, "next_page_uri": None}
        assert asked.path == f"{BASE}/Calls.json"
        page = int(asked.params.get("Page", "0"))
        more = page < 2
        following = f"{BASE}/Calls.json?PageSize=2&Page={page + 1}&PageToken=PA{page}" if more else None
        return {"calls": CALLS[2 * page : 2 * page + 2], "next_page_uri": following}


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, account_sid=SID, auth_token=TOKEN, **settings)


@virtual
async def test_a_call_of_the_list_is_the_one_that_arrived() -> None:
    made = link(Twilio())
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    expected = (
        *("in-answered-3-status", "in-answered-2-dial-action", "in-missed-2-status", "in-missed-1-dial-action"),
        *("out-status-busy", "in-answered-4-recording"),
    )
    assert len(told) == len(expected)
    for found, name in zip(told, expected, strict=True):
        arrived = call(f"twilio/{name}")
        for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "talk_s", "disposition",
                      "recording_id", "recording_url"):  # fmt: skip
            assert getattr(found, field) == getattr(arrived, field), (name, field)
        if "dial" not in name:
            assert (found.at, found.ended_at) == (arrived.at, arrived.ended_at)


@virtual
async def test_pages_are_followed_at_our_own_host() -> None:
    twilio = Twilio()

    def answers(asked: Asked) -> Any:
        made = twilio(asked)
        if made.get("next_page_uri"):
            made["next_page_uri"] = "https://evil.example.com" + made["next_page_uri"]
        return made

    vendor = FakeVendor(answers)
    assert len(await listed(link(vendor), *DAY)) == 6
    assert {one.headers["host"] for one in vendor.asked} == {"api.twilio.com"}
    first = vendor.asked[0].params
    assert (first["StartTime>"], first["StartTime<"]) == ("2026-01-04T19:00:00Z", "2026-01-05T23:00:00Z")


@virtual
async def test_recordings_that_may_not_be_listed_stop_nothing() -> None:
    def answers(asked: Asked) -> Any:
        return Answer(404, {"code": 20404, "message": "no"}) if "Recordings" in asked.path else Twilio()(asked)

    assert len(await listed(link(answers), *DAY)) == 5


@virtual
async def test_a_leg_without_seconds_is_no_talk() -> None:
    calls = [
        line("CA2", "completed", "20:00:51", "0", parent_call_sid="CA1", **LEG),
        line("CA1", "completed", "20:01:00", "9"),
    ]
    _, dial = await listed(link(lambda asked: {"calls": calls} if "Calls" in asked.path else {"recordings": []}), *DAY)
    assert (dial.event, dial.disposition) == ("dial no-answer", "missed")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, {"code": 20003, "message": "Authenticate"}), AuthError),
        (Answer(429, {"code": 20429, "message": "Too Many"}, {"retry-after": "3"}), RateLimitedError),
        (Answer(400, {"code": 20001, "message": "bad"}), PermanentError),
        (Answer(500, ""), RetryableError),
        (Answer(200, "<html>"), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await listed(link(lambda _: answer), *DAY)
    assert not isinstance(caught.value, RateLimitedError) or caught.value.retry_after_s == 3.0


@virtual
async def test_the_colleague_is_rung_first_and_the_client_dialled() -> None:
    vendor = FakeVendor(lambda _: Answer(201, {"sid": "CA99", "status": "queued"}))
    made = link(vendor, caller_id="+12025550100")
    assert isinstance(made, Dials)
    assert await made.dial("anna", "+12025550143", "k1") == "CA99"
    assert (vendor.last.method, vendor.last.path) == ("POST", f"{BASE}/Calls.json")
    twiml = '<Response><Dial callerId="+12025550100"><Number>+12025550143</Number></Dial></Response>'
    assert vendor.last.body.decode() == urlencode({"To": "client:anna", "From": "+12025550100", "Twiml": twiml})


@virtual
async def test_a_colleague_may_be_a_phone_or_a_sip_phone() -> None:
    vendor = FakeVendor(lambda _: Answer(201, {"sid": "CA99"}))
    made = link(vendor, caller_id="+12025550100", employee_address="sip:{extension}@x.sip.twilio.com")
    await made.dial("+12025550199", "+12025550143", "k1")
    assert vendor.last.form["To"] == "+12025550199"
    await made.dial("101", "+12025550143", "k2")
    assert vendor.last.form["To"] == "sip:101@x.sip.twilio.com"
    with pytest.raises(ValidationError, match=r"expected \{extension\}"):
        TwilioSettings(employee_address="sip:anna@x.sip.twilio.com")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(400, {"code": 21211, "message": "Invalid 'To' +12025550143"}), PermanentError, "Invalid 'To'"),
        (Answer(503, ""), UnknownOutcomeError, "503"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error, match=words) as caught:
        await link(vendor, caller_id="+12025550100").dial("anna", "+12025550143", "k1")
    assert len(vendor.asked) == 1
    assert "2025550143" not in str(caught.value)


@virtual
async def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(NoAccessError, match="caller_id is not set"):
        await link(lambda _: {}).dial("anna", "+12025550143", "k1")
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, auth_token=TOKEN) is None


@virtual
async def test_a_recording_is_fetched_as_mp3_with_the_accounts_password() -> None:
    vendor = FakeVendor(lambda _: b"sound")
    made = link(vendor)
    assert isinstance(made, Records)
    url = f"https://api.twilio.com{BASE}/Recordings/RE11"
    for recording_id, address in (("RE11", url), ("RE11", ""), ("", url), ("", f"{url}.wav")):
        assert await sound(await made.recording(recording_id, address)) == ("audio/mpeg", b"sound")
        assert vendor.last.path == f"{BASE}/Recordings/RE11.mp3"
        assert vendor.last.headers["authorization"].startswith("Basic ")


@virtual
async def test_the_password_goes_to_nobody_else() -> None:
    vendor = FakeVendor(lambda _: b"sound")
    await sound(await link(vendor).recording("RE11", "https://cdn.example.com/RE11"))
    assert (vendor.last.headers["host"], vendor.last.path) == ("cdn.example.com", "/RE11")
    assert "authorization" not in vendor.last.headers
