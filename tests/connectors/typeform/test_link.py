"""The list of responses of Typeform."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.links import Lists
from connectors.typeform import SOURCE
from tests.support import form_doors as doors
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, opened, parsed_of

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
SAMPLE = next((doors.SAMPLES / "typeform").glob("*.http")).name
RESPONSE: dict[str, Any] = json.loads(doors.sample("typeform", SAMPLE).body)["form_response"]
ITEM = {name: value for name, value in RESPONSE.items() if name not in ("definition", "form_id")}
OLD = {**ITEM, "token": "old", "submitted_at": "2026-01-01T09:01:00Z"}


def answers(asked: Asked) -> Any:
    assert asked.headers["authorization"] == "Bearer token-of-the-tests"
    if asked.path == "/forms/abc12345":
        return RESPONSE["definition"]
    assert asked.path == "/forms/abc12345/responses"
    assert asked.params["since"] == "2026-01-04T14:00:00Z"
    return {"total_items": 2, "items": [ITEM, OLD]}


@virtual
async def test_a_response_of_the_list_is_the_lead_of_the_webhook() -> None:
    made = opened(SOURCE, FakeVendor(answers), NOW, access_token="token-of-the-tests", form_id="abc12345")
    assert isinstance(made, Lists)
    (parsed,) = await parsed_of(made, NOW - timedelta(days=1), NOW)
    (lead,) = parsed.leads
    (told,) = doors.taken("typeform", doors.sample("typeform", SAMPLE)).leads
    assert replace(lead, touch=None) == replace(told, touch=None)
    assert lead.touch is not None
    assert lead.touch.at == datetime(2026, 1, 5, 9, 1, tzinfo=UTC)


@virtual
async def test_titles_that_the_token_may_not_read_hold_up_no_response() -> None:
    def refuses(asked: Asked) -> Any:
        return answers(asked) if asked.path.endswith("/responses") else Answer(403, {"code": "FORBIDDEN"})

    made = opened(SOURCE, FakeVendor(refuses), NOW, access_token="token-of-the-tests", form_id="abc12345")
    (parsed,) = await parsed_of(made, NOW - timedelta(days=1), NOW)
    (lead,) = parsed.leads
    assert (lead.name, lead.phones, lead.lead_uid) == ("Octavia Chen", ("+12025550166",), RESPONSE["token"])


@virtual
async def test_without_the_id_of_the_form_there_is_no_link() -> None:
    assert opened(SOURCE, FakeVendor(answers), NOW, access_token="x") is None
