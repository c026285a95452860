"""Sipuni as an API: the hash of each request, CSV, calls, recordings."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.sipuni import SOURCE
from tests.support.hub_on_virtual_time import virtual
from tests.support.pbx import KEYS, call
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
USER, SECRET = KEYS["sipuni"]["user"], KEYS["sipuni"]["secret"]
HEAD = (
    "\ufeffТип;Статус;Время;Схема;Откуда;Куда;Кто ответил;Длительность звонка;Длительность разговора;Время ответа;"
    "Оценка;ID записи;Метка;Теги;ID заказа звонка;Запись существует;Новый клиент"
)
LINES = (
    "Исходящий;Отвечен;05.01.2026 19:00:00;;201;+79990001234;201;40;30;10;;1767628800.100003;;;;1;0",
    "Входящий;Отвечен;05.01.2026 17:00:00;Входящая;+79990007788;+78120000202;201;70;60;10;;1767621600.100001;;;;1;1",
    "Входящий;Не отвечен;05.01.2026 18:00:00;Входящая;+79990009900;+78120000202;;21;0;21;;1767625200.100002;;;;0;1",
    "Входящий;Не отвечен;05.01.2026 18:05:00;Входящая;+79990009901;+78120000202;;21;0;21;;;;;;0;1",
)
CSV = "\r\n".join((HEAD, *LINES)).encode()
ORDER = (
    *("anonymous", "firstTime", "from", "fromNumber", "state", "to", "toAnswer", "toNumber", "tree", "type", "user"),
)


def signed(asked: Asked, *names: str) -> dict[str, str]:
    form = asked.form
    assert asked.method == "POST"
    assert set(form) == {*names, "hash"}
    joined = "+".join([*(form[name] for name in names), SECRET])
    assert form["hash"] == hashlib.md5(joined.encode()).hexdigest()
    return form


def statistics(asked: Asked) -> Any:
    assert asked.path == "/api/statistic/export"
    form = signed(asked, *ORDER)
    assert (form["from"], form["to"], form["user"]) == ("04.01.2026", "05.01.2026", USER)
    return Answer(200, CSV, {"content-type": "text/csv; charset=utf-8"})


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{"user": USER, "secret": SECRET, **settings})


@virtual
async def test_a_call_of_the_statistics_is_the_one_that_arrived() -> None:
    made = link(statistics)
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    assert len(told) == 3
    for found, name in zip(told, ("in-answered-4-hangup", "in-missed-hangup", "out-hangup"), strict=True):
        arrived = call(f"sipuni/{name}")
        for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "extension", "at",
                      "started_at", "answered_at", "ended_at", "ring_s", "talk_s", "disposition"):  # fmt: skip
            assert getattr(found, field) == getattr(arrived, field), (name, field)
    assert [one.recording_id for one in told] == ["1767621600.100001", "", "1767628800.100003"]


@virtual
async def test_times_are_of_the_zone_that_is_set() -> None:
    found = await listed(link(statistics, timezone="Europe/Samara"), *DAY)
    assert found[0].started_at == datetime(2026, 1, 5, 13, 0, tzinfo=UTC)


@virtual
async def test_no_calls_are_no_lines() -> None:
    for body in (HEAD.encode(), b"", "\ufeff".encode()):
        assert await listed(link(lambda _, body=body: Answer(200, body, {"content-type": "text/csv"})), *DAY) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"success": False, "message": "Wrong hash"}, AuthError),
        ({"success": False, "message": "period is wrong"}, PermanentError),
        (Answer(200, "<html>"), RetryableError),
        (Answer(500, ""), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_the_colleague_is_rung_first_by_the_documented_hash() -> None:
    vendor = FakeVendor(lambda _: {"success": True, "id": 4711})
    made = link(vendor, user="070001", secret="testsecret")
    assert isinstance(made, Dials)
    assert await made.dial("201", "+79990001122", "k") == "4711"
    assert vendor.last.path == "/api/callback/call_number"
    assert vendor.last.form["hash"] == "c003e314090477bd9f05dc20b2b1c59f"
    sent = "antiaon=0&phone=79990001122&reverse=0&sipnumber=201&user=070001&hash=c003e314090477bd9f05dc20b2b1c59f"
    assert vendor.last.body.decode() == sent


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"success": False, "message": "Сотрудник 999 не в сети, +79990001122"}, PermanentError, "не в сети"),
        (Answer(502, ""), UnknownOutcomeError, "502"),
        (None, UnknownOutcomeError, "ReadError"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(lambda _: answer)
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("999", "+79990001122", "k")
    assert len(vendor.asked) == 1
    assert "79990001122" not in str(caught.value)


@virtual
async def test_a_recording_comes_from_its_address_else_by_its_id() -> None:
    def answers(asked: Asked) -> Any:
        if asked.method == "GET":
            return b"sound" if "good" in asked.query else Answer(403, "")
        assert asked.path == "/api/statistic/record"
        assert signed(asked, "id", "user")["id"] == "1767621600.100001"
        return b"by id"

    made = link(answers)
    assert isinstance(made, Records)
    address = "https://sipuni.com/api/crm/record?id=1767621600.100001&hash="
    assert (await sound(await made.recording("", f"{address}good")))[1] == b"sound"
    assert (await sound(await made.recording("", f"{address}bad")))[1] == b"by id"
    assert (await sound(await made.recording("1767621600.100001", "")))[1] == b"by id"


@virtual
async def test_without_user_and_secret_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, user=USER) is None
