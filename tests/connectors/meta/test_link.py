"""The Graph API as an API: one lead by its id, all leads of the day, and what its errors mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, ConnectorError, NoAccessError, PermanentError, RateLimitedError, RetryableError
from connectors.events import Errand
from connectors.links import Fetches, Lists
from connectors.meta import SOURCE
from tests.support.form_doors import SAMPLES
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, opened, parsed_of

NOW = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
LEAD: dict[str, Any] = json.loads((SAMPLES / "meta" / "graph-lead-response.json").read_text(encoding="utf-8"))
ERRAND = Errand("leadgen", "9876543210001", {"form_id": "555000111222"})
TOKEN = "page-token-of-the-tests"  # invented


def link(vendor: FakeVendor, **settings: Any) -> Any:
    return opened(SOURCE, vendor, NOW, app_secret="s", verify_token="v", **{"page_token": TOKEN, **settings})


@virtual
async def test_a_lead_is_read_by_its_id_with_the_token_of_the_page() -> None:
    vendor = FakeVendor(lambda asked: LEAD)
    made = link(vendor)
    assert isinstance(made, Fetches)
    (lead,) = (await made.fetch(ERRAND)).leads
    assert lead.lead_uid == "9876543210001"
    assert lead.phones
    assert vendor.last.path == "/v21.0/9876543210001"
    assert vendor.last.params["access_token"] == TOKEN
    assert "field_data" in vendor.last.params["fields"]


@virtual
async def test_without_a_token_nobody_is_asked_and_the_setting_is_named() -> None:
    vendor = FakeVendor(lambda asked: LEAD)
    with pytest.raises(NoAccessError, match="no page_token in the settings of source pbx"):
        await link(vendor, page_token=None).fetch(ERRAND)
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        (190, 400, AuthError),
        (200, 403, AuthError),
        (10, 400, AuthError),
        (4, 400, RateLimitedError),
        (613, 400, RateLimitedError),
        (80005, 400, RateLimitedError),
        (2, 500, RetryableError),
        (1, 400, RetryableError),
        (100, 400, PermanentError),
    ],
)
def test_the_code_of_an_error_says_what_to_do(code: int, status: int, outcome: type[ConnectorError]) -> None:
    body = {"error": {"code": code, "message": f"about {TOKEN}", "fbtrace_id": "Abc"}}

    @virtual
    async def ask() -> None:
        with pytest.raises(outcome) as caught:
            await link(FakeVendor(lambda asked: Answer(status, body))).fetch(ERRAND)
        assert type(caught.value) is outcome
        assert TOKEN not in str(caught.value)

    ask()


@virtual
async def test_an_answer_that_is_no_json_is_asked_for_again() -> None:
    with pytest.raises(RetryableError):
        await link(FakeVendor(lambda asked: Answer(502, "<html>"))).fetch(ERRAND)


@virtual
async def test_the_leads_of_all_forms_are_read_page_by_page() -> None:
    def answers(asked: Asked) -> Any:
        if asked.path == "/v21.0/me/leadgen_forms":
            return {"data": [{"id": "555"}]}
        assert asked.path == "/v21.0/555/leads"
        assert json.loads(asked.params["filtering"])[0]["field"] == "time_created"
        if "after" not in asked.params:
            more = {"cursors": {"after": "A"}, "next": "https://graph.facebook.com/…"}
            return {"data": [{**LEAD, "id": "1", "created_time": "2026-01-05T10:00:00+0000"}], "paging": more}
        old = {**LEAD, "id": "3", "created_time": "2026-01-03T10:00:00+0000"}
        return {"data": [{**LEAD, "id": "2", "created_time": "2026-01-05T11:00:00+0000"}, old], "paging": {}}

    made = link(FakeVendor(answers))
    assert isinstance(made, Lists)
    found = await parsed_of(made, NOW - timedelta(days=1), NOW)
    assert [lead.lead_uid for parsed in found for lead in parsed.leads] == ["1", "2"]
    assert found[0].leads[0].form == "555000111222"


@virtual
async def test_where_the_forms_are_not_told_those_that_events_named_are_read() -> None:
    def answers(asked: Asked) -> Any:
        if asked.path == "/v21.0/me/leadgen_forms":
            return Answer(400, {"error": {"code": 100, "message": "Tried accessing nonexisting field (leadgen_forms)"}})
        return {"data": [LEAD]} if asked.path == "/v21.0/555000111222/leads" else LEAD

    made = link(FakeVendor(answers))
    with pytest.raises(PermanentError):
        await parsed_of(made, NOW - timedelta(days=1), NOW)
    await made.fetch(ERRAND)
    (found,) = await parsed_of(made, NOW - timedelta(days=1), NOW)
    assert found.leads[0].lead_uid == LEAD["id"]
