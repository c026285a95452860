"""What the sandbox does over time: limits, the lagging index, tokens that run out, its page and its memory."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import Rate
from connectors.sandbox.base import SandboxRequest, SandboxResponse, VendorSandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from leads.clock import SystemClock


class StillClock(SystemClock):
    """Moves only when told to."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 11, tzinfo=UTC) + timedelta(seconds=self.passed_s)


def ask(sandbox: HubSpotSandbox, method: str, path: str, body: Any = None, token: str = "sandbox") -> SandboxResponse:
    headers = {"authorization": f"Bearer {token}"}
    path, _, query = path.partition("?")
    pairs = [tuple(part.split("=", 1)) for part in query.split("&") if part]
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return sandbox.handle(SandboxRequest(method, path, pairs, headers, content))  # type: ignore[arg-type]


def search(sandbox: HubSpotSandbox, **filter_: str) -> list[str]:
    body = {"filterGroups": [{"filters": [filter_]}], "limit": 200}
    answer = ask(sandbox, "POST", "/crm/v3/objects/contacts/search", body)
    assert answer.status == 200, answer.body
    return [record["id"] for record in answer.body["results"]]


def named(sandbox: HubSpotSandbox, name: str) -> list[str]:
    return search(sandbox, propertyName="firstname", operator="EQ", value=name)


def test_the_burst_limit_answers_as_documented_and_slides() -> None:
    clock = StillClock()
    sandbox = HubSpotSandbox(clock, rate=Rate(3, 10.0))
    answers = [ask(sandbox, "GET", "/crm/owners/2026-03") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["x-hubspot-ratelimit-remaining"] == "2"
    assert answers[3].body["policyName"] == "TEN_SECONDLY_ROLLING"
    assert answers[3].body["message"] == "You have reached your ten_secondly_rolling limit."
    clock.passed_s = 10.0
    assert ask(sandbox, "GET", "/crm/owners/2026-03").status == 200


def test_the_search_limit_stands_apart_and_has_no_headers() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=Rate(1, 10.0), search_rate=Rate(2, 1.0))
    body = {"filterGroups": [], "limit": 1}
    answers = [ask(sandbox, "POST", "/crm/objects/2026-03/contacts/search", body) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers == {}
    assert answers[2].body["message"] == "You have reached your secondly limit."
    assert ask(sandbox, "GET", "/crm/owners/2026-03").status == 200


def test_the_index_follows_the_writes_seconds_later_and_the_look_up_at_once() -> None:
    clock = StillClock()
    sandbox = HubSpotSandbox(clock, rate=None, search_lag_s=5.0)
    id_ = sandbox.records.create("contacts", {"firstname": "иван", "email": "i@example.ru"}, [])["id"]
    assert named(sandbox, "иван") == []
    assert ask(sandbox, "GET", "/crm/v3/objects/contacts/i@example.ru?idProperty=email").body["id"] == id_
    clock.passed_s = 5.0
    assert named(sandbox, "иван") == [id_]
    sandbox.records.update("contacts", sandbox.contacts[id_], {"firstname": "пётр"})
    assert named(sandbox, "иван") == [id_]
    assert named(sandbox, "пётр") == []
    clock.passed_s = 10.0
    assert named(sandbox, "пётр") == [id_]
    sandbox.records.archive("contacts", id_)
    assert named(sandbox, "пётр") == []


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ({"operator": "NEQ", "value": "10"}, "bcd"),
        ({"operator": "LT", "value": "20"}, "a"),
        ({"operator": "GTE", "value": "20"}, "bc"),
        ({"operator": "BETWEEN", "value": "15", "highValue": "30"}, "bc"),
        ({"operator": "IN", "values": ["10", "30"]}, "ac"),
        ({"operator": "NOT_IN", "values": ["10", "30"]}, "bd"),
        ({"operator": "HAS_PROPERTY"}, "abc"),
        ({"operator": "NOT_HAS_PROPERTY"}, "d"),
        ({"operator": "CONTAINS_TOKEN", "value": "*0"}, "abc"),
        ({"operator": "NOT_CONTAINS_TOKEN", "value": "1*"}, "bcd"),
    ],
)
def test_every_operator(filter_: dict[str, Any], found: str) -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None, search_lag_s=0.0)
    names = {}
    for name, amount in (("a", "10"), ("b", "20"), ("c", "30"), ("d", "")):
        given = {"dealname": name, "pipeline": "default", "dealstage": "closedwon", "amount": amount}
        names[sandbox.records.create("deals", given, [])["id"]] = name
    body = {"filterGroups": [{"filters": [{"propertyName": "amount", **filter_}]}]}
    answer = ask(sandbox, "POST", "/crm/v3/objects/deals/search", body)
    assert "".join(names[record["id"]] for record in answer.body["results"]) == found


