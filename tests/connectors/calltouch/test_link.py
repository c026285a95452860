"""Calltouch as an API: pages of the diary, requests of forms, the calls that its webhooks told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.calltouch import SOURCE
from connectors.errors import AuthError, NoAccessError, RateLimitedError, RetryableError
from connectors.links import Lists
from tests.support.calldoors import call, replayed
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, parsed_of

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEY = "fake-client-api-id"
CALL: dict[str, Any] = {
    "callId": 900001,
    "callphase": "callcompleted",
    "date": "05/01/2026 14:00:00",
    "duration": 75,
    "waitingConnect": 6,
    "callerNumber": "79990008001",
    "phoneNumber": "74950000808",
    "successful": True,
    "uniqueCall": True,
    "targetCall": True,
    "source": "yandex",
    "medium": "cpc",
    "utmSource": "yandex",
    "utmMedium": "cpc",
    "utmCampaign": "brand",
    "utmContent": "ad7",
    "utmTerm": "<не указано>",
    "sessionId": 555666777,
    "ctCallerId": "111222333",
    "yaClientId": "1767600000123456789",
    "clientId": None,
    "manager": None,
    "orders": [],
}
MISSED = {**CALL, "callId": 900002, "date": "2026-01-05 15:00:00", "successful": False, "duration": 0}
RUNNING = {**CALL, "callId": 900003, "callphase": "callconnected", "date": "05/01/2026 16:59:00"}
OLD = {**CALL, "callId": 900004, "date": "03/01/2026 10:00:00"}
REQUEST = {
    "requestId": 700001,
    "date": 1767610800000,
    "subject": "Расчёт окон",
    "client": {
        "fio": "Иван Иванов",
        "phones": [{"phoneNumber": "79990008002"}],
        "contacts": [{"contactType": "EMAIL", "contactValue": "ivan@example.test"}],
    },
    "session": {"source": "google", "medium": "organic", "url": "https://site.example.test/", "yaClientId": "17"},
}


class Calltouch:
    def __init__(self, calls: list[Any], requests: Any = ()) -> None:
        self.calls, self.requests = calls, requests

    def __call__(self, asked: Asked) -> Any:
        wanted = asked.params
        assert asked.method == "GET"
        assert wanted["clientApiId"] == KEY
        if asked.path == "/calls-service/RestAPI/requests/":
            assert (wanted["dateFrom"], wanted["dateTo"]) == ("01/04/2026", "01/05/2026")
            return self.requests if isinstance(self.requests, Answer) else list(self.requests)
        assert asked.path == "/calls-service/RestAPI/50001/calls-diary/calls"
        assert (wanted["dateFrom"], wanted["dateTo"]) == ("04/01/2026", "05/01/2026")
        page, limit = int(wanted["page"]), int(wanted["limit"])
        records = self.calls[(page - 1) * limit : page * limit]
        return {"page": page, "pageTotal": -(-len(self.calls) // limit), "records": records}


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{"client_api_id": KEY, "site_id": 50001, **settings})


@virtual
async def test_a_call_of_the_diary_is_the_one_that_arrived() -> None:
    made = link(Calltouch([CALL, MISSED, RUNNING, OLD]))
    assert isinstance(made, Lists)
    found, missed = await listed(made, *DAY)
    arrived = call(replayed("calltouch/call"))
    for field in ("call_id", "event_id", "event", "state", "direction", "client", "line", "at", "started_at",
                  "ended_at", "ring_s", "talk_s", "disposition"):  # fmt: skip
        assert getattr(found, field) == getattr(arrived, field), field
    assert found.lead is not None
    assert arrived.lead is not None
    assert (found.lead.utm, found.lead.click_ids) == (arrived.lead.utm, arrived.lead.click_ids)
    assert found.lead.extra["ctCallerId"] == "111222333"
    assert (missed.event_id, missed.disposition) == ("900002:unanswered", "missed")
    assert missed.started_at == datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@virtual
async def test_a_line_that_tells_no_time_is_of_the_days_that_were_asked_for() -> None:
    timeless = {name: value for name, value in CALL.items() if name != "date"}
    (found,) = await listed(link(Calltouch([timeless])), *DAY)
    assert (found.event_id, found.talk_s) == ("900001:answered", 75)


@virtual
async def test_a_request_of_a_form_is_a_lead_by_its_id() -> None:
    (parsed,) = await parsed_of(link(Calltouch([], [REQUEST])), *DAY)
    (found,) = parsed.leads
    assert (found.lead_uid, found.name, found.form) == ("request:700001", "Иван Иванов", "Расчёт окон")
    assert (found.phones, found.emails) == (("+79990008002",), ("ivan@example.test",))
    assert found.utm == {"utm_source": "google", "utm_medium": "organic"}
    assert found.page_url == "https://site.example.test/"


@virtual
async def test_pages_are_read_to_the_end() -> None:
    vendor = FakeVendor(Calltouch([{**CALL, "callId": n} for n in range(1, 1003)]))
    assert len(await listed(link(vendor), *DAY)) == 1002
    assert [one.params.get("page") for one in vendor.asked] == ["1", "2", None]


@virtual
async def test_an_old_answer_without_pages_and_an_account_without_requests_will_do() -> None:
    for no_requests in (Answer(404, ""), Answer(403, "")):
        calltouch = Calltouch([CALL], no_requests)

        def answers(asked: Asked, calltouch: Calltouch = calltouch) -> Any:
            made = calltouch(asked)
            return made["records"] if isinstance(made, dict) else made

        assert len(await listed(link(answers), *DAY)) == 1
    assert await listed(link(lambda _: []), *DAY) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(403, ""), AuthError),
        (Answer(400, {"errorCode": "x", "message": "Invalid token"}), AuthError),
        (Answer(429, "", {"retry-after": "5"}), RateLimitedError),
        (Answer(500, ""), RetryableError),
        (Answer(200, "<html>"), RetryableError),
    ],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await listed(link(lambda _: answer), *DAY)
    assert KEY not in str(caught.value)


@virtual
async def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(NoAccessError, match="site_id is not set"):
        await listed(link(lambda _: {}, site_id=""), *DAY)
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW) is None
