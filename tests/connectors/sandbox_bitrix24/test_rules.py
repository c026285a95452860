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


CALL = {"USER_ID": 7, "PHONE_NUMBER": "+79161234567", "TYPE": 2, "EXTERNAL_CALL_ID": "c-1", "CRM_CREATE": 0, "SHOW": 0}


def with_a_contact() -> Bitrix24Sandbox:
    sandbox = portal()
    call(sandbox, "crm.contact.add", {"fields": {"NAME": "И", "PHONE": [{"VALUE": "8 916 123-45-67"}]}})
    return sandbox


def by_app(sandbox: Bitrix24Sandbox, method: str, body: Any) -> tuple[int, Any]:
    token, _ = sandbox.authority.pair()
    return post(sandbox, method, {**body, "auth": token}, path="/rest/")


def test_telephony_is_for_applications_that_have_the_scope() -> None:
    sandbox = with_a_contact()
    register = "telephony.externalCall.register"
    assert post(sandbox, register, CALL)[1]["error"] == "WRONG_AUTH_TYPE"
    assert by_app(sandbox, register, CALL)[0] == 200
    sandbox.telephony = False
    status, answer = by_app(sandbox, register, CALL)
    assert (status, answer["error"]) == (403, "insufficient_scope")
    batch = post(sandbox, "batch", {"cmd": {"a": f"{register}?TYPE=2"}})[1]["result"]
    assert batch["result_error"]["a"]["error"] == "insufficient_scope"


def test_a_call_is_registered_once_in_half_an_hour_until_it_is_finished() -> None:
    sandbox = with_a_contact()
    clock = sandbox.clock
    assert isinstance(clock, ManualClock)
    first = by_app(sandbox, "telephony.externalCall.register", CALL)[1]["result"]
    assert (first["CRM_ENTITY_TYPE"], first["CRM_ENTITY_ID"]) == ("CONTACT", "1")
    assert by_app(sandbox, "telephony.externalCall.register", CALL)[1]["result"] == first
    other = by_app(sandbox, "telephony.externalCall.register", {**CALL, "EXTERNAL_CALL_ID": "c-2"})[1]["result"]
    assert other["CALL_ID"] != first["CALL_ID"]
    clock.forward(1801)
    late = by_app(sandbox, "telephony.externalCall.register", CALL)[1]["result"]
    assert late["CALL_ID"] != first["CALL_ID"]
    finish = {"CALL_ID": late["CALL_ID"], "USER_ID": 7, "DURATION": 62}
    done = by_app(sandbox, "telephony.externalCall.finish", finish)[1]["result"]
    assert done["CALL_FAILED_CODE"] == "200"
    assert by_app(sandbox, "telephony.externalCall.finish", finish)[1]["error_description"] == "Call is not found"
    again = by_app(sandbox, "telephony.externalCall.register", CALL)[1]["result"]
    assert again["CALL_ID"] != late["CALL_ID"], "a finished call is no longer found"


def test_a_finished_call_is_an_activity_a_row_of_the_statistics_and_takes_its_recording() -> None:
    sandbox = with_a_contact()
    for wrong in ({"USER_ID": 99}, {"PHONE_NUMBER": ""}, {"TYPE": 9}):
        assert by_app(sandbox, "telephony.externalCall.register", {**CALL, **wrong})[1]["error"] == "ERROR_CORE"
    call_id = by_app(sandbox, "telephony.externalCall.register", CALL)[1]["result"]["CALL_ID"]
    record = {"CALL_ID": call_id, "RECORD_URL": "https://rec.example.ru/1.mp3"}
    assert by_app(sandbox, "telephony.externalCall.attachRecord", record)[0] == 400
    found = {"FILTER": {"EXTERNAL_CALL_ID": "c-1"}}
    assert by_app(sandbox, "voximplant.statistic.get", found)[1]["result"] == []
    done = by_app(sandbox, "telephony.externalCall.finish", {"CALL_ID": call_id, "DURATION": 0})[1]["result"]
    assert done["CALL_FAILED_CODE"] == "304"
    assert by_app(sandbox, "telephony.externalCall.attachRecord", record)[0] == 200
    (row,) = by_app(sandbox, "voximplant.statistic.get", found)[1]["result"]
    assert (row["CRM_ACTIVITY_ID"], row["RECORD_URL"]) == (done["CRM_ACTIVITY_ID"], record["RECORD_URL"])
    assert sandbox.activities[row["CRM_ACTIVITY_ID"]]["TYPE_ID"] == "2"
    rows = {table.title: table.rows for table in sandbox.tables()}["Звонки"]
    assert rows == [(call_id, "contact 1", "входящий", "+79161234567", "0", "304")]
    again = portal()
    again.restore(json.loads(json.dumps(sandbox.snapshot())))
    assert again.phone_calls == sandbox.phone_calls


def test_an_activity_bound_to_a_deal_is_listed_there_too() -> None:
    sandbox = with_a_contact()
    call(sandbox, "crm.deal.add", {"fields": {"TITLE": "Окна"}})
    fields = {"OWNER_TYPE_ID": 3, "OWNER_ID": 1, "SUBJECT": "Звонок", "TYPE_ID": 2, "COMMUNICATIONS": [{"VALUE": "1"}]}
    assert call(sandbox, "crm.activity.add", {"fields": fields}) == 1
    binding = {"activityId": 1, "entityTypeId": 2, "entityId": 1}
    assert post(sandbox, "crm.activity.binding.add", {**binding, "entityId": 5})[1]["error"] == "OWNER_NOT_FOUND"
    assert call(sandbox, "crm.activity.binding.add", binding) is True
    assert call(sandbox, "crm.activity.update", {"id": 1, "fields": {"DESCRIPTION": "Текст"}}) is True
    again = portal()
    again.restore(json.loads(json.dumps(sandbox.snapshot())))
    for each in (sandbox, again):
        (row,) = call(each, "crm.activity.list", {"filter": {"OWNER_TYPE_ID": 2, "OWNER_ID": 1}})
        assert (row["ID"], row["DESCRIPTION"]) == ("1", "Текст")


def test_a_state_from_before_there_was_telephony_is_still_read() -> None:
    state = with_a_contact().snapshot()
    del state["crm"]["calls"]
    again = portal()
    again.restore(json.loads(json.dumps(state)))
    assert list(again.contacts) == ["1"]


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
