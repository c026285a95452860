"""Zadarma as an API: signed queries, pages of statistics, calling back, recordings."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.zadarma import SOURCE
from connectors.zadarma.link import PAGE
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import KEYS, call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEY, SECRET = KEYS["zadarma"]["user_key"], KEYS["zadarma"]["secret"]
TALKED, LOST, OUT = (
    "in_ae6b03b3b0765d127ec0b739209346bbc4f00001",
    "in_ae6b03b3b0765d127ec0b739209346bbc4f00002",
    ("out_5b1c0d7f8e2a4c6db0f1e2d3c4b5a69700000003"),
)


def row(pbx_call_id: str, start: str, clid: str, destination: str, disposition: str, seconds: int, **more: Any) -> Any:
    base = {"call_id": 1767610800.1234567, "sip": 0, "is_recorded": "false", "pbx_call_id": pbx_call_id}
    told = {"callstart": start, "clid": clid, "destination": destination, "disposition": disposition}
    return {**base, **told, "seconds": seconds, **more}


ROWS = [
    row(OUT, "2026-01-05 13:00:00", "442037691880", "442071838751", "answered", 31, sip=101, is_recorded="true",
        call_id="1767618000.7654321"),
    row(TALKED, "2026-01-05 11:00:00", "+442071838750", "0", "answered", 70, sip="442037691880"),
    row(TALKED, "2026-01-05 11:00:02", "+442071838750", "101", "cancel", 9, sip="442037691880"),
    row(TALKED, "2026-01-05 11:00:02", "+442071838750", "100", "answered", 64, sip="442037691880",
        is_recorded="true"),
    row(LOST, "2026-01-05 12:10:00", "+12025550143", "1", "cancel", 25, sip="442037691881"),
]  # fmt: skip
EXACT = b'{"status":"success","stats":[%s]}'


class Zadarma:
    """Checks the signature, pages the rows, tells the account's zone."""

    def __init__(self, rows: list[Any] = ROWS, *, ahead_h: int = 0) -> None:
        self.rows, self.ahead_h = rows, ahead_h

    def __call__(self, asked: Asked) -> Any:
        checked(asked)
        if asked.path == "/v1/info/timezone/":
            there = datetime(2026, 1, 5, 14, 0, 1, tzinfo=UTC) + timedelta(hours=self.ahead_h)
            return {"status": "success", "unixtime": int(NOW.timestamp()), "datetime": f"{there:%Y-%m-%d %H:%M:%S}"}
        assert asked.path == "/v1/statistics/pbx/"
        wanted = asked.params
        assert wanted["version"] == "2"
        first = int(wanted["skip"])
        return {"status": "success", "stats": self.rows[first : first + int(wanted["limit"])]}


def checked(asked: Asked) -> None:
    """As `user-api-v1` signs: over the path and the sorted query, byte for byte."""
    assert asked.method == "GET"
    names = [pair.partition("=")[0] for pair in asked.query.split("&")]
    assert names == sorted(names)
    assert "format=json" in asked.query
    signed = asked.path + asked.query + hashlib.md5(asked.query.encode()).hexdigest()
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
    assert asked.headers["authorization"] == f"{KEY}:{base64.b64encode(digest.encode()).decode()}"


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, user_key=KEY, secret=SECRET, **settings)


@virtual
async def test_a_call_of_the_statistics_is_the_one_that_arrived() -> None:
    made = link(Zadarma())
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    expected = ("in-answered-4-end", "in-answered-5-record", "in-missed-2-end", "out-2-end")
    assert len(told) == 5
    assert told[4].event == "notify_record"
    for found, name in zip(told, expected, strict=False):
        arrived = call(f"zadarma/{name}")
        assert (found.call_id, found.event_id, found.event) == (arrived.call_id, arrived.event_id, arrived.event)
        for field in (
            "direction",
            "client",
            "line",
            "extension",
            "started_at",
            "disposition",
            "talk_s",
            "recording_id",
        ):
            assert getattr(found, field) == getattr(arrived, field), (name, field)


@virtual
async def test_the_accounts_own_clock_tells_its_zone() -> None:
    ahead = [row(LOST, "2026-01-05 15:10:00", "+12025550143", "1", "cancel", 25)]
    vendor = FakeVendor(Zadarma(ahead, ahead_h=3))
    made = link(vendor)
    (found,) = await listed(made, *DAY)
    assert found.started_at == datetime(2026, 1, 5, 12, 10, tzinfo=UTC)
    assert vendor.last.params["end"] == "2026-01-05 17:00:00"
    await listed(made, *DAY)
    assert vendor.paths().count("/v1/info/timezone/") == 1


