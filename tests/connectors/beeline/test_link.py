"""Beeline as an API: calling from an employee, recordings of its calls. It has no list of calls."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.beeline import SOURCE
from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from tests.support.calldoors import call, sample, settings_of, taken
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, opened, sound

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
TOKEN = "fake-beeline-token"


def link(answers: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, api_token=TOKEN)


@virtual
async def test_the_employee_is_rung_first() -> None:
    vendor = FakeVendor(lambda _: '"callhalf-77:0"')
    made = link(vendor)
    assert isinstance(made, Dials)
    assert not isinstance(made, Lists)
    assert await made.dial("101", "+79990008801", "k") == "callhalf-77:0"
    assert (vendor.last.method, vendor.last.path) == ("POST", "/apis/portal/abonents/101/call")
    assert vendor.last.query == "phoneNumber=9990008801"
    assert vendor.last.json == {"phoneNumber": "9990008801"}
    assert vendor.last.headers["x-mpbx-api-auth-token"] == TOKEN


@virtual
async def test_a_login_and_a_foreign_number_are_sent_as_they_are() -> None:
    vendor = FakeVendor(lambda _: {"callId": "1"})
    assert await link(vendor).dial("9660000001@mpbx.example.test", "+380440000101", "k") == "1"
    assert vendor.last.path == "/apis/portal/abonents/9660000001@mpbx.example.test/call"
    assert vendor.last.query == "phoneNumber=380440000101"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(401, ""), AuthError, "key"),
        (
            Answer(400, {"errorCode": "UserNotFound", "description": "no 999 for 79990008801"}),
            PermanentError,
            "UserNotFound",
        ),
        (Answer(429, ""), RateLimitedError, "slow down"),
        (Answer(502, ""), UnknownOutcomeError, "502"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("999", "+79990008801", "k")
    assert len(vendor.asked) == 1
    assert "9990008801" not in str(caught.value)


def released(answered: str, *, recorded: bool = True) -> str:
    """The id of the recording that the end of a sample's call bears."""
    text = sample("beeline/in-received").body.decode().replace("CallReceivedEvent", "CallReleasedEvent")
    times = f"<xsi:releaseTime>1767643260000</xsi:releaseTime>{answered}</xsi:call>"
    request = sample("beeline/in-received")
    body = text.replace("</xsi:call>", times).encode()
    made_for = settings_of("beeline", recorded=recorded)
    made = taken(
        "beeline", type(request)(request.method, request.path_tail, [], request.headers, body, "", NOW), made_for
    )
    return call(made).recording_id


@virtual
async def test_a_recording_is_found_by_the_ids_of_the_events() -> None:
    recording_id = released("<xsi:answerTime>1767643207000</xsi:answerTime>")
    assert recording_id == "1001:1/9660000001@mpbx.example.test"
    assert released("") == ""
    assert released("<xsi:answerTime>1767643207000</xsi:answerTime>", recorded=False) == ""

    def answers(asked: Asked) -> Any:
        if asked.headers["host"] == "files.example.com":
            assert "x-mpbx-api-auth-token" not in asked.headers
            return b"sound"
        assert asked.headers["x-mpbx-api-auth-token"] == TOKEN
        assert asked.path == "/apis/portal/records/1001%3A1/9660000001%40mpbx.example.test/reference"
        return {"url": "https://files.example.com/1.mp3"}

    made = link(answers)
    assert isinstance(made, Records)
    assert await sound(await made.recording(recording_id, "")) == ("audio/mpeg", b"sound")


@virtual
async def test_a_recording_of_the_list_is_downloaded_by_its_number() -> None:
    vendor = FakeVendor(lambda _: b"sound")
    await sound(await link(vendor).recording("206636195", ""))
    assert vendor.last.path == "/apis/portal/v2/records/206636195/download"


@virtual
async def test_a_recording_that_is_not_there_yet_is_asked_for_later() -> None:
    for answer in (Answer(404, {"errorCode": "RecordNotFound"}), {}):
        with pytest.raises(RetryableError):
            await link(lambda _, answer=answer: answer).recording("1001:1/user", "")


@virtual
async def test_without_a_token_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW) is None
