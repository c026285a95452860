"""Telphin as an API: tokens, pages of the history, calls from an extension, recordings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Dials, Lists, Records
from connectors.telphin import SOURCE
from connectors.telphin.link import PAGE
from tests.support.calldoors import call, changed, replayed
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, sound

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEYS = {"client_id": "fake-app-id", "client_secret": "fake-app-secret"}
CALL: dict[str, Any] = {
    "call_uuid": "7A1C0A6E-0001",
    "flow": "in",
    "init_time_gmt": "2026-01-05 19:00:00",
    "bridged_time_gmt": "2026-01-05 19:00:07",
    "hangup_time_gmt": "2026-01-05 19:01:07",
    "duration": 67,
    "bridged": True,
    "bridged_duration": 60,
    "from_username": "79990006601",
    "to_username": "74990000606",
    "did_number": "74990000606",
    "result": "bridged",
    "cdr": [
        {"extension_name": "00000*200", "extension_type": "ivr", "result": "not answered"},
        {
            "extension_name": "00000*101",
            "extension_id": 12345,
            "extension_type": "phone",
            "result": "answered",
            "record_uuid": "12345-7a1c0a6e0001",
        },
    ],
}
MISSED = {
    **CALL,
    "call_uuid": "7A1C0A6E-0002",
    "hangup_time_gmt": "2026-01-05 19:30:20",
    "bridged": False,
    "bridged_duration": 0,
    "result": "not answered",
    "cdr": [],
}
OUT = {
    **CALL,
    "call_uuid": "7A1C0A6E-0003",
    "flow": "out",
    "hangup_time_gmt": "2026-01-05 19:40:20",
    "from_username": "101",
    "to_username": "79990006602",
    "did_number": None,
    "bridged": False,
    "result": "busy",
    "cdr": [],
}
RUNNING = {**CALL, "call_uuid": "7A1C0A6E-0004", "hangup_time_gmt": None}


class Telphin:
    """A token is good for `uses` questions."""

    def __init__(self, calls: Any = (CALL, MISSED, OUT, RUNNING), uses: int = 100, **answers: Any) -> None:
        self.calls, self.uses, self.answers = list(calls), uses, answers
        self.tokens = self.left = 0

    def __call__(self, asked: Asked) -> Any:
        if asked.path == "/oauth/token":
            assert asked.form == {"grant_type": "client_credentials", **KEYS}
            self.tokens, self.left = self.tokens + 1, self.uses
            return {"access_token": f"token-number-{self.tokens}", "expires_in": 3600, "token_type": "Bearer"}
        assert asked.headers["authorization"] == f"Bearer token-number-{self.tokens}"
        if not self.left:
            return Answer(401, {"message": "expired"})
        self.left -= 1
        name = asked.path.removeprefix("/api/ver1.0/")
        if name in self.answers:
            return self.answers[name]
        if name == "client/@me/extension/":
            return [{"id": 12345, "name": "00000*101", "type": "phone"}]
        assert name == "client/@me/call_history/"
        page, size = int(asked.params["page"]), int(asked.params["per_page"])
        return {"call_history": self.calls[(page - 1) * size : page * size], "page": page}


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{**KEYS, **settings})


@virtual
async def test_a_call_of_the_history_is_the_one_that_arrived() -> None:
    vendor = FakeVendor(Telphin())
    made = link(vendor)
    assert isinstance(made, Lists)
    talked, missed, out = await listed(made, *DAY)
    arrived = call(replayed("telphin/in-answered-3-hangup"))
    for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "extension", "at",
                  "answered_at", "ended_at", "talk_s", "disposition", "recording_id"):  # fmt: skip
        assert getattr(talked, field) == getattr(arrived, field), field
    menu = call(changed("telphin/in-answered-3-hangup", Bridged="no", CallID="7a1c0a6e-0002"))
    assert (missed.event_id, missed.disposition) == (menu.event_id, menu.disposition)
    assert (missed.event_id, missed.disposition, missed.extension) == ("7a1c0a6e-0002:unanswered", "missed", "")
    assert (out.direction, out.disposition, out.client, out.extension) == ("out", "busy", "+79990006602", "101")
    wanted = vendor.last.params
    assert (wanted["start_datetime"], wanted["end_datetime"]) == ("2026-01-04 17:00:00", "2026-01-05 20:00:00")


@virtual
async def test_pages_are_read_to_the_end_and_a_page_given_twice_is_the_end() -> None:
    many = [{**CALL, "call_uuid": f"u{n}"} for n in range(PAGE + 2)]
    assert len(await listed(link(Telphin(many)), *DAY)) == PAGE + 2
    same = FakeVendor(Telphin(**{"client/@me/call_history/": {"calls": many[:PAGE]}}))
    assert len(await listed(link(same), *DAY)) == PAGE
    assert len(same.asked) == 3


@virtual
async def test_a_token_is_kept_until_it_is_refused() -> None:
    telphin = Telphin(uses=2)
    made = link(telphin)
    for _ in range(3):
        assert len(await listed(made, *DAY)) == 3
    assert telphin.tokens == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, {"message": "bad"}), AuthError),
        (Answer(400, {"error": "invalid_client"}), AuthError),
        (Answer(429, ""), RateLimitedError),
        (Answer(500, ""), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_the_extension_is_rung_first() -> None:
    vendor = FakeVendor(Telphin(**{"extension/12345/callback/": {"call_id": "c1", "call_api_id": "99-1"}}))
    made = link(vendor)
    assert isinstance(made, Dials)
    assert await made.dial("101", "+79990006601", "k") == "99-1"
    assert (vendor.last.method, vendor.last.path) == ("POST", "/api/ver1.0/extension/12345/callback/")
    assert vendor.last.json == {"src_num": ["101"], "dst_num": "79990006601"}
    with pytest.raises(PermanentError, match="no extension 999"):
        await made.dial("999", "+79990006601", "k")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(400, {"message": "no device of 101, 79990006601"}), PermanentError, "no device of 101"),
        (Answer(503, ""), UnknownOutcomeError, "503"),
    ],
)
@virtual
async def test_a_call_that_is_not_made_says_why(answer: Any, error: type[Exception], words: str) -> None:
    vendor = FakeVendor(Telphin(**{"extension/12345/callback/": answer}))
    with pytest.raises(error, match=words) as caught:
        await link(vendor).dial("101", "+79990006601", "k")
    assert len([one for one in vendor.asked if one.path.endswith("callback/")]) == 1
    assert "79990006601" not in str(caught.value)


@virtual
async def test_a_recording_comes_from_its_extension_else_from_the_storage() -> None:
    at_extension = {"extension/12345/record/12345-7a1c0a6e0001": b"sound"}
    made = link(Telphin(**at_extension))
    assert isinstance(made, Records)
    assert await sound(await made.recording("12345-7a1c0a6e0001", "")) == ("audio/mpeg", b"sound")
    stored = {"client/@me/record/12345-7a1c0a6e0001/storage_url/": {"record_url": "https://storage.example.com/1.mp3"}}
    telphin = Telphin(**stored, **{"extension/12345/record/12345-7a1c0a6e0001": Answer(404, "")})
    vendor = FakeVendor(lambda asked: b"stored" if "storage." in asked.headers["host"] else telphin(asked))
    assert (await sound(await link(vendor).recording("12345-7a1c0a6e0001", "")))[1] == b"stored"
    assert "authorization" not in vendor.last.headers


@virtual
async def test_without_an_application_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW, client_id="x") is None
