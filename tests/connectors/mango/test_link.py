"""Mango Office as an API: signed requests, reports that are not ready, calls back, recordings."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.mango import SOURCE
from connectors.mango.link import POLLS_MAX
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import KEYS, call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, parsed_of, sound

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEY, SALT = KEYS["mango"]["vpbx_api_key"], KEYS["mango"]["vpbx_api_salt"]
RECORDING = "ODA3MTU5NDoxMjM0NQ=="
ANSWERED = "MTA3NzE1OTQ6MTIzNDU2Nzg5MA=="
IVR = f"[];1767600000;1767600004;1767600001;;79990001122;;;1100;74950000101;ivr;1767600000;{ANSWERED}"
TALK = (
    f"[{RECORDING}];1767600004;1767600098;1767600011;;79990001122;101;sip:anna@demo.mangosip.ru;1110;74950000101;"
    f"abonent;1767600000;{ANSWERED}"
)
MISSED = (
    "[];1767603600;1767603625;0;;79990003344;102;sip:boris@demo.mangosip.ru;1111;74950000101;abonent;1767603600;"
    "MTA3NzE1OTQ6MTIzNDU2Nzg5MQ=="
)
OUT = (
    "[];1767607200;1767607260;1767607215;101;sip:anna@demo.mangosip.ru;;79990005566;1120;74950000101;abonent;"
    "1767607200;MTA3NzE1OTQ6MTIzNDU2Nzg5Mg=="
)
REPORT = "\n".join((OUT, IVR, TALK, MISSED))


def checked(asked: Asked) -> Any:
    """What was asked, if it is signed as Mango checks it."""
    form = asked.form
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert set(form) == {"vpbx_api_key", "sign", "json"}
    assert form["vpbx_api_key"] == KEY
    assert form["sign"] == hashlib.sha256((KEY + form["json"] + SALT).encode()).hexdigest()
    return json.loads(form["json"])


class Mango:
    """Gives a report after `unready` questions."""

    def __init__(self, report: str = REPORT, unready: int = 2) -> None:
        self.report, self.unready = report, unready
        self.wanted: list[Any] = []

    def __call__(self, asked: Asked) -> Any:
        tree = checked(asked)
        if asked.path == "/vpbx/stats/request":
            self.wanted.append(tree)
            return {"key": "B+DvIt8hPJReV8v4MYspQQA=="}
        assert asked.path == "/vpbx/stats/result"
        assert tree == {"key": "B+DvIt8hPJReV8v4MYspQQA=="}
        self.unready -= 1
        return Answer(204, b"") if self.unready >= 0 else self.report


def link(vendor: Any, **settings: Any) -> Any:
    return opened(SOURCE, vendor, NOW, vpbx_api_key=KEY, vpbx_api_salt=SALT, **settings)


@virtual
async def test_a_call_of_the_statistics_is_the_one_that_arrived() -> None:
    made = link(FakeVendor(Mango()))
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    assert [one.event for one in told] == ["summary", "record.added", "summary", "summary"]
    answered, added, missed, out = told
    for found, sample in (
        (answered, "in-answered-6-summary"),
        (added, "in-answered-7-record-added"),
        (missed, "in-missed-3-summary"),
        (out, "out-3-summary"),
    ):
        arrived = call(f"mango/{sample}")
        assert (found.call_id, found.event_id) == (arrived.call_id, arrived.event_id)
        assert found.recording_id == arrived.recording_id
        if found.event == "summary":
            for field in ("direction", "client", "line", "extension", "started_at", "answered_at", "ended_at"):
                assert getattr(found, field) == getattr(arrived, field), field
            assert (found.disposition, found.talk_s) == (arrived.disposition, arrived.talk_s)


@virtual
async def test_the_report_is_asked_for_by_seconds_and_fields_and_waited_for() -> None:
    mango = Mango()
    vendor = FakeVendor(mango)
    made = link(vendor)
    before = made.clock.now()
    await listed(made, *DAY)
    (wanted,) = mango.wanted
    assert wanted["date_from"] <= DAY[0].timestamp()
    assert wanted["date_to"] >= NOW.timestamp()
    assert wanted["fields"].split(",")[-1] == "entry_id"
    assert vendor.paths() == ["/vpbx/stats/request", *["/vpbx/stats/result"] * 3]
    assert (made.clock.now() - before).total_seconds() >= 15.0


@virtual
async def test_times_of_moscow_are_taken_back_once_something_lies_in_the_future() -> None:
    shifted = REPORT
    for second in range(1767600000, 1767607261):
        shifted = shifted.replace(str(second), str(second + 10_800)) if str(second) in REPORT else shifted
    made = opened(
        SOURCE,
        FakeVendor(Mango(shifted)),
        datetime(2026, 1, 5, 10, 2, tzinfo=UTC),
        vpbx_api_key=KEY,
        vpbx_api_salt=SALT,
    )
    told = await listed(made, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 10, 2, tzinfo=UTC))
    assert told[0].started_at == call("mango/in-answered-6-summary").started_at
    assert len(told) == 4


@virtual
async def test_an_answered_menu_is_no_talk() -> None:
    alone = IVR.replace("79990001122;;;1100", "79990001122;;;1110")
    (found,) = await listed(link(FakeVendor(Mango(alone))), *DAY)
    assert (found.disposition, found.talk_s, found.direction) == ("missed", 0, "in")


@virtual
async def test_an_empty_report_and_calls_outside_the_window_are_nothing() -> None:
    assert await parsed_of(link(FakeVendor(Mango(""))), *DAY) == []
    assert await parsed_of(link(FakeVendor(Mango())), NOW - timedelta(minutes=5), NOW) == []


@virtual
async def test_a_month_is_asked_for_in_pieces() -> None:
    mango = Mango("", unready=0)
    await parsed_of(link(FakeVendor(mango)), NOW - timedelta(days=40), NOW)
    assert len(mango.wanted) == 2
    assert all(one["date_to"] - one["date_from"] <= 31 * 86_400 for one in mango.wanted)


@virtual
async def test_a_report_that_is_never_ready_is_left_for_later() -> None:
    vendor = FakeVendor(Mango(unready=10_000))
    with pytest.raises(RetryableError, match="not ready"):
        await listed(link(vendor), *DAY)
    assert len(vendor.asked) == 1 + POLLS_MAX


@virtual
async def test_a_report_that_mango_forgot_is_asked_for_another_time() -> None:
    def answers(asked: Asked) -> Any:
        return {"key": "1"} if asked.path.endswith("request") else Answer(404, {"name": "Not Found"})

    with pytest.raises(RetryableError, match="forgot"):
        await listed(link(FakeVendor(answers)), *DAY)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(420, {"name": "wrong sign", "code": 3102}), AuthError),
        (Answer(420, {"code": 3105}), AuthError),
        (Answer(401, ""), AuthError),
        (Answer(420, {"code": 3104}), PermanentError),
        (Answer(429, "", {"retry-after": "7"}), RateLimitedError),
        (Answer(502, "<html>"), RetryableError),
        (Answer(200, {"result": 5003}), RetryableError),
        (None, RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await listed(link(FakeVendor(lambda _: answer)), *DAY)
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_s == 7.0


@virtual
async def test_the_colleague_is_rung_first_and_the_call_bears_our_key() -> None:
    vendor = FakeVendor(lambda _: {"result": 1000})
    made = link(vendor, line_number="74950000101")
    assert isinstance(made, Dials)
    assert await made.dial("101", "+79990005566", "leadhub-cb-000001") == "leadhub-cb-000001"
    assert vendor.paths() == ["/vpbx/commands/callback"]
    assert vendor.last.form["json"] == (
        '{"command_id":"leadhub-cb-000001","from":{"extension":"101"},'
        '"to_number":"79990005566","line_number":"74950000101"}'
    )
    assert checked(vendor.last)["command_id"] == "leadhub-cb-000001"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"result": 3300}, PermanentError, "this extension does not exist"),
        ({"result": 4221}, PermanentError, "cannot be reached now"),
        ({"result": 2100}, PermanentError, "money"),
        ({"result": 5001}, UnknownOutcomeError, "5001"),
        (Answer(503, ""), UnknownOutcomeError, "503"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("999", "+79990005566", "k1")
    assert len(vendor.asked) == 1
    assert "9990005566" not in str(caught.value)


@virtual
async def test_a_recording_comes_from_the_address_that_mango_gives() -> None:
    def answers(asked: Asked) -> Any:
        if asked.path == "/vpbx/queries/recording/post":
            assert checked(asked) == {"recording_id": RECORDING, "action": "download"}
            return Answer(302, b"", {"location": "https://files.mango-office.ru/once/abc"})
        assert (asked.method, asked.path, asked.body) == ("GET", "/once/abc", b"")
        assert asked.headers["host"] == "files.mango-office.ru"
        return b"ID3 sound"

    made = link(FakeVendor(answers))
    assert isinstance(made, Records)
    assert await sound(await made.recording(RECORDING, "")) == ("audio/mpeg", b"ID3 sound")


@virtual
async def test_a_recording_that_is_not_there_yet_is_asked_for_later() -> None:
    for answer in (Answer(404, ""), Answer(200, {"result": 5000}), Answer(500, "")):
        with pytest.raises(RetryableError):
            await link(FakeVendor(lambda _, answer=answer: answer)).recording(RECORDING, "")


@virtual
async def test_mango_cannot_lead_into_the_house() -> None:
    for target in (
        "http://127.0.0.1:8080/metrics",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "file:///etc/passwd",
    ):
        vendor = FakeVendor(lambda _, target=target: Answer(302, b"", {"location": target}))
        with pytest.raises(PermanentError, match=r"private|none of the web"):
            await link(vendor).recording(RECORDING, "")
        assert len(vendor.asked) == 1


@virtual
async def test_without_keys_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW) is None
