import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed, Refused
from connectors.events import Errand
from connectors.meta.graph import FIELDS, lead_of_graph
from tests.support import form_doors as doors
from tests.support.requests import NOW, inbound

ANSWER: dict[str, Any] = json.loads((doors.SAMPLES / "meta" / "graph-lead-response.json").read_text(encoding="utf-8"))


def signed(event: object) -> Inbound:
    raw = json.dumps(event).encode()
    digest = hmac.digest(b"fakemetaappsecret0123456789abcdef", raw, "sha256").hex()
    return inbound(raw, headers={"X-Hub-Signature-256": f"sha256={digest}"})


def change(leadgen_id: object, **more: object) -> dict[str, object]:
    return {"field": "leadgen", "value": {"leadgen_id": leadgen_id, **more}}


# --- handshake -----------------------------------------------------------------------------


def test_the_sample_handshake_is_answered_with_the_challenge() -> None:
    reply = doors.door("meta").handshake(doors.settings("meta"), doors.sample("meta", "1-verify.http"))
    assert reply is not None
    assert (reply.status, reply.body, reply.content_type) == (200, b"1158201444", "text/plain")


@pytest.mark.parametrize(
    "query", ["hub.mode=subscribe&hub.challenge=1", "hub.mode=subscribe&hub.verify_token=x&hub.challenge=1"]
)
def test_a_handshake_with_another_token_is_forbidden(query: str) -> None:
    with pytest.raises(Refused) as caught:
        doors.door("meta").handshake(doors.settings("meta"), inbound(method="GET", query=query))
    assert caught.value.status == 403


def test_any_other_get_is_none_of_ours() -> None:
    assert doors.door("meta").handshake(doors.settings("meta"), inbound(method="GET")) is None


# --- events --------------------------------------------------------------------------------


def test_the_vector_of_the_fact_sheet() -> None:
    header = "sha256=0f4a604a9e9ad182034b3224fb61724a9ef127c2d5de3554995cc31f9cc3c499"
    request = inbound('{"a":1}', headers={"X-Hub-Signature-256": header})
    assert doors.taken("meta", request, app_secret="testsecret") == Parsed()


def test_the_sample_event_is_an_errand() -> None:
    assert doors.taken("meta", doors.sample("meta", "2-leadgen.http")).errands == (
        Errand(
            "leadgen",
            "9876543210001",
            {
                "leadgen_id": "9876543210001", "page_id": "153125381133", "form_id": "555000111222",
                "ad_id": "120200000000001", "adgroup_id": "120200000000002", "created_time": "1767599998",
            },
        ),
    )  # fmt: skip


def test_several_entries_and_changes_are_one_errand_for_each_lead() -> None:
    event = {
        "object": "page",
        "entry": [
            {"id": "p1", "changes": [change("1"), change(2), {"field": "feed", "value": {"leadgen_id": "9"}}]},
            {"id": "p2", "changes": [change("1"), change(None), {"field": "leadgen"}]},
            {"id": "p3"},
        ],
    }
    errands = doors.taken("meta", signed(event)).errands
    assert [(errand.key, errand.data["page_id"]) for errand in errands] == [("1", "p1"), ("2", "p1")]


def test_the_signature_covers_the_escaped_bytes_as_they_came() -> None:
    value = b'{"leadgen_id":"7","page_id":"\\u0436"}'
    raw = b'{"object":"page","entry":[{"id":"1","changes":[{"field":"leadgen","value":' + value + b"}]}]}"
    digest = hmac.digest(b"fakemetaappsecret0123456789abcdef", raw, "sha256").hex()
    request = inbound(raw, headers={"X-Hub-Signature-256": f"sha256={digest}"})
    assert doors.taken("meta", request).errands[0].data["page_id"] == "ж"
    with pytest.raises(Refused):
        doors.taken("meta", replace(request, body=raw.replace(b"\\u0436", "ж".encode())))


@pytest.mark.parametrize(
    "event", [{"object": "instagram", "entry": [{"changes": [change("1")]}]}, {"object": "page"}, {}]
)
def test_events_of_other_things_make_nothing(event: object) -> None:
    assert doors.taken("meta", signed(event)) == Parsed()


# --- the Graph API's answer ----------------------------------------------------------------


def test_the_sample_answer_is_a_lead() -> None:
    found = lead_of_graph(ANSWER, "RU", NOW)
    assert (found.lead_uid, found.form) == ("9876543210001", "555000111222")
    assert (found.name, found.phones, found.emails) == ("Erika Muster", ("+493023125099",), ("erika@example.test",))
    assert found.utm == {
        "utm_source": "facebook", "utm_medium": "paid_social", "utm_campaign": "de q1", "utm_content": "video 2",
    }  # fmt: skip
    assert found.extra == {
        "which_service?": "installation", "ad_id": "120200000000001", "ad_name": "Video 2",
        "adset_id": "120200000000002", "adset_name": "Lookalike", "campaign_id": "120200000000003",
        "campaign_name": "DE Q1", "form_id": "555000111222",
    }  # fmt: skip
    assert found.flags == ()
    assert found.touch is not None
    assert found.touch.at == datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    assert found.touch.channel == "ad"


def test_an_organic_or_test_lead_is_no_ad() -> None:
    answer = {"id": "1", "is_organic": True, "platform": "ig", "field_data": ANSWER["field_data"]}
    found = lead_of_graph(answer, "RU", NOW, told={"form_id": "5"})
    assert found.utm == {"utm_source": "instagram", "utm_medium": "social"}
    assert found.form == "5"
    assert found.touch is not None
    assert found.touch.channel == "social"


def test_what_the_event_said_counts_where_the_answer_is_silent() -> None:
    told = {"leadgen_id": "7", "ad_id": "a", "adgroup_id": "s", "form_id": "f", "created_time": "1767599998"}
    found = lead_of_graph({}, "RU", NOW, told=told)
    assert (found.lead_uid, found.form, found.flags) == ("7", "f", ("no_contact",))
    assert found.extra == {"ad_id": "a", "adset_id": "s", "form_id": "f"}
    assert found.touch is not None
    assert found.touch.at == datetime.fromtimestamp(1767599998, UTC)


def test_hidden_utm_fields_of_the_form_and_own_names_count_first() -> None:
    data = [
        {"name": "utm_campaign", "values": ["Spring"]}, {"name": "phone", "values": ["8 999 100-20-30"]},
        {"name": "ваш_вопрос", "values": ["Окна", "Двери"]},
    ]  # fmt: skip
    found = lead_of_graph({**ANSWER, "field_data": data}, "RU", NOW, {"ваш_вопрос": "comment"})
    assert (found.utm["utm_campaign"], found.phones, found.comment) == ("spring", ("+79991002030",), "Окна, Двери")


def test_a_lead_of_the_future_is_of_now() -> None:
    found = lead_of_graph({**ANSWER, "created_time": "2031-01-01T00:00:00+0000"}, "RU", NOW)
    assert found.touch is not None
    assert found.touch.at == NOW


@pytest.mark.parametrize(
    "answer", [{"field_data": None}, {"field_data": [None, {"name": 5}]}, {"created_time": "soon"}]
)
def test_an_answer_of_any_shape_is_a_lead_that_can_be_seen(answer: dict[str, Any]) -> None:
    assert lead_of_graph(answer, "RU", NOW).flags == ("no_contact",)


def test_the_question_asks_for_what_is_read() -> None:
    assert {"field_data", "created_time", "campaign_name", "platform", "is_organic"} <= set(FIELDS.split(","))
