"""onlinePBX as an API: keys that run out, the history, calls, recordings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, NoAccessError, PermanentError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.onlinepbx import SOURCE
from tests.support.calldoors import call, replayed
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEY = "fake-onpbx-auth-key"
UUID = "3f54d09a-a8a8-4821-be7d-e9efadd80001"
LINES: list[Any] = [
    {
        "uuid": "3f54d09a-a8a8-4821-be7d-e9efadd80002",
        "accountcode": "missed",
        "caller_id_number": "79990003302",
        "destination_number": "101",
        "gateway": "74950000404",
        "start_stamp": 1767636580,
        "end_stamp": 1767636600,
        "duration": 20,
        "user_talk_time": 0,
        "hangup_cause": "NO_ANSWER",
    },
    {
        "uuid": UUID,
        "accountcode": "inbound",
        "caller_id_number": "79990003301",
        "destination_number": "101",
        "gateway": "74950000404",
        "start_stamp": 1767636000,
        "duration": 60,
        "user_talk_time": 52,
        "hangup_cause": "NORMAL_CLEARING",
    },
    {"uuid": "", "start_stamp": 1767636000},
]
DENIED = {"status": "0", "comment": "not authenticated", "isNotAuth": True}


class Pbx:
    """Old keys are refused once `new` was asked for; `uses` is how often a key is good for."""

    def __init__(self, answers: dict[str, Any], *, uses: int = 100, wants_new: bool = False) -> None:
        self.answers, self.uses, self.wants_new = answers, uses, wants_new
        self.left = uses

    def __call__(self, asked: Asked) -> Any:
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        what = asked.path.removeprefix("/demo.onpbx.ru/")
        if what == "auth.json":
            assert asked.form["auth_key"] == KEY
            if self.wants_new and "new" not in asked.form:
                return DENIED
            self.left = self.uses
            return {"status": "1", "data": {"key_id": "id1", "key": "session-key"}}
        if asked.headers["x-pbx-authentication"] != "id1:session-key" or not self.left:
            return DENIED
        self.left -= 1
        made = self.answers[what]
        return made(asked) if callable(made) else made


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{"auth_key": KEY, "domain": "demo.onpbx.ru", **settings})


def history(lines: Any = LINES) -> dict[str, Any]:
    return {"mongo_history/search.json": {"status": "1", "data": lines}}


@virtual
async def test_a_call_of_the_history_is_the_one_that_arrived() -> None:
    vendor = FakeVendor(Pbx(history()))
    made = link(vendor)
    assert isinstance(made, Lists)
    told = await listed(made, *DAY)
    for found, name in zip(told, ("in-answered-3-end", "in-missed-end"), strict=True):
        arrived = call(replayed(f"onlinepbx/{name}"))
        for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "extension", "at",
                      "started_at", "answered_at", "ended_at", "ring_s", "talk_s", "disposition"):  # fmt: skip
            assert getattr(found, field) == getattr(arrived, field), (name, field)
    assert vendor.last.form == {
        "start_stamp_from": str(int(DAY[0].timestamp()) - 3 * 3600),
        "start_stamp_to": str(int(NOW.timestamp())),
    }


@virtual
async def test_the_window_goes_by_days_and_an_empty_one_is_nothing() -> None:
    vendor = FakeVendor(Pbx(history([])))
    assert await listed(link(vendor), NOW - timedelta(days=3), NOW) == []
    assert len(vendor.asked) == 4


@virtual
async def test_a_key_that_ran_out_is_renewed_and_a_new_one_asked_for() -> None:
    vendor = FakeVendor(Pbx(history(), uses=1, wants_new=True))
    made = link(vendor)
    assert len(await listed(made, *DAY)) == 2
    assert len(await listed(made, *DAY)) == 2
    assert [one.form.get("new") for one in vendor.asked if one.path.endswith("auth.json")] == [None, "true"] * 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [(DENIED, AuthError), (Answer(403, ""), AuthError), (Answer(502, ""), RetryableError)],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_the_colleague_is_rung_first() -> None:
    vendor = FakeVendor(Pbx({"call/now.json": {"status": "1", "data": {"uuid": UUID}}}))
    made = link(vendor)
    assert isinstance(made, Dials)
    assert await made.dial("101", "+79990003301", "k") == UUID
    assert vendor.last.body == b"from=101&to=79990003301"
    assert vendor.last.path == "/demo.onpbx.ru/call/now.json"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"status": "0", "comment": "user 999 not found for 79990003301"}, PermanentError, "user 999 not found"),
        (Answer(500, ""), UnknownOutcomeError, "500"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(Pbx({"call/now.json": answer}))
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("999", "+79990003301", "k")
    assert len([one for one in vendor.asked if one.path.endswith("now.json")]) == 1
    assert "79990003301" not in str(caught.value)


@virtual
async def test_a_recording_gets_a_fresh_address() -> None:
    def answers(asked: Asked) -> Any:
        assert asked.form == {"uuid": UUID, "download": "1"}
        return {"status": "1", "data": "https://api2.onlinepbx.ru/calls-records/download/abc/rec.mp3"}

    def vendor(asked: Asked) -> Any:
        return b"sound" if asked.method == "GET" else Pbx({"mongo_history/search.json": answers})(asked)

    arrived = call(replayed("onlinepbx/in-answered-3-end"))
    made = link(vendor)
    assert isinstance(made, Records)
    assert await sound(await made.recording(arrived.recording_id, arrived.recording_url)) == ("audio/mpeg", b"sound")


@virtual
async def test_a_recording_that_is_not_there_yet_is_asked_for_later() -> None:
    with pytest.raises(RetryableError):
        await link(Pbx(history([]))).recording(UUID, "")


@virtual
async def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(NoAccessError, match="domain is not set"):
        await listed(link(lambda _: {}, domain=""), *DAY)
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, domain="demo.onpbx.ru") is None
