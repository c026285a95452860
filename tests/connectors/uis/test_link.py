"""UIS as an API: JSON-RPC, tokens that run out, pages of the report, calls, recordings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import (
    AuthError,
    NoAccessError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from connectors.links import Dials, Lists, Records
from connectors.uis import SOURCE
from connectors.uis.link import PAGE
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
TOKEN = "fakeuistoken0001"
LINES: list[Any] = [
    {
        "id": 3100000001,
        "start_time": "2026-01-05 12:00:00",
        "finish_time": "2026-01-05 12:01:20",
        "direction": "in",
        "is_lost": False,
        "contact_phone_number": "79990002211",
        "virtual_phone_number": "74950000303",
        "talk_duration": 71,
        "wait_duration": 9,
        "total_duration": 80,
        "call_records": ["9f2c"],
        "employees": [{"employee_id": 55001, "employee_full_name": "Анна Орлова", "is_answered": True}],
        "last_answered_employee_id": 55001,
        "last_answered_employee_full_name": "Анна Орлова",
        "utm_source": "yandex",
        "utm_campaign": "brand",
        "ym_client_id": "1767600000123456789",
        "entrance_page": "https://site.example.test/",
    },
    {
        "id": 3100000002,
        "start_time": "2026-01-05 12:29:38",
        "finish_time": "2026-01-05 12:30:00",
        "direction": "in",
        "is_lost": True,
        "contact_phone_number": "79990002299",
        "virtual_phone_number": "74950000303",
        "talk_duration": 0,
        "wait_duration": 22,
        "call_records": [],
        "employees": None,
    },
    {
        "id": 3100000003,
        "start_time": "2026-01-05 13:00:00",
        "direction": "out",
        "is_lost": True,
        "contact_phone_number": "79990002200",
        "virtual_phone_number": "74950000303",
        "talk_duration": 0,
        "wait_duration": 15,
    },
]
EMPLOYEES = [{"id": 55001, "full_name": "Анна Орлова", "extension": {"extension_phone_number": "101"}}]


def result(data: Any) -> Any:
    return {"jsonrpc": "2.0", "id": "1", "result": {"data": data, "metadata": {}}}


def refused(code: int, message: str = "", mnemonic: str = "") -> Any:
    return {"jsonrpc": "2.0", "id": "1", "error": {"code": code, "message": message, "data": {"mnemonic": mnemonic}}}


class Uis:
    """Both APIs. A token of `login.user` is good for one call."""

    def __init__(self, lines: Any = LINES, **answers: Any) -> None:
        self.lines, self.answers = lines, answers
        self.token, self.logins, self.uses = TOKEN, 0, 0

    def __call__(self, asked: Asked) -> Any:
        body = asked.json
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/json"
        assert body["jsonrpc"] == "2.0"
        assert body["id"]
        method, params = body["method"], body["params"]
        if method == "login.user":
            assert params == {"login": "hub", "password": "pass-of-the-api"}
            self.logins, self.uses = self.logins + 1, 0
            self.token = f"session-token-{self.logins}"
            return result({"access_token": self.token})
        if params["access_token"] != self.token or (self.logins and self.uses):
            return refused(-32001, "Access token has been expired", "access_token_expired")
        self.uses += 1
        if method in self.answers:
            return self.answers[method]
        if method == "get.employees":
            return result(EMPLOYEES)
        if method == "get.calls_report":
            return result(self.lines[params["offset"] : params["offset"] + params["limit"]])
        assert method == "start.employee_call"
        return result({"call_session_id": 3100000777})


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{"access_token": TOKEN, **settings})


@virtual
async def test_a_call_of_the_report_is_the_one_that_arrived() -> None:
    made = link(Uis())
    assert isinstance(made, Lists)
    talked, lost, out = await listed(made, *DAY)
    for found, name in ((talked, "in-answered-3-finished"), (lost, "in-lost")):
        arrived = call(f"uis/{name}")
        for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "employee", "at",
                      "started_at", "answered_at", "ended_at", "ring_s", "talk_s", "disposition"):  # fmt: skip
            assert getattr(found, field) == getattr(arrived, field), (name, field)
    assert talked.recording_url == "https://media.uiscom.ru/3100000001/9f2c"
    assert talked.lead is not None
    assert talked.lead.utm == {"utm_source": "yandex", "utm_campaign": "brand"}
    assert talked.lead.click_ids == {"_ym_uid": "1767600000123456789"}
    assert (out.direction, out.disposition, out.client) == ("out", "no_answer", "+79990002200")


@virtual
async def test_the_report_is_asked_for_in_the_accounts_zone_page_by_page() -> None:
    many = [{**LINES[1], "id": n} for n in range(1, PAGE + 3)]
    vendor = FakeVendor(Uis(many))
    told = await listed(link(vendor), *DAY)
    assert len(told) == PAGE + 2
    first, second = (one.json["params"] for one in vendor.asked)
    assert (first["offset"], second["offset"]) == (0, PAGE)
    assert first["date_till"] == "2026-01-05 17:00:00"
    assert {"id", "start_time", "call_records", "utm_source"} <= set(first["fields"])
    assert vendor.paths() == ["/v2.0", "/v2.0"]


@virtual
async def test_columns_that_the_account_does_not_know_are_left_to_the_vendor() -> None:
    uis = Uis()

    def answers(asked: Asked) -> Any:
        unknown = "fields" in asked.json["params"]
        return refused(-32602, "Invalid parameter value", "invalid_fields_parameter") if unknown else uis(asked)

    vendor = FakeVendor(answers)
    made = link(vendor)
    assert len(await listed(made, *DAY)) == 3
    assert len(await listed(made, *DAY)) == 3
    assert len(vendor.asked) == 3


@virtual
async def test_a_login_is_renewed_once_when_its_token_ran_out() -> None:
    uis = Uis()
    made = link(uis, access_token=None, login="hub", password="pass-of-the-api")
    assert len(await listed(made, *DAY)) == 3
    assert uis.logins == 1
    assert len(await listed(made, *DAY)) == 3
    assert uis.logins == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(-32001, "Access token is invalid", "access_token_invalid"), AuthError),
        (refused(-32029, "too fast", "day_limit_exceeded"), RateLimitedError),
        (refused(-32008, "component is off", "component_disabled"), PermanentError),
        (refused(-32603, "Internal"), RetryableError),
        (Answer(200, "<html>"), RetryableError),
        (Answer(502, ""), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_the_employee_is_rung_first_and_our_key_goes_along() -> None:
    vendor = FakeVendor(Uis())
    made = link(vendor, virtual_phone_number="+74950000303")
    assert isinstance(made, Dials)
    assert await made.dial("101", "+79990002211", "key-1") == "3100000777"
    assert vendor.last.path == "/v4.0"
    assert vendor.last.headers["host"] == "callapi.uiscom.ru"
    assert vendor.last.json == {
        "jsonrpc": "2.0",
        "id": "uis.dial",
        "method": "start.employee_call",
        "params": {
            "access_token": TOKEN,
            "first_call": "employee",
            "switch_at_once": True,
            "virtual_phone_number": "74950000303",
            "contact": "79990002211",
            "employee": {"id": 55001},
            "external_id": "key-1",
        },
    }
    await made.dial("Анна Орлова", "+79990002211", "key-2")
    assert [one.json["method"] for one in vendor.asked].count("get.employees") == 1


@virtual
async def test_an_extension_that_nobody_has_is_said() -> None:
    vendor = FakeVendor(Uis())
    with pytest.raises(PermanentError, match="no employee with the extension 999"):
        await link(vendor, virtual_phone_number="74950000303").dial("999", "+79990002211", "k")
    assert [one.json["method"] for one in vendor.asked] == ["get.employees"]


@virtual
async def test_without_the_list_of_employees_an_id_will_do() -> None:
    vendor = FakeVendor(Uis(**{"get.employees": refused(-32601, "Method not found")}))
    await link(vendor, virtual_phone_number="74950000303").dial("55001", "+79990002211", "k")
    assert vendor.last.json["params"]["employee"] == {"id": 55001}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refused(-32602, "Employee +79990002211 is offline"), PermanentError, "is offline"),
        (refused(-32603, "Internal"), UnknownOutcomeError, "failed"),
        (Answer(504, ""), UnknownOutcomeError, "504"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(Uis(**{"start.employee_call": answer}))
    with pytest.raises(error, match=words) as caught:
        await link(vendor, virtual_phone_number="74950000303").dial("101", "+79990002211", "k")
    assert [one.json["method"] for one in vendor.asked].count("start.employee_call") == 1
    assert "9990002211" not in str(caught.value)


@virtual
async def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(NoAccessError, match="virtual_phone_number is not set"):
        await link(Uis()).dial("101", "+79990002211", "k")
    with pytest.raises(NoAccessError, match="password is not set"):
        await listed(link(Uis(), access_token=None, login="hub"), *DAY)
    assert opened(SOURCE, FakeVendor(Uis()), NOW, url_token="tok-uis-1") is None


@virtual
async def test_a_recording_of_the_cabinet_is_taken_from_the_media_host() -> None:
    vendor = FakeVendor(lambda _: b"sound")
    made = link(vendor)
    assert isinstance(made, Records)
    url = "https://app.uiscom.ru/system/media/talk/3100000001/9f2c/"
    assert await sound(await made.recording("", url)) == ("audio/mpeg", b"sound")
    assert (vendor.last.headers["host"], vendor.last.path) == ("media.uiscom.ru", "/3100000001/9f2c")


@virtual
async def test_a_recording_that_the_media_host_has_not_is_asked_for_as_told() -> None:
    def answers(asked: Asked) -> Any:
        return Answer(404, "") if asked.headers["host"] == "media.uiscom.ru" else b"sound"

    vendor = FakeVendor(answers)
    await sound(await link(vendor).recording("", "https://app.uiscom.ru/system/media/talk/1/a/"))
    assert vendor.last.headers["host"] == "app.uiscom.ru"
