"""Ringostat as an API: the list of calls, calling by JSON-RPC."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists
from connectors.ringostat import SOURCE
from connectors.ringostat.link import FEW
from tests.support.calldoors import call, replayed
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEY = "fake-ringostat-key"
LINES: list[Any] = [
    {
        "calldate": "2026-01-05 16:00:00",
        "caller": "380440000102",
        "dst": "380440000202",
        "disposition": "NO ANSWER",
        "billsec": 0,
        "uniqueid": "ua1_-1767628800.56",
    },
    {
        "calldate": "2026-01-05 15:00:00",
        "caller": "380440000101",
        "dst": "380440000202",
        "disposition": "ANSWERED",
        "billsec": 44,
        "uniqueid": "ua1_-1767625200.55",
        "recording": "https://app.example.test/recordings/ua1_-1767625200.55.mp3",
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "brand",
        "employee_fio": None,
    },
    {"calldate": "2026-01-05 15:00:00", "caller": "380440000101"},
]


def calls(asked: Asked) -> Any:
    assert (asked.method, asked.path) == ("GET", "/calls/list")
    assert asked.headers["auth-key"] == KEY
    assert "auth" not in asked.params
    assert asked.params["export_type"] == "json"
    return LINES


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{"auth_key": KEY, **settings})


@virtual
async def test_a_call_of_the_list_is_the_one_that_arrived() -> None:
    vendor = FakeVendor(calls)
    made = link(vendor, fields={"klient": "client"})
    assert isinstance(made, Lists)
    found, missed = await listed(made, *DAY)
    arrived = call(replayed("ringostat/in-after-call", datetime(2026, 1, 5, 15, 1, tzinfo=UTC)))
    for field in ("call_id", "event_id", "state", "direction", "client", "line", "started_at", "talk_s", "disposition",
                  "recording_url"):  # fmt: skip
        assert getattr(found, field) == getattr(arrived, field), field
    assert found.lead is not None
    assert arrived.lead is not None
    assert found.lead.utm == arrived.lead.utm
    assert (missed.event_id, missed.disposition) == ("ua1_-1767628800.56:unanswered", "missed")
    assert (vendor.last.params["from"], vendor.last.params["to"]) == ("2026-01-04 17:00:00", "2026-01-05 20:00:00")


@virtual
async def test_times_are_of_the_zone_that_is_set() -> None:
    vendor = FakeVendor(calls)
    found = await listed(link(vendor, timezone="Europe/Kyiv", project_id=7), *DAY)
    assert found[0].started_at == datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    assert (vendor.last.params["to"], vendor.last.params["project_id"]) == ("2026-01-05 22:00:00", "7")


@virtual
async def test_a_project_that_refuses_a_column_is_asked_for_the_few_that_all_have() -> None:
    def answers(asked: Asked) -> Any:
        return calls(asked) if asked.params["fields"] == ",".join(FEW) else Answer(400, "unknown field")

    vendor = FakeVendor(answers)
    made = link(vendor)
    assert len(await listed(made, *DAY)) == 2
    assert len(await listed(made, *DAY)) == 2
    assert len(vendor.asked) == 3


@virtual
async def test_nothing_is_an_empty_list_or_no_body() -> None:
    for nothing in ([], {"results": []}, Answer(200, b"", {"content-type": "application/json"})):
        assert await listed(link(lambda _, nothing=nothing: nothing), *DAY) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, ""), AuthError),
        (Answer(400, "no"), PermanentError),
        (Answer(429, ""), RateLimitedError),
        (Answer(502, ""), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_the_colleague_is_rung_first() -> None:
    vendor = FakeVendor(lambda _: {"jsonrpc": "2.0", "id": 1, "result": {"call_id": "c-1"}})
    made = link(vendor, project_id="171946")
    assert isinstance(made, Dials)
    assert await made.dial("101", "+380440000101", "k") == "c-1"
    assert vendor.last.path == "/a/v2"
    assert vendor.last.headers["auth-key"] == KEY
    assert vendor.last.json == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "Api\\V2\\Callback.external",
        "params": {
            "caller": "380440000101",
            "caller_type": "default",
            "callee": "101",
            "callee_type": "default",
            "manager_dst": 0,
            "direction": "out",
            "projectId": "171946",
        },
    }


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            {"error": {"code": -32602, "message": "callee 999 is offline, +380440000101"}},
            PermanentError,
            "999 is offline",
        ),
        ({"error": {"code": -32001, "message": "Authorization failed"}}, AuthError, "auth_key"),
        ({"error": {"code": -32603, "message": "Internal"}}, UnknownOutcomeError, "failed"),
        (Answer(504, ""), UnknownOutcomeError, "504"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("999", "+380440000101", "k")
    assert len(vendor.asked) == 1
    assert "380440000101" not in str(caught.value)


@virtual
async def test_without_a_key_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW) is None
