"""The list of events of Stripe."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from connectors.links import Lists
from connectors.stripe import SOURCE
from tests.support import form_doors as doors
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Asked, FakeVendor, opened, parsed_of

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
EVENT: dict[str, Any] = json.loads(doors.sample("stripe", "checkout-completed.http").body)


def answers(asked: Asked) -> Any:
    assert asked.path == "/v1/events"
    assert asked.headers["authorization"] == "Bearer rk_of_the_tests"
    query = parse_qsl(asked.query)
    assert ("types[]", "checkout.session.completed") in query
    assert ("created[gte]", str(int((NOW - timedelta(days=1)).timestamp()))) in query
    if "starting_after" not in asked.params:
        return {"data": [{**EVENT, "id": "evt_3"}, {**EVENT, "id": "evt_2"}], "has_more": True}
    assert asked.params["starting_after"] == "evt_2"
    return {"data": [EVENT], "has_more": False}


@virtual
async def test_events_of_the_day_are_those_of_the_webhook_oldest_first() -> None:
    made = opened(SOURCE, FakeVendor(answers), NOW, signing_secret="whsec_x", secret_key="rk_of_the_tests")
    assert isinstance(made, Lists)
    found = [payment for parsed in await parsed_of(made, NOW - timedelta(days=1), NOW) for payment in parsed.payments]
    assert [one.event_id for one in found] == [EVENT["id"], "evt_2", "evt_3"]
    told = doors.payment_of("stripe", doors.sample("stripe", "checkout-completed.http"))
    assert found[0].lead is not None
    assert told.lead is not None
    same = replace(found[0].lead, touch=told.lead.touch)
    assert replace(found[0], lead=same) == told


@virtual
async def test_without_a_key_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(answers), NOW, signing_secret="whsec_x") is None
