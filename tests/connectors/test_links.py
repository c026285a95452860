"""What every link to a vendor of telephony keeps to: abilities as declared, secrets and numbers in no text."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import ConnectorError, RateLimitedError, UnknownOutcomeError
from connectors.http import CALL_LOG, CallRecord
from connectors.links import Dials, Lists, Records
from connectors.registry import SOURCES
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
PHONE = "+79990001122"
SETTINGS: dict[str, dict[str, Any]] = {
    "mango": {"vpbx_api_key": "secret-word-1", "vpbx_api_salt": "secret-word-2"},
    "zadarma": {"user_key": "secret-word-1", "secret": "secret-word-2", "timezone": "UTC"},
    "uis": {"access_token": "secret-word-1", "virtual_phone_number": "74950000303"},
    "sipuni": {"user": "070001", "secret": "secret-word-1"},
    "onlinepbx": {"auth_key": "secret-word-1", "domain": "demo.onpbx.ru"},
    "megafon": {"token": "secret-word-1", "api_url": "https://demo.megapbx.ru/crmapi/v1"},
    "telphin": {"client_id": "app", "client_secret": "secret-word-1"},
    "beeline": {"api_token": "secret-word-1"},
    "ringostat": {"auth_key": "secret-word-1"},
    "twilio": {"account_sid": "AC1", "auth_token": "secret-word-1", "caller_id": "+12025550100"},
    "calltouch": {"client_api_id": "secret-word-1", "site_id": "1"},
    "callibri": {"user_email": "hub@example.test", "user_token": "secret-word-1", "site_id": "1"},
}
LISTS = {
    "mango",
    "zadarma",
    "uis",
    "sipuni",
    "onlinepbx",
    "megafon",
    "telphin",
    "ringostat",
    "twilio",
    "calltouch",
    "callibri",
}
DIALS = {"mango", "zadarma", "uis", "sipuni", "onlinepbx", "megafon", "telphin", "beeline", "ringostat", "twilio"}
RECORDS = {"mango", "zadarma", "uis", "sipuni", "onlinepbx", "megafon", "telphin", "beeline", "twilio"}
SAID = f"secret-word-1 secret-word-2 may not call {PHONE} nor 9990001122"
REFUSALS: dict[str, Any] = {
    "down": Answer(502, SAID),
    "page": Answer(200, f"<html>{SAID}"),
    "no answer": None,
    "forbidden": Answer(403, {"message": SAID}),
    "refused": Answer(400, {"message": SAID, "error": SAID, "code": 21211, "description": SAID, "status": "error"}),
    "said": {"message": SAID, "comment": SAID, "status": "error", "success": False, "error": {"message": SAID}},
    "fast": Answer(429, {"message": SAID}, {"retry-after": "40"}),
}


def link(vendor: str, fake: FakeVendor) -> Any:
    return opened(SOURCES[vendor], fake, NOW, **SETTINGS[vendor])


async def history(made: Any) -> None:
    async for _ in made.history(NOW - timedelta(days=1), NOW):
        pass


async def dial(made: Any) -> None:
    await made.dial("101", PHONE, "key-1")


async def recording(made: Any) -> None:
    chunks: AsyncIterator[bytes]
    _, chunks = await made.recording("12345-1/2", "")
    async for _ in chunks:
        pass


ABILITIES: list[tuple[str, Callable[[Any], Coroutine[Any, Any, None]]]] = [
    *((vendor, history) for vendor in sorted(LISTS)),
    *((vendor, dial) for vendor in sorted(DIALS)),
    *((vendor, recording) for vendor in sorted(RECORDS - {"uis"})),
]


def test_every_door_of_calls_has_its_link() -> None:
    groups = ("telephony", "tracking")
    linked = {name for name, door in SOURCES.items() if door.group in groups and door.link is not None}
    assert linked == {*SETTINGS, "asterisk"}


@virtual
async def test_links_can_do_what_is_said_of_them_and_close() -> None:
    for vendor in SETTINGS:
        made = link(vendor, FakeVendor(lambda _: {}))
        assert isinstance(made, Lists) == (vendor in LISTS), vendor
        assert isinstance(made, Dials) == (vendor in DIALS), vendor
        assert isinstance(made, Records) == (vendor in RECORDS), vendor
        await made.close()


@virtual
async def test_without_keys_nobody_is_asked() -> None:
    for vendor in SETTINGS:
        assert opened(SOURCES[vendor], FakeVendor(lambda _: {}), NOW) is None, vendor


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize(("vendor", "ask"), ABILITIES, ids=[f"{name}-{ask.__name__}" for name, ask in ABILITIES])
def test_no_failure_tells_a_secret_or_a_number(
    vendor: str, ask: Callable[[Any], Coroutine[Any, Any, None]], refusal: str
) -> None:
    if (vendor, ask, refusal) == ("mango", dial, "said"):
        return  # what came of a command is told by an event

    @virtual
    async def run() -> None:
        fake = FakeVendor(lambda _: REFUSALS[refusal])
        records: list[CallRecord] = []
        token = CALL_LOG.set(records)
        try:
            with pytest.raises(ConnectorError) as caught:
                await ask(link(vendor, fake))
        finally:
            CALL_LOG.reset(token)
        told = str(caught.value)
        kept = "\n".join(f"{one.url} {one.request} {one.answer} {one.error}" for one in records)
        own = [value for value in SETTINGS[vendor].values() if value.startswith("secret-word")]
        assert own
        assert not any(word in told or word in kept for word in own), told
        assert "9990001122" not in told
        assert fake.asked

    run()


@pytest.mark.parametrize("vendor", sorted(DIALS))
def test_a_call_whose_outcome_is_unknown_is_ordered_once(vendor: str) -> None:
    """Whatever has to be asked before is answered; the order itself gets no answer."""

    def answers(asked: Asked) -> Any:
        if is_order(asked):
            return None
        if asked.path == "/oauth/token":
            return {"access_token": "session", "expires_in": 3600}
        if asked.path.endswith("auth.json"):
            return {"status": "1", "data": {"key_id": "1", "key": "session"}}
        if asked.path.endswith("/extension/"):
            return [{"id": 1, "name": "0*101"}]
        return {"jsonrpc": "2.0", "result": {"data": [{"id": 1, "extension": {"extension_phone_number": "101"}}]}}

    def is_order(asked: Asked) -> bool:
        words = ("callback", "call/now", "makecall", "/call", "Calls.json", "/a/v2", "v4.0")
        return any(word in asked.path for word in words)

    @virtual
    async def run() -> None:
        fake = FakeVendor(answers)
        with pytest.raises(UnknownOutcomeError):
            await dial(link(vendor, fake))
        assert len([one for one in fake.asked if is_order(one)]) == 1

    run()


@pytest.mark.parametrize("vendor", sorted(DIALS & LISTS))
@virtual
async def test_a_list_that_was_refused_holds_no_call_up(vendor: str) -> None:
    fake = FakeVendor(lambda _: REFUSALS["fast"])
    made = link(vendor, fake)
    with pytest.raises(RateLimitedError) as caught:
        await history(made)
    assert caught.value.retry_after_s == 40.0
    before = made.clock.now()
    with pytest.raises(ConnectorError):
        await dial(made)
    assert (made.clock.now() - before).total_seconds() < 10.0


HALF = "\ud800"
DAY_OF_CALL = "2026-01-05T12:00:00Z"
LINES: dict[str, tuple[str, Any]] = {
    "onlinepbx": ("search.json", {"data": [{"uuid": "1", "start_stamp": 1767612000, "caller_id_number": HALF}]}),
    "megafon": ("history", [{"uid": "1", "start": DAY_OF_CALL, "user": HALF, "client": HALF}]),
    "telphin": (
        "call_history",
        {"calls": [{"call_uuid": "1", "hangup_time_gmt": DAY_OF_CALL, "result": HALF}]},
    ),
    "ringostat": ("calls/list", [{"uniqueid": "1", "calldate": "2026-01-05 12:00:00", "utm_term": HALF}]),
    "calltouch": ("calls", {"records": [{"callId": 1, "date": "05/01/2026 12:00:00", "keyword": HALF}]}),
    "callibri": (
        "statistics",
        {"channels_statistics": [{"calls": [{"id": 1, "date": DAY_OF_CALL, "phone": "1", "query": HALF}]}]},
    ),
}


@pytest.mark.parametrize("vendor", LINES)
def test_a_line_with_half_a_character_stops_nothing(vendor: str) -> None:
    where, lines = LINES[vendor]
    session = {"access_token": "session", "status": "1", "data": {"key_id": "1", "key": "session"}}

    def answers(asked: Asked) -> Any:
        if where in asked.path:
            return Answer(200, json.dumps(lines), {"content-type": "application/json"})
        return [] if "requests" in asked.path else session

    @virtual
    async def run() -> None:
        (call,) = await listed(link(vendor, FakeVendor(answers)), NOW - timedelta(days=1), NOW)
        assert call.call_id == "1"

    run()