def test_paging_past_ten_thousand_is_refused() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None)
    body = {"filterGroups": [], "limit": 200, "after": "9900"}
    assert ask(sandbox, "POST", "/crm/v3/objects/deals/search", body).status == 400


def test_tokens_of_oauth_run_out_and_are_renewed() -> None:
    clock = StillClock()
    sandbox = HubSpotSandbox(clock, token="", rate=None)
    app = b"client_id=sandbox-client&client_secret=sandbox-secret&redirect_uri=x"
    grant = ask(sandbox, "POST", "/oauth/v3/token", app + b"&grant_type=authorization_code&code=sandbox-code").body
    assert grant["expires_in"] == 1800
    assert ask(sandbox, "GET", "/crm/owners/2026-03", token=grant["access_token"]).status == 200
    clock.passed_s = 1800
    refused = ask(sandbox, "GET", "/crm/owners/2026-03", token=grant["access_token"])
    assert (refused.status, refused.body["category"]) == (401, "EXPIRED_AUTHENTICATION")
    refresh = b"&grant_type=refresh_token&refresh_token=" + grant["refresh_token"].encode()
    renewed = ask(sandbox, "POST", "/oauth/2026-03/token", app + refresh).body
    assert ask(sandbox, "GET", "/crm/owners/2026-03", token=renewed["access_token"]).status == 200
    bad = ask(sandbox, "POST", "/oauth/2026-03/token", app + b"&grant_type=refresh_token&refresh_token=x")
    assert (bad.status, bad.body["status"]) == (400, "BAD_REFRESH_TOKEN")
    assert ask(sandbox, "GET", "/crm/owners/2026-03", token="").status == 401


def test_a_lifecycle_stage_does_not_go_back_and_says_nothing() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None)
    id_ = sandbox.records.create("contacts", {"firstname": "a", "lifecyclestage": "customer"}, [])["id"]
    path = f"/crm/v3/objects/contacts/{id_}"
    assert ask(sandbox, "PATCH", path, {"properties": {"lifecyclestage": "lead"}}).status == 200
    assert sandbox.contacts[id_]["properties"]["lifecyclestage"] == "customer"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/crm/objects/2025-09/contacts", 404),
        ("/crm/v9/objects/contacts", 404),
        ("/crm/objects/2026-03/unicorns", 400),
        ("/crm/objects/2026-03/0-1", 200),
        ("/crm/v3/owners/", 200),
        ("/account-info/v3/details", 200),
    ],
)
def test_paths_that_are_and_that_are_not(path: str, status: int) -> None:
    assert ask(HubSpotSandbox(StillClock(), rate=None), "GET", path).status == status


@pytest.mark.parametrize(
    "body", [None, b"{", [], {"properties": 1}, {"properties": {"firstname": "a"}, "associations": [1]}]
)
def test_a_body_that_is_nonsense_is_a_400(body: Any) -> None:
    answer = ask(HubSpotSandbox(StillClock(), rate=None), "POST", "/crm/v3/objects/contacts", body)
    assert (answer.status, answer.body["status"]) == (400, "error")


def test_the_page_shows_the_newest_first() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None)
    for n in range(60):
        sandbox.records.create("contacts", {"firstname": f"n{n}"}, [])
    deal = {"dealname": "Окна", "pipeline": "default", "dealstage": "closedwon", "hubspot_owner_id": "80510101"}
    sandbox.records.create("deals", deal, [])
    tables = {table.title: table for table in sandbox.tables()}
    assert len(tables["Contacts"].rows) == 50
    assert tables["Contacts"].rows[0][1] == "n59"
    assert tables["Deals"].rows[0][1:6] == ("Окна", "default closedwon", "", "", "Анна Петрова")


