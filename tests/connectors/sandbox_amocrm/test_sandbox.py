"""The sandbox against its vendor's written behaviour: limits, refusals, tokens, lag, what people do meanwhile."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import SandboxRequest, SandboxResponse
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def box(clock: ManualClock) -> AmocrmSandbox:
    return AmocrmSandbox(clock, rate=None, search_lag_s=5)


def ask(box: AmocrmSandbox, method: str, url: str, body: Any = None, token: str = "sandbox") -> SandboxResponse:
    parts = urlsplit(url)
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "host": "127.0.0.1"}
    return box.handle(SandboxRequest(method, parts.path, parse_qsl(parts.query), headers, raw))


def made(response: SandboxResponse, collection: str) -> list[str]:
    assert response.status == 200, response.body
    return [str(row["id"]) for row in response.body["_embedded"][collection]]


def paths(response: SandboxResponse) -> dict[str, list[tuple[str, str]]]:
    assert response.status == 400
    return {
        item["request_id"]: [(error["code"], error["path"]) for error in item["errors"]]
        for item in response.body["validation-errors"]
    }


def test_seven_calls_in_a_second_and_no_more(clock: ManualClock) -> None:
    box = AmocrmSandbox(clock)
    assert [ask(box, "GET", "/api/v4/account").status for _ in range(9)] == [200] * 7 + [429] * 2
    answer = ask(box, "GET", "/api/v4/account")
    assert answer.body["retry_after"] == 1
    clock.forward(1.001)
    assert ask(box, "GET", "/api/v4/account").status == 200


def test_a_blocked_account_answers_html_to_everything(box: AmocrmSandbox) -> None:
    box.blocked = True
    for path in ("/api/v4/account", "/oauth2/access_token"):
        answer = ask(box, "POST", path, {})
        assert (answer.status, answer.content_type) == (403, "text/html")


def test_a_wrong_token_is_refused(box: AmocrmSandbox) -> None:
    assert ask(box, "GET", "/api/v4/account", token="other").status == 401


def test_a_refresh_token_works_once_and_an_access_token_for_its_life(box: AmocrmSandbox, clock: ManualClock) -> None:
    keys = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "redirect_uri": box.redirect_uri}
    code = ask(box, "GET", "/oauth?client_id=sandbox-client&state=s1").headers["location"]
    query = dict(parse_qsl(urlsplit(code).query))
    assert query["state"] == "s1"
    first = ask(
        box, "POST", "/oauth2/access_token", {**keys, "grant_type": "authorization_code", "code": query["code"]}
    )
    assert ask(box, "GET", "/api/v4/account", token=first.body["access_token"]).status == 200
    refresh = {**keys, "grant_type": "refresh_token", "refresh_token": first.body["refresh_token"]}
    second = ask(box, "POST", "/oauth2/access_token", refresh)
    assert second.status == 200
    again = ask(box, "POST", "/oauth2/access_token", refresh)
    assert (again.status, again.body["hint"]) == (401, "Token has been revoked")
    clock.forward(86401)
    assert ask(box, "GET", "/api/v4/account", token=second.body["access_token"]).status == 401
    for wrong, hint in (
        ("client_id", "`client_id`"),
        ("client_secret", "`client_secret`"),
        ("redirect_uri", "Redirect"),
    ):
        refused = ask(box, "POST", "/oauth2/access_token", {**refresh, wrong: "x"})
        assert refused.status == 400
        assert hint in refused.body["hint"]
    late = box.issue_code()
    clock.forward(1201)
    refused = ask(box, "POST", "/oauth2/access_token", {**keys, "grant_type": "authorization_code", "code": late})
    assert refused.body["hint"] == "Authorization code has expired"


def test_one_bad_item_rejects_the_whole_request(box: AmocrmSandbox) -> None:
    items = [
        {"name": "хорошая"},
        {"name": "x", "price": "12", "request_id": "mine"},
        {
            "custom_fields_values": [
                {"field_id": 620002, "values": [{"value": "x"}]},
                {"field_code": "NO", "values": []},
            ]
        },
        {"_embedded": {"contacts": [{"id": 5}]}},
        {"custom_fields_values": [{"field_id": 620001, "values": [{"value": "Замок"}]}]},
    ]
    answer = ask(box, "POST", "/api/v4/leads", items)
    assert paths(answer) == {
        "mine": [("InvalidType", "price")],
        "2": [("NotSupportedChoice", "custom_fields_values.1.field_code")],
        "3": [("NotSupportedChoice", "_embedded.contacts.0.id")],
        "4": [("NotSupportedChoice", "custom_fields_values.0.values.0.value")],
    }
    assert box.deals == {}


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"responsible_user_id": 5}, "responsible_user_id"),
        ({"pipeline_id": 5}, "pipeline_id"),
        ({"status_id": 5}, "status_id"),
        ({"pipeline_id": 7700001, "status_id": 77000022}, "status_id"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
    ],
)
def test_what_does_not_exist_is_refused(box: AmocrmSandbox, item: dict[str, Any], path: str) -> None:
    assert paths(ask(box, "POST", "/api/v4/leads", [item]))["0"][0][1] == path


def test_won_and_lost_are_in_every_pipeline(box: AmocrmSandbox) -> None:
    ids = made(ask(box, "POST", "/api/v4/leads", [{"pipeline_id": 7700002, "status_id": 142}, {}]), "leads")
    assert (box.deals[ids[0]]["pipeline_id"], box.deals[ids[0]]["closed_at"] is not None) == (7700002, True)
    assert (box.deals[ids[1]]["pipeline_id"], box.deals[ids[1]]["status_id"]) == (7700001, 77000011)


def test_shapes_are_strict(box: AmocrmSandbox) -> None:
    assert ask(box, "POST", "/api/v4/leads", {"name": "object"}).status == 400
    lead = made(ask(box, "POST", "/api/v4/leads", [{"name": "a"}]), "leads")[0]
    assert ask(box, "PATCH", f"/api/v4/leads/{lead}", [{"name": "b"}]).status == 400
    assert ask(box, "POST", "/api/v4/leads", [{}] * 251).status == 422
    assert ask(box, "GET", "/api/v4/leads?limit=251").status == 422
    assert ask(box, "DELETE", f"/api/v4/leads/{lead}").status == 404, "v4 deletes no leads"


def test_what_is_empty_or_unknown_is_a_204(box: AmocrmSandbox) -> None:
    for url in ("/api/v4/leads", "/api/v4/leads/5", "/api/v4/contacts?query=9161234567"):
        answer = ask(box, "GET", url)
        assert (answer.status, answer.body) == (204, None)
    assert ask(box, "GET", "/api/v4/leads/5/notes").status == 404
    assert ask(box, "GET", "/api/v4/nothing").status == 404


def test_pages_end_without_a_next_link(box: AmocrmSandbox) -> None:
    ids = made(ask(box, "POST", "/api/v4/leads", [{"name": str(n)} for n in range(120)]), "leads")
    first = ask(box, "GET", "/api/v4/leads?order[id]=desc&limit=100")
    assert made(first, "leads")[0] == ids[-1]
    following = dict(parse_qsl(urlsplit(first.body["_links"]["next"]["href"]).query))
    assert following["page"] == "2"
    second = ask(box, "GET", "/api/v4/leads?order[id]=desc&limit=100&page=2")
    assert made(second, "leads") == list(reversed(ids[:20]))
    assert "next" not in second.body["_links"]
    assert ask(box, "GET", "/api/v4/leads?limit=100&page=3").status == 204


def test_the_list_by_change_moves_what_was_changed(box: AmocrmSandbox, clock: ManualClock) -> None:
    ids = made(ask(box, "POST", "/api/v4/leads", [{"name": "a"}, {"name": "b"}]), "leads")
    clock.forward(10)
    ask(box, "PATCH", f"/api/v4/leads/{ids[0]}", {"name": "c"})
    assert made(ask(box, "GET", "/api/v4/leads?order[updated_at]=desc"), "leads") == ids


def test_the_search_lags_and_hits_any_field(box: AmocrmSandbox, clock: ManualClock) -> None:
    phone = [{"field_code": "PHONE", "values": [{"value": "8 (916) 123-45-67", "enum_code": "MOB"}]}]
    items = [{"name": "Иван", "custom_fields_values": phone}, {"name": "просил набрать 89161234567"}]
    ids = made(ask(box, "POST", "/api/v4/contacts", items), "contacts")
    assert ask(box, "GET", "/api/v4/contacts?query=9161234567").status == 204
    clock.forward(5)
    assert made(ask(box, "GET", "/api/v4/contacts?query=9161234567"), "contacts") == ids


def test_links_show_only_when_asked_for(box: AmocrmSandbox) -> None:
    contact = made(ask(box, "POST", "/api/v4/contacts", [{"name": "Иван"}]), "contacts")[0]
    body = [{"name": "x", "_embedded": {"contacts": [{"id": int(contact)}], "tags": [{"name": "a"}]}}]
    lead = made(ask(box, "POST", "/api/v4/leads", body), "leads")[0]
    assert "contacts" not in ask(box, "GET", f"/api/v4/leads/{lead}").body["_embedded"]
    shown = ask(box, "GET", f"/api/v4/leads/{lead}?with=contacts").body["_embedded"]
    assert [(link["id"], link["is_main"]) for link in shown["contacts"]] == [(int(contact), True)]
    assert [
        row["id"] for row in ask(box, "GET", f"/api/v4/contacts/{contact}?with=leads").body["_embedded"]["leads"]
    ] == [int(lead)]
    links = ask(box, "GET", f"/api/v4/leads/{lead}/links").body["_embedded"]["links"]
    assert [(row["to_entity_type"], row["metadata"]) for row in links] == [("contacts", {"main_contact": True})]


def test_a_write_replaces_the_values_of_the_fields_in_it_only(box: AmocrmSandbox) -> None:
    def values(code: str, *texts: str) -> dict[str, Any]:
        return {"field_code": code, "values": [{"value": text} for text in texts]}

    custom = [values("PHONE", "+79161234567", "+79161234568"), values("POSITION", "Директор")]
    contact = made(ask(box, "POST", "/api/v4/contacts", [{"custom_fields_values": custom}]), "contacts")[0]
    ask(box, "PATCH", f"/api/v4/contacts/{contact}", {"custom_fields_values": [values("PHONE", "+74951234567")]})
    shown = ask(box, "GET", f"/api/v4/contacts/{contact}").body["custom_fields_values"]
    texts = {row["field_code"]: [value["value"] for value in row["values"]] for row in shown}
    assert texts == {"PHONE": ["+74951234567"], "POSITION": ["Директор"]}
    cleared = [{"field_code": "PHONE", "values": None}, {"field_code": "POSITION", "values": []}]
    ask(box, "PATCH", f"/api/v4/contacts/{contact}", {"custom_fields_values": cleared})
    assert ask(box, "GET", f"/api/v4/contacts/{contact}").body["custom_fields_values"] is None


def test_a_field_code_is_taken_once_and_a_deleted_field_poisons_writes(box: AmocrmSandbox) -> None:
    field = {"name": "leadhub id", "type": "text", "code": "LEADHUB_ID", "is_api_only": True}
    field_id = made(ask(box, "POST", "/api/v4/leads/custom_fields", [field]), "custom_fields")[0]
    assert paths(ask(box, "POST", "/api/v4/leads/custom_fields", [field])) == {"0": [("NotSupportedChoice", "code")]}
    write = [{"custom_fields_values": [{"field_id": int(field_id), "values": [{"value": "k"}]}]}]
    lead = made(ask(box, "POST", "/api/v4/leads", write), "leads")[0]
    assert box.key_of(box.deals[lead]) == "k"
    assert ask(box, "DELETE", f"/api/v4/leads/custom_fields/{field_id}").status == 204
    assert box.key_of(box.deals[lead]) == ""
    assert list(paths(ask(box, "POST", "/api/v4/leads", write))) == ["0"]
    box.admin = False
    assert ask(box, "POST", "/api/v4/leads/custom_fields", [field]).status == 403


def test_notes_and_tasks_say_what_is_missing(box: AmocrmSandbox) -> None:
    lead = made(ask(box, "POST", "/api/v4/leads", [{}]), "leads")[0]
    assert paths(ask(box, "POST", f"/api/v4/leads/{lead}/notes", [{"note_type": "common"}]))["0"] == [
        ("FieldMissing", "params.text")
    ]
    assert [path for _, path in paths(ask(box, "POST", "/api/v4/tasks", [{"entity_id": int(lead)}]))["0"]] == [
        "text",
        "complete_till",
    ]
    stray = {"text": "x", "complete_till": 1, "entity_id": 5, "entity_type": "leads"}
    assert paths(ask(box, "POST", "/api/v4/tasks", [stray]))["0"] == [("NotSupportedChoice", "entity_id")]
    many = [{"entity_id": int(lead), "note_type": "common", "params": {"text": str(n)}} for n in range(3)]
    ids = made(ask(box, "POST", "/api/v4/leads/notes", many), "notes")
    assert made(ask(box, "GET", f"/api/v4/leads/{lead}/notes?order[id]=desc"), "notes") == ids[::-1]
    task = {"text": "Позвонить", "complete_till": 1795529820, "entity_id": int(lead), "entity_type": "leads"}
    task_id = made(ask(box, "POST", "/api/v4/tasks", [task]), "tasks")[0]
    url = f"/api/v4/tasks?filter[entity_type]=leads&filter[entity_id][]={lead}"
    assert made(ask(box, "GET", url), "tasks") == [task_id]
    assert ask(box, "GET", url.replace(lead, "5")).status == 204


def test_a_call_is_a_note_that_says_what_is_missing_and_has_a_table_of_its_own(box: AmocrmSandbox) -> None:
    lead = made(ask(box, "POST", "/api/v4/leads", [{}]), "leads")[0]
    url = f"/api/v4/leads/{lead}/notes"

    def refused(params: Any, **more: Any) -> list[tuple[str, str]]:
        return paths(ask(box, "POST", url, [{"note_type": "call_in", "params": params, **more}]))["0"]

    call = {"uniq": "c-1", "duration": 54, "source": "leadhub", "phone": "+79161234567", "call_status": 4}
    missing = [path for _, path in refused({"call_status": 4})]
    assert missing == ["params.uniq", "params.duration", "params.source", "params.phone"]
    assert refused({**call, "duration": "54", "link": None}) == [
        ("InvalidType", "params.link"),
        ("InvalidType", "params.duration"),
    ]
    assert refused({**call, "call_status": 8}) == [("NotSupportedChoice", "params.call_status")]
    assert refused(call, responsible_user_id=5) == [("NotSupportedChoice", "responsible_user_id")]
    assert refused(call, created_at="today") == [("InvalidType", "created_at")]
    item = {"note_type": "call_in", "params": call, "responsible_user_id": 1010102, "created_at": 1795529820}
    (note,) = made(ask(box, "POST", url, [item]), "notes")
    shown = ask(box, "GET", url).body["_embedded"]["notes"][0]
    assert (shown["params"], shown["created_at"], shown["responsible_user_id"]) == (call, 1795529820, 1010102)
    tables = {table.title: table.rows for table in box.tables()}
    assert tables["Звонки"] == [(note, lead, "входящий", "+79161234567", "54", "4")]
    assert tables["Примечания"] == []


def test_a_merge_moves_deals_and_the_other_contact_is_gone(box: AmocrmSandbox) -> None:
    kept, gone = made(ask(box, "POST", "/api/v4/contacts", [{"name": "a"}, {"name": "b"}]), "contacts")
    lead = made(ask(box, "POST", "/api/v4/leads", [{"_embedded": {"contacts": [{"id": int(gone)}]}}]), "leads")[0]
    box.merge_contacts(kept, gone)
    assert ask(box, "GET", f"/api/v4/contacts/{gone}").status == 204
    links = ask(box, "GET", f"/api/v4/leads/{lead}?with=contacts").body["_embedded"]["contacts"]
    assert [str(link["id"]) for link in links] == [kept]
    box.delete_deal(lead)
    assert ask(box, "GET", f"/api/v4/leads/{lead}").status == 204
    assert ask(box, "GET", "/api/v4/leads").status == 204


def test_the_state_survives_being_written_out_and_read_in(box: AmocrmSandbox, clock: ManualClock) -> None:
    contact = made(ask(box, "POST", "/api/v4/contacts", [{"name": "Иван"}]), "contacts")[0]
    body = [{"name": "x", "_embedded": {"contacts": [{"id": int(contact)}]}}]
    lead = made(ask(box, "POST", "/api/v4/leads", body), "leads")[0]
    ask(box, "POST", f"/api/v4/leads/{lead}/notes", [{"note_type": "common", "params": {"text": "т"}}])
    other = AmocrmSandbox(clock, rate=None)
    other.restore(json.loads(json.dumps(box.snapshot())))
    assert other.deals == box.deals
    assert made(ask(other, "GET", f"/api/v4/leads/{lead}/notes"), "notes") == list(box.notes)
    assert made(ask(other, "POST", "/api/v4/leads", [{}]), "leads") == [str(int(lead) + 1)]
    assert made(ask(other, "GET", "/api/v4/contacts?query=Иван"), "contacts") == [contact]


def test_the_page_shows_the_newest_first_and_not_more_than_fifty(box: AmocrmSandbox) -> None:
    ids = made(ask(box, "POST", "/api/v4/leads", [{"name": str(n)} for n in range(60)]), "leads")
    deals = box.tables()[0]
    assert len(deals.rows) == 50
    assert deals.rows[0][0] == ids[-1]
    assert all(len(row) == len(table.columns) for table in box.tables() for row in table.rows)


def test_ten_thousand_leads_do_not_slow_it_down(box: AmocrmSandbox, clock: ManualClock) -> None:
    """No request looks at all records: the work of a search and of a page stays the same."""
    for start in range(0, 10_000, 250):
        items = [
            {"name": f"n{n}", "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": f"+7916{n:07d}"}]}]}
            for n in range(start, start + 250)
        ]
        ask(box, "POST", "/api/v4/contacts", items)
    clock.forward(10)
    looked_at = 0
    records = box.stores["contacts"].records

    class Counting(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().__getitem__(key)

    box.stores["contacts"].records = Counting(records)
    assert len(made(ask(box, "GET", "/api/v4/contacts?query=9160000042"), "contacts")) == 1
    assert len(made(ask(box, "GET", "/api/v4/contacts?order[id]=desc&limit=50"), "contacts")) == 50
    assert looked_at < 100
