"""MegaFon's PBX as an API, in both of its forms: history, calls, recordings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.megafon import SOURCE
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
TOKEN = "fake-pbx-token-0001"
NEW, OLD = "https://demo.megapbx.ru/crmapi/v1", "https://demo.megapbx.ru/sys/crm_api.wcgp"
RECORD = "https://records.example.test/43294397431.mp3"
LINES: list[Any] = [
    {
        "uid": "43294397432",
        "type": "in",
        "status": "missed",
        "client": "79990004402",
        "user": "anna",
        "diversion": "79280000505",
        "start": "2026-01-05T10:30:00Z",
        "wait": 20,
        "duration": 0,
    },
    {
        "uid": "43294397431",
        "type": "in",
        "status": "success",
        "client": "79990004401",
        "user": "anna",
        "group_name": "Продажи",
        "diversion": "79280000505",
        "start": "2026-01-05T10:00:00Z",
        "wait": 5,
        "duration": 50,
        "record": RECORD,
    },
]
CSV = (
    "43294397432,missed,79990004402,anna@demo.megapbx.ru,79280000505,2026-01-05T10:30:00Z,20,0,\r\n"
    f"43294397431,in,79990004401,anna@demo.megapbx.ru,79280000505,2026-01-05T10:00:00Z,5,50,{RECORD}\r\n"
)


def new(asked: Asked) -> Any:
    assert asked.headers["x-api-key"] == TOKEN
    assert (asked.method, asked.path) == ("GET", "/crmapi/v1/history/json")
    assert asked.query == "start=20260104T110000Z&end=20260105T140000Z&type=all"
    return LINES


def old(asked: Asked) -> Any:
    assert (asked.method, asked.path) == ("POST", "/sys/crm_api.wcgp")
    assert asked.form == {
        "cmd": "history",
        "start": "20260104T110000Z",
        "end": "20260105T140000Z",
        "type": "all",
        "token": TOKEN,
    }
    return CSV


def link(answers: Any, api_url: str = NEW) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, token=TOKEN, api_url=api_url)


@pytest.mark.parametrize(
    ("answers", "address"),
    [(new, NEW), (new, NEW + "/"), (old, OLD), (old, "https://demo.megapbx.ru"), (old, "demo.megapbx.ru")],
)
@virtual
async def test_a_call_of_the_history_is_the_one_that_arrived(answers: Any, address: str) -> None:
    made = link(answers, address)
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    for found, name in zip(told, ("in-answered-3-history", "in-missed-history"), strict=True):
        arrived = call(f"megafon/{name}")
        for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "employee", "at",
                      "started_at", "ended_at", "talk_s", "disposition", "recording_url"):  # fmt: skip
            assert getattr(found, field) == getattr(arrived, field), (name, field)


@virtual
async def test_an_outgoing_call_and_lines_that_are_none() -> None:
    lines = [
        {"uid": "7", "type": "out", "status": "Busy", "client": "79990004403", "start": "2026-01-05T11:00:00Z"},
        {"uid": "", "start": "2026-01-05T11:00:00Z"},
        {"uid": "8", "start": "soon"},
    ]
    (found,) = await listed(link(lambda _: lines), *DAY)
    assert (found.direction, found.disposition, found.client) == ("out", "busy", "+79990004403")
    for nothing in ([], ""):
        assert await listed(link(lambda _, nothing=nothing: nothing), *DAY) == []
    assert await listed(link(lambda _: "", OLD), *DAY) == []
    with pytest.raises(RetryableError, match="no list"):
        await listed(link(lambda _: {"message": "ok"}), *DAY)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, ""), AuthError),
        (Answer(400, {"message": "invalid X-API-KEY, api-key expected"}), AuthError),
        ({"error": "Invalid token"}, AuthError),
        (Answer(400, {"message": "wrong period"}), PermanentError),
        (Answer(502, "<html>"), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    for address in (NEW, OLD):
        with pytest.raises(error):
            await listed(link(lambda _: answer, address), *DAY)


@virtual
async def test_the_colleague_is_rung_first() -> None:
    vendor = FakeVendor(lambda _: {"callid": "43294397777"})
    made = link(vendor)
    assert isinstance(made, Dials)
    assert await made.dial("anna", "+79990004401", "k") == "43294397777"
    assert (vendor.last.method, vendor.last.path) == ("POST", "/crmapi/v1/makecall")
    assert vendor.last.json == {"phone": "79990004401", "user": "anna"}
    assert vendor.last.headers["x-api-key"] == TOKEN


@pytest.mark.parametrize(
    ("answer", "told"), [("OK", ""), ("43294397777", "43294397777"), ({"callid": "7"}, "7"), ("", "")]
)
@virtual
async def test_the_old_form_calls_as_well(answer: Any, told: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    assert await link(vendor, OLD).dial("anna", "+79990004401", "k") == told
    assert vendor.last.body.decode() == f"cmd=makeCall&phone=79990004401&user=anna&token={TOKEN}"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(400, {"message": "User 'boris' not found, 79990004401"}), PermanentError, "User 'boris' not found"),
        ({"error": "User is offline"}, PermanentError, "offline"),
        (Answer(500, ""), UnknownOutcomeError, "500"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    for address in (NEW, OLD):
        vendor = FakeVendor(lambda _: answer)
        with pytest.raises(error, match=words) as caught:
            await link(vendor, address).dial("boris", "+79990004401", "k")
        assert len(vendor.asked) == 1
        assert "79990004401" not in str(caught.value)


@virtual
async def test_a_recording_at_the_pbx_gets_the_key_and_elsewhere_none() -> None:
    vendor = FakeVendor(lambda _: b"sound")
    made = link(vendor)
    assert isinstance(made, Records)
    assert await sound(await made.recording("", RECORD)) == ("audio/mpeg", b"sound")
    assert "x-api-key" not in vendor.last.headers
    await sound(await made.recording("43294397431", ""))
    assert vendor.last.path == "/crmapi/v1/history/record/43294397431"
    assert vendor.last.headers["x-api-key"] == TOKEN


@virtual
async def test_settings_that_are_missing() -> None:
    with pytest.raises(PermanentError, match="login is not known"):
        await link(lambda _: {}).dial("", "+79990004401", "k")
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, token=TOKEN) is None
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, api_url=NEW) is None