def test_a_snapshot_brings_everything_back() -> None:
    old = HubSpotSandbox(StillClock(), rate=None)
    contact = old.records.create("contacts", {"email": "a@example.ru"}, [])["id"]
    link = [{"to": {"id": contact}, "types": [{"associationTypeId": 3}]}]
    deal = {"dealname": "x", "pipeline": "default", "dealstage": "closedwon"}
    deal_id = old.records.create("deals", deal, link)["id"]
    new = HubSpotSandbox(StillClock(), rate=None, search_lag_s=0.0)
    new.restore(json.loads(json.dumps(old.snapshot())))
    assert new.linked("deals", deal_id, "contacts") == [contact]
    assert ask(new, "POST", "/crm/v3/objects/contacts", {"properties": {"email": "a@example.ru"}}).status == 409
    assert search(new, propertyName="email", operator="EQ", value="a@example.ru") == [contact]
    assert new.records.create("contacts", {"firstname": "b"}, [])["id"] not in old.contacts


def test_a_state_from_before_there_were_calls_is_still_read() -> None:
    old = HubSpotSandbox(StillClock(), rate=None)
    contact = old.records.create("contacts", {"email": "a@example.ru"}, [])["id"]
    state = json.loads(json.dumps(old.snapshot()))
    for part in ("live", "archived", "merged", "properties"):
        del state[part]["calls"]
    new = HubSpotSandbox(StillClock(), rate=None)
    new.restore(state)
    call = {"properties": {"hs_timestamp": "2026-11-24T11:02:00Z"}, "associations": link_to(contact, 194)}
    assert ask(new, "POST", "/crm/v3/objects/calls", call).status == 201
    assert list(new.contacts) == [contact]


def test_calls_have_the_vendors_values_and_links() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None)
    contact = sandbox.records.create("contacts", {"firstname": "a"}, [])["id"]

    def status(links: list[Any] | None = None, **properties: str) -> int:
        body = {"properties": properties, "associations": links or []}
        return ask(sandbox, "POST", "/crm/objects/2026-03/calls", body).status

    at = "2026-11-24T11:02:00Z"
    assert status(hs_call_direction="INBOUND") == 400, "hs_timestamp is missing"
    assert status(hs_timestamp=at, hs_call_direction="IN") == 400
    assert status(hs_timestamp=at, hs_call_duration="1:02") == 400
    assert status(hs_timestamp=at, hs_call_disposition="connected") == 400
    assert status(link_to(contact, 206), hs_timestamp=at) == 400, "206 is to a deal"
    connected = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
    whole = {"hs_call_direction": "INBOUND", "hs_call_status": "COMPLETED", "hs_call_duration": "62000"}
    assert status(link_to(contact, 194), hs_timestamp=at, hs_call_disposition=connected, **whole) == 201
    (id_,) = sandbox.calls
    assert sandbox.linked("contacts", contact, "calls") == [id_]
    rows = {table.title: table.rows for table in sandbox.tables()}["Calls"]
    assert rows == [(id_, at, "INBOUND COMPLETED", "", "62000", "", "")]


def link_to(id_: str, type_: int) -> list[Any]:
    return [{"to": {"id": id_}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_}]}]


def test_every_failure_has_the_vendors_own_face() -> None:
    sandbox: VendorSandbox = HubSpotSandbox(StillClock())
    statuses = {kind: sandbox.fault_answer(kind).status for kind in ("500", "429", "503", "401")}  # type: ignore[arg-type]
    assert statuses == {"500": 500, "429": 429, "503": 503, "401": 401}


def test_ten_thousand_leads_do_not_slow_it_down() -> None:
    sandbox = HubSpotSandbox(StillClock(), rate=None, search_lag_s=0.0)

    def lead(n: int) -> None:
        phone = f"+7916{n:07d}"
        assert search(sandbox, propertyName="phone", operator="EQ", value=phone) == []
        suffix = {"operator": "CONTAINS_TOKEN", "value": f"*916{n:07d}"}
        assert search(sandbox, propertyName="hs_searchable_calculated_phone_number", **suffix) == []
        sandbox.records.create("contacts", {"firstname": "a", "phone": phone}, [])

    def took_s(numbers: range) -> float:
        started = time.perf_counter()
        for n in numbers:
            lead(n)
        return time.perf_counter() - started

    early = took_s(range(300))
    for n in range(300, 9_700):
        sandbox.records.create("contacts", {"firstname": "a", "phone": f"+7916{n:07d}"}, [])
    lead(9_999_999)  # the index takes in what has piled up
    assert took_s(range(9_700, 10_000)) < 8 * early