@virtual
async def test_a_zone_that_is_set_is_not_asked_for() -> None:
    vendor = FakeVendor(Zadarma([]))
    assert await listed(link(vendor, timezone="Europe/Kyiv"), *DAY) == []
    assert vendor.paths() == ["/v1/statistics/pbx/"]
    assert "start=2026-01-04+13%3A00%3A00" in vendor.last.query


@virtual
async def test_a_zone_that_cannot_be_told_is_utc() -> None:
    def answers(asked: Asked) -> Any:
        return Answer(404, "") if "timezone" in asked.path else Zadarma()(asked)

    assert (await listed(link(answers), *DAY))[0].started_at == datetime(2026, 1, 5, 11, 0, tzinfo=UTC)


@virtual
async def test_pages_are_read_to_the_end_and_at_most_three_a_minute() -> None:
    many = [row(f"in_{n}", "2026-01-05 11:00:00", "+12025550143", "100", "answered", 5) for n in range(3 * PAGE + 7)]
    vendor = FakeVendor(Zadarma(many))
    made = link(vendor, timezone="UTC")
    before = made.clock.now()
    told = await listed(made, *DAY)
    assert len({one.call_id for one in told}) == 3 * PAGE + 7
    assert [one.params["skip"] for one in vendor.asked] == ["0", "1000", "2000", "3000"]
    assert (made.clock.now() - before).total_seconds() >= 60.0


@virtual
async def test_ids_are_not_rounded() -> None:
    told = b'{"call_id":1439981389.27027730001,"sip":100,"callstart":"2026-01-05 11:00:00","clid":"+12025550143",'
    told += b'"destination":100,"disposition":"answered","seconds":5,"is_recorded":true,"pbx_call_id":"in_1"}'
    (end, record) = await listed(link(lambda _: EXACT % told, timezone="UTC"), *DAY)
    assert end.recording_id == record.recording_id == "1439981389.27027730001"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, {"status": "error", "message": "Not authorized"}), AuthError),
        (Answer(400, {"status": "error", "message": "Wrong Signature"}), AuthError),
        (Answer(429, {"status": "error", "message": "slow"}, {"x-ratelimit-reset": "1767621630"}), RateLimitedError),
        (Answer(400, {"status": "error", "message": "Start date is wrong"}), PermanentError),
        (Answer(200, "<html>"), RetryableError),
        (Answer(503, ""), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await listed(link(lambda _: answer, timezone="UTC"), *DAY)
    if isinstance(caught.value, RateLimitedError):
        assert 29.0 <= caught.value.retry_after_s <= 30.0


@virtual
async def test_the_colleague_is_rung_first_by_the_documented_query() -> None:
    vendor = FakeVendor(lambda _: {"status": "success", "from": "100", "to": "442071838750", "time": 1767621600})
    made = opened(SOURCE, vendor, NOW, user_key="key", secret="testsecret")
    assert isinstance(made, Dials)
    assert await made.dial("100", "+442071838750", "k1") == ""
    assert vendor.last.path == "/v1/request/callback/"
    assert vendor.last.query == "format=json&from=100&to=442071838750"
    signature = "NGQxNjRkOGMyZjc2ZGZiNGJjNGQ3YjQ1NDI2Y2Y4MjYwYjlhMDhjNg=="
    assert vendor.last.headers["authorization"] == f"key:{signature}"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": "error", "message": "Extension 999 not found, call to +442071838750"}, PermanentError),
        (Answer(500, ""), UnknownOutcomeError),
        (None, UnknownOutcomeError),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception]) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error) as caught:
        await link(vendor).dial("999", "+442071838750", "k1")
    assert len(vendor.asked) == 1
    assert "442071838750" not in str(caught.value)
    if error is PermanentError:
        assert "Extension 999 not found" in str(caught.value)


@virtual
async def test_a_recording_is_asked_for_by_its_id() -> None:
    def answers(asked: Asked) -> Any:
        if asked.path == "/v1/pbx/record/request/":
            checked(asked)
            assert asked.query == "call_id=1767610800.1234567&format=json&lifetime=1800"
            return {"status": "success", "link": "https://api.zadarma.com/v1/pbx/record/download/NjM/1.mp3"}
        assert asked.path == "/v1/pbx/record/download/NjM/1.mp3"
        return b"sound"

    made = link(answers)
    assert isinstance(made, Records)
    assert await sound(await made.recording("1767610800.1234567", "")) == ("audio/mpeg", b"sound")


@virtual
async def test_a_recording_that_is_not_there_yet_is_asked_for_later() -> None:
    for answer in ({"status": "error", "message": "Not found"}, {"status": "success"}):
        with pytest.raises(RetryableError):
            await link(lambda _, answer=answer: answer).recording("1.1", "")


@virtual
async def test_without_both_keys_there_is_no_link() -> None:
    vendor = FakeVendor(lambda _: {})
    assert opened(SOURCE, vendor, NOW) is None
    assert opened(SOURCE, vendor, NOW, secret=SECRET) is None
