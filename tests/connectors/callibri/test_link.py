"""Callibri as an API: statistics of days, the calls and requests that its webhook told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.callibri import SOURCE
from connectors.errors import AuthError, NoAccessError, RateLimitedError, RetryableError
from connectors.links import Lists
from tests.connectors.callibri.test_parse import CALL
from tests.support.calldoors import call, lead, parsed_json, replayed, tree_of
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, listed, opened, parsed_of

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
DAY = (NOW - timedelta(days=1), NOW)
KEYS = {"user_email": "hub@example.test", "user_token": "fake-callibri-token"}
SAID = {name: value for name, value in CALL.items() if name not in ("type", "called_number")}
FEEDBACK = {name: value for name, value in tree_of("callibri/lead").items() if name != "type"}
CHANNEL = {"name_channel": "Реклама", "numbers": ["74950000202"], "calls": [SAID], "feedbacks": [FEEDBACK], "chats": []}


def statistics(asked: Asked) -> Any:
    wanted = asked.params
    assert asked.method == "GET"
    assert {name: wanted[name] for name in KEYS} == KEYS
    if asked.path == "/get_sites":
        return {"sites": [{"site_id": 11}, {"site_id": 12}]}
    assert asked.path == "/site_get_statistics"
    return {"channels_statistics": [CHANNEL] if wanted["site_id"] == "11" else []}


def link(answers: Any, **settings: Any) -> Any:
    vendor = answers if isinstance(answers, FakeVendor) else FakeVendor(answers)
    return opened(SOURCE, vendor, NOW, **{**KEYS, "site_id": 11, **settings})


@virtual
async def test_what_the_statistics_tell_is_what_arrived() -> None:
    made = link(statistics)
    assert isinstance(made, Lists)
    told = await parsed_of(made, *DAY)
    (found,) = (one for parsed in told for one in parsed.calls)
    (asked,) = (one for parsed in told for one in parsed.leads)
    assert found == call(parsed_json("callibri", CALL, received_at=NOW))
    arrived = lead(replayed("callibri/lead"))
    assert (asked.lead_uid, asked.phones, asked.comment) == (arrived.lead_uid, arrived.phones, arrived.comment)
    assert asked.utm == arrived.utm


@virtual
async def test_without_a_site_all_are_read() -> None:
    vendor = FakeVendor(statistics)
    assert len(await parsed_of(link(vendor, site_id=""), *DAY)) == 2
    assert [one.params.get("site_id") for one in vendor.asked] == [None, "11", "12"]


@virtual
async def test_a_question_is_of_seven_days_at_most() -> None:
    vendor = FakeVendor(lambda _: {"channels_statistics": []})
    await listed(link(vendor), NOW - timedelta(days=20), NOW)
    assert len(vendor.asked) == 5
    for one in vendor.asked:
        first, last = (date(*map(int, reversed(one.params[name].split(".")))) for name in ("date1", "date2"))
        assert (last - first).days < 7


@pytest.mark.parametrize(("zone", "hour"), [("", 11), ("Asia/Yekaterinburg", 9)])
def test_a_date_without_a_zone_is_of_the_account(zone: str, hour: int) -> None:
    told = {"channels_statistics": [{"calls": [{**SAID, "date": "2026-01-05T14:00:00"}]}]}

    @virtual
    async def run() -> None:
        (found,) = await listed(link(lambda _: told, timezone=zone), *DAY)
        assert found.started_at == datetime(2026, 1, 5, hour, 0, tzinfo=UTC)

    run()


@virtual
async def test_what_lies_outside_the_window_is_left_out() -> None:
    assert await parsed_of(link(statistics), NOW - timedelta(hours=1), NOW) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Answer(401, ""), AuthError), (Answer(429, ""), RateLimitedError), (Answer(200, "<html>"), RetryableError)],
)
@virtual
async def test_refusals_say_what_to_do_next(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await listed(link(lambda _: answer), *DAY)


@virtual
async def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(NoAccessError, match="user_email is not set"):
        await listed(link(lambda _: {}, user_email=""), *DAY)
    assert opened(SOURCE, FakeVendor(lambda _: {}), NOW) is None
