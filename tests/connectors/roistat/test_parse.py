"""Roistat: a call twice, and leads in the shape of proxylead."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.doors import Inbound, Parsed, Refused
from tests.support.calldoors import call, lead, parsed_form, parsed_json, replayed, sample, settings_of, taken, tree_of
from tests.support.requests import inbound

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def test_the_start_of_a_call_rings_with_the_visit_behind_it() -> None:
    made = call(replayed("roistat/1-call-start"))
    assert (made.call_id, made.event, made.event_id, made.state) == ("313", "start", "313:start", "ringing")
    assert (made.direction, made.client, made.line) == ("in", "+79990007001", "+78000000707")
    assert (made.started_at, made.at, made.disposition, made.talk_s) == (START, START, "", None)
    assert made.lead is not None
    assert made.lead.utm == {
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "brand",
        "utm_content": "v1",
        "utm_term": "окна",
    }
    assert made.lead.click_ids == {
        "client_id": "111111111.1767600000",
        "_ym_uid": "1767600000123456789",
        "roistat_visit": "1000777",
    }
    assert made.lead.referrer == "https://yandex.ru/"
    assert made.lead.touch is not None
    assert made.lead.touch.landing_page == "https://site.example.test/new"
    assert made.lead.touch.channel == "ad"
    assert made.lead.extra["marker"] == "direct_search"
    assert "roistat_param_1" not in made.lead.extra
    assert "id" not in made.lead.extra


def test_the_end_of_a_call_tells_how_it_came_out() -> None:
    made = call(replayed("roistat/2-call-end"))
    assert (made.call_id, made.event_id, made.state, made.disposition) == ("313", "313:answer", "ended", "answered")
    assert (made.talk_s, made.ended_at) == (167, START.replace(minute=2, second=47))
    assert made.recording_id == "f-313"
    assert made.recording_url.startswith("https://cloud.roistat.com/projects/1/calltracking/call/313/file/")


@pytest.mark.parametrize("status", ["BUSY", "NOANSWER", "CANCEL", "CONGESTION", "SOMETHING"])
def test_every_other_status_is_missed(status: str) -> None:
    made = call(parsed_json("roistat", {**tree_of("roistat/2-call-end"), "status": status, "duration": 20}))
    assert (made.disposition, made.talk_s) == ("missed", 0)


def test_an_answer_of_no_length_is_missed_and_one_of_unknown_length_answered() -> None:
    tree = tree_of("roistat/2-call-end")
    assert call(parsed_json("roistat", {**tree, "duration": 0})).disposition == "missed"
    assert call(parsed_json("roistat", {**tree, "duration": None})).disposition == "answered"


def proxylead(query: str, tail: str = "tok-roistat-1", **more: object) -> Parsed:
    request = inbound("", method="GET", path_tail=tail, query=query)
    return taken("roistat", request, settings_of("roistat", **more))


def test_a_lead_as_sites_send_it_to_roistat() -> None:
    made = lead(
        proxylead(
            "roistat=1000777&key=abc&title=Заявка&name=Анна&phone=8+(999)+100-20-30&email=Anna@Example.test"
            "&comment=Перезвоните&is_need_callback=0&fields[site]=example.test&fields[utm_source]=Yandex"
        )
    )
    assert (made.name, made.phones, made.emails) == ("Анна", ("+79991002030",), ("anna@example.test",))
    assert (made.form, made.comment) == ("Заявка", "Перезвоните")
    assert made.click_ids == {"roistat_visit": "1000777"}
    assert made.utm == {"utm_source": "yandex"}
    assert made.extra == {"is_need_callback": "0", "fields.site": "example.test"}
    assert made.lead_uid == ""


def test_the_path_of_roistats_own_address_may_follow_the_token() -> None:
    query = "roistat=1&phone=89991002030"
    assert lead(proxylead(query, "tok-roistat-1/api/proxy/1.0/leads/add")).phones == ("+79991002030",)
    with pytest.raises(Refused) as caught:
        proxylead(query, "tok-roistat-1/api/proxy/1.0/leads")
    assert caught.value.status == 404
    with pytest.raises(Refused) as caught:
        proxylead(query, "api/proxy/1.0/leads/add")
    assert caught.value.status == 403


def test_a_lead_with_a_wrong_key_is_refused_where_one_is_set() -> None:
    assert lead(proxylead("phone=89991002030&key=abc", key="abc"))
    for query in ("phone=89991002030&key=abd", "phone=89991002030"):
        with pytest.raises(Refused):
            proxylead(query, key="abc")


def test_the_key_is_not_asked_of_calls() -> None:
    request: Inbound = replace(sample("roistat/1-call-start"))
    assert call(taken("roistat", request, settings_of("roistat", key="abc"))).call_id == "313"


def test_a_visitor_without_cookie_has_no_visit() -> None:
    assert lead(proxylead("roistat=nocookie&phone=89991002030")).click_ids == {}


def test_a_lead_comes_by_post_as_well() -> None:
    assert lead(parsed_form("roistat", {"roistat": "5", "name": "Анна", "phone": "89991002030"})).name == "Анна"


def test_a_call_without_id_makes_nothing() -> None:
    assert parsed_json("roistat", {**tree_of("roistat/1-call-start"), "id": None}) == Parsed()
