"""The portal's oddities that a connector must survive, as the fact sheet tells them."""

import json
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox.base import SandboxRequest
from connectors.sandbox.bitrix24 import Bitrix24Sandbox
from tests.support.manual_clock import ManualClock


def portal(**options: Any) -> Bitrix24Sandbox:
    return Bitrix24Sandbox(ManualClock(), **options)


def post(sandbox: Bitrix24Sandbox, method: str, body: Any = None, path: str = "/rest/1/sandbox/") -> tuple[int, Any]:
    raw = json.dumps(body or {}).encode()
    request = SandboxRequest("POST", f"{path}{method}", [], {"content-type": "application/json"}, raw)
    response = sandbox.handle(request)
    return response.status, response.body


def call(sandbox: Bitrix24Sandbox, method: str, body: Any = None) -> Any:
    status, answer = post(sandbox, method, body)
    assert status == 200, answer
    return answer["result"]


def test_forms_with_php_arrays_are_read_too() -> None:
    sandbox = portal()
    form = urlencode({"fields[NAME]": "Иван", "FIELDS_X": "1", "fields[PHONE][0][VALUE]": "+79161234567"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = sandbox.handle(SandboxRequest("POST", "/rest/1/sandbox/CRM.Contact.Add.json", [], headers, form))
    assert response.status == 200
    assert sandbox.contacts["1"]["PHONE"][0]["VALUE"] == "+79161234567"


def test_a_failed_reference_hangs_the_deal_on_contact_one() -> None:
    """Why we never chain commands: the reference becomes the map of all results so far, and that is 1 as a number."""
    sandbox = portal()
    call(sandbox, "crm.contact.add", {"fields": {"NAME": "Первый"}})
    cmd = {
        "a": "profile",
        "c": "crm.contact.add?fields[NAME]=X&fields[EMAIL][0][VALUE]=broken",
        "d": "crm.deal.add?fields[TITLE]=T&fields[CONTACT_ID]=$result[c]",
    }
    answer = call(sandbox, "batch", {"halt": 0, "cmd": cmd})
    assert "c" in answer["result_error"]
    assert sandbox.deals[str(answer["result"]["d"])]["CONTACT_ID"] == "1"


def test_halt_stops_at_the_first_error_and_keeps_what_is_done() -> None:
    sandbox = portal()
    cmd = {"a": "crm.deal.add?fields[TITLE]=A", "b": "crm.deal.get?id=99", "c": "crm.deal.add?fields[TITLE]=C"}
    answer = call(sandbox, "batch", {"halt": 1, "cmd": cmd})
    assert set(answer["result"]) == {"a"}
    assert set(answer["result_error"]) == {"b"}
    assert len(sandbox.deals) == 1


def test_beyond_fifty_commands_each_one_is_refused() -> None:
    sandbox = portal()
    cmd = {f"c{number}": "crm.deal.add?fields[TITLE]=A" for number in range(52)}
    answer = call(sandbox, "batch", {"cmd": cmd})
    assert len(answer["result"]) == 50
    assert {error["error"] for error in answer["result_error"].values()} == {"ERROR_BATCH_LENGTH_EXCEEDED"}
    assert set(answer["result_error"]) == {"c50", "c51"}


def test_a_batch_costs_one_request_and_empty_maps_are_lists() -> None:
    sandbox = portal()
    for _ in range(49):
        call(sandbox, "profile")
    answer = call(sandbox, "batch", {"cmd": {"a": "profile", "b": "profile"}})
    assert answer["result_error"] == []
    status, body = post(sandbox, "profile")
    assert (status, body["error"]) == (503, "QUERY_LIMIT_EXCEEDED")


def test_the_bucket_leaks_two_a_second() -> None:
    sandbox = portal()
    clock = sandbox.clock
    assert isinstance(clock, ManualClock)
    for _ in range(50):
        call(sandbox, "profile")
    assert post(sandbox, "profile")[0] == 503
    clock.forward(0.5)
    assert post(sandbox, "profile")[0] == 200
    assert post(sandbox, "profile")[0] == 503


def test_operating_time_is_forgotten_after_ten_minutes() -> None:
    sandbox = portal(operating_limit_s=1.0, call_cost_s=0.5, rate=None)
    clock = sandbox.clock
    assert isinstance(clock, ManualClock)
    for _ in range(2):
        call(sandbox, "crm.deal.add", {"fields": {"TITLE": "T"}})
    assert post(sandbox, "crm.deal.add", {"fields": {"TITLE": "T"}})[0] == 429
    assert post(sandbox, "crm.deal.list")[0] == 200
    clock.forward(660)
    assert post(sandbox, "crm.deal.add", {"fields": {"TITLE": "T"}})[0] == 200


def test_classic_lists_drop_an_unknown_filter_and_start_over_beyond_the_end() -> None:
    sandbox = portal()
    for number in range(60):
        sandbox.crm.save("deal", {"TITLE": str(number)})
    assert len(call(sandbox, "crm.deal.list", {"filter": {"NO_SUCH": "x"}})) == 50
    assert call(sandbox, "crm.deal.list", {"start": 500})[0]["ID"] == "1"
    status, body = post(sandbox, "crm.deal.list", {"filter": {">ID": 55}, "start": -1, "select": ["ID"]})
    assert status == 200
    assert [row["ID"] for row in body["result"]] == ["56", "57", "58", "59", "60"]
    assert "next" not in body


def test_a_wrong_stage_is_no_error() -> None:
    sandbox = portal()
    made = call(sandbox, "crm.deal.add", {"fields": {"TITLE": "T", "CATEGORY_ID": 5, "STAGE_ID": "NO_SUCH"}})
    assert sandbox.deals[str(made)]["STAGE_ID"] == "C5:NEW"
    call(sandbox, "crm.deal.update", {"id": made, "fields": {"STAGE_ID": "NO_SUCH", "CATEGORY_ID": 0}})
    assert (sandbox.deals[str(made)]["STAGE_ID"], sandbox.deals[str(made)]["CATEGORY_ID"]) == ("C5:NEW", "5")


def test_no_key_is_unique() -> None:
    sandbox = portal()
    for _ in range(2):
        call(sandbox, "crm.deal.add", {"fields": {"ORIGINATOR_ID": "leadhub", "ORIGIN_ID": "same"}})
    assert len(sandbox.deals) == 2


def test_multifields_are_added_changed_and_deleted_by_id() -> None:
    sandbox = portal()
    made = call(sandbox, "crm.contact.add", {"fields": {"NAME": "И", "PHONE": [{"VALUE": "1", "VALUE_TYPE": "WORK"}]}})
    for phone in ([{"VALUE": "1", "VALUE_TYPE": "WORK"}], [{"VALUE": "1", "VALUE_TYPE": "HOME"}], [{"VALUE": "2"}]):
        call(sandbox, "crm.contact.update", {"id": made, "fields": {"PHONE": phone}})
    items = sandbox.contacts[str(made)]["PHONE"]
    assert [(item["VALUE"], item["VALUE_TYPE"]) for item in items] == [("1", "WORK"), ("1", "HOME"), ("2", "WORK")]
    call(sandbox, "crm.contact.update", {"id": made, "fields": {"PHONE": [{"ID": items[0]["ID"], "DELETE": "Y"}]}})
    assert len(sandbox.contacts[str(made)]["PHONE"]) == 2


def test_numbers_in_a_look_up_are_skipped_and_a_deleted_contact_is_forgotten() -> None:
    sandbox = portal()
    made = call(sandbox, "crm.contact.add", {"fields": {"NAME": "И", "PHONE": [{"VALUE": "+79161234567"}]}})
    ask = {"type": "PHONE", "values": ["+79161234567"], "entity_type": "CONTACT"}
    assert call(sandbox, "crm.duplicate.findbycomm", ask) == {"CONTACT": [made]}
    assert call(sandbox, "crm.duplicate.findbycomm", {**ask, "values": [79161234567]}) == []
    call(sandbox, "crm.contact.delete", {"id": made})
    assert call(sandbox, "crm.duplicate.findbycomm", ask) == []


def test_controller_methods_want_exact_names_and_classic_ones_do_not() -> None:
    sandbox = portal()
    call(sandbox, "crm.deal.add", {"FIELDS": {"TITLE": "T"}})
    status, body = post(sandbox, "crm.timeline.comment.add", {"FIELDS": {}})
    assert (status, body["error"]) == (400, "100")
    status, body = post(sandbox, "crm.deal.add", {"fields": "x"})
    assert (status, body["error_description"]) == (400, "Parameter 'fields' must be array.")


def test_refresh_tokens_work_once_and_codes_thirty_seconds() -> None:
    sandbox = portal()
    clock = sandbox.clock
    assert isinstance(clock, ManualClock)

    def token(**params: str) -> tuple[int, Any]:
        query = [("client_id", "local.sandbox"), ("client_secret", "sandbox-secret"), *params.items()]
        response = sandbox.handle(SandboxRequest("GET", "/oauth/token/", query, {"host": "portal"}, b""))
        return response.status, response.body

    late = sandbox.authority.code()
    clock.forward(31)
    assert token(grant_type="authorization_code", code=late)[1]["error"] == "invalid_grant"
    status, first = token(grant_type="authorization_code", code=sandbox.authority.code())
    assert status == 200
    assert post(sandbox, "profile", {"auth": first["access_token"]}, path="/rest/")[0] == 200
    assert token(grant_type="refresh_token", refresh_token=first["refresh_token"])[0] == 200
    assert token(grant_type="refresh_token", refresh_token=first["refresh_token"])[1]["error"] == "invalid_grant"
    clock.forward(3601)
    assert post(sandbox, "profile", {"auth": first["access_token"]}, path="/rest/")[1]["error"] == "expired_token"


def test_state_survives_a_restart() -> None:
    sandbox = portal()
    call(sandbox, "crm.contact.add", {"fields": {"NAME": "И", "PHONE": [{"VALUE": "+79161234567"}]}})
    call(sandbox, "crm.deal.userfield.add", {"fields": {"FIELD_NAME": "UF_CRM_X", "USER_TYPE_ID": "string"}})
    call(sandbox, "crm.deal.add", {"fields": {"ORIGIN_ID": "k", "UF_CRM_X": "v", "CONTACT_ID": 1}})
    call(sandbox, "crm.timeline.comment.add", {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "c"}})
    again = portal()
    again.restore(json.loads(json.dumps(sandbox.snapshot())))
    assert call(again, "crm.deal.list", {"filter": {"ORIGIN_ID": "k"}, "select": ["UF_CRM_X"]})[0]["UF_CRM_X"] == "v"
    assert call(again, "crm.deal.list", {"filter": {"CONTACT_ID": 1}})[0]["ID"] == "1"
    assert len(call(again, "crm.timeline.comment.list", {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}})) == 1
    assert call(again, "crm.contact.add", {"fields": {"NAME": "П"}}) == 2
    ask = {"type": "PHONE", "values": ["+79161234567"], "entity_type": "CONTACT"}
    assert call(again, "crm.duplicate.findbycomm", ask) == {"CONTACT": [1]}


def test_the_page_shows_the_newest_first() -> None:
    sandbox = portal(rate=None)
    for number in range(60):
        call(sandbox, "crm.deal.add", {"fields": {"TITLE": f"Сделка {number}", "ASSIGNED_BY_ID": 7}})
    tables = {table.title: table for table in sandbox.tables()}
    rows = tables["Сделки"].rows
    assert len(rows) == 50
    assert rows[0][:2] == ("60", "Сделка 59")
    assert rows[0][4] == "Борис Сидоров"
