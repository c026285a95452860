"""UIS: what each notification makes, also from templates that are not ours or came out broken."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from connectors.doors import Parsed, Unreadable
from connectors.events import ParsedCall
from connectors.uis import SOURCE, UisSettings
from tests.support.pbx import call, form, only, taken
from tests.support.requests import NOW, inbound


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 5, hour, minute, second, tzinfo=UTC)


EXPECTED = {
    "in-answered-1-inbound": ParsedCall(
        call_id="3100000001",
        event="in_call",
        event_id="3100000001:::2026-01-05 12:00:00:in_call",
        state="ringing",
        direction="in",
        client="+79990002211",
        line="+74950000303",
        at=at(9, 0),
        extra={"scenario": "Основной"},
    ),
    "in-answered-2-talk-started": ParsedCall(
        call_id="3100000001",
        event="talk_start",
        event_id="3100000001::1,2:2026-01-05 12:00:09:talk_start",
        state="talking",
        direction="in",
        client="+79990002211",
        line="+74950000303",
        employee="Анна Орлова",
        at=at(9, 0, 9),
        answered_at=at(9, 0, 9),
        extension="55001",
        extra={"employee_id": "55001", "call_source": "va"},
    ),
    "in-answered-3-finished": ParsedCall(
        call_id="3100000001",
        event="call_finished",
        event_id="3100000001:answered",
        state="ended",
        direction="in",
        client="+79990002211",
        line="+74950000303",
        employee="Анна Орлова",
        at=at(9, 1, 20),
        started_at=at(9, 0),
        answered_at=at(9, 0, 9),
        ended_at=at(9, 1, 20),
        ring_s=9,
        talk_s=71,
        disposition="answered",
        extension="55001",
        extra={"employee_id": "55001", "scenario": "Основной", "call_source": "va"},
    ),
    "in-answered-4-record": ParsedCall(
        call_id="3100000001",
        event="record_finished",
        event_id="3100000001:::2026-01-05 12:01:40:record_finished",
        direction="in",
        client="+79990002211",
        line="+74950000303",
        employee="Анна Орлова",
        at=at(9, 1, 40),
        recording_url="https://app.example.test/system/media/talk/3100000001/abc/",
        extension="55001",
        extra={"employee_id": "55001"},
    ),
    "in-lost": ParsedCall(
        call_id="3100000002",
        event="lost_call",
        event_id="3100000002:unanswered",
        state="ended",
        direction="in",
        client="+79990002299",
        line="+74950000303",
        at=at(9, 30),
        started_at=at(9, 29, 38),
        ended_at=at(9, 30),
        ring_s=22,
        talk_s=0,
        disposition="missed",
        extra={"employee_ids": "55001,55002", "scenario": "Основной"},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_makes_exactly_this(name: str) -> None:
    assert call(f"uis/{name}") == EXPECTED[name]


# --- which event it is ------------------------------------------


def event(**fields: Any) -> ParsedCall:
    base = {"call_session_id": "7", "contact_phone_number": "79990002211", "virtual_phone_number": "74950000303"}
    return only(form("uis", {**base, **fields}))


@pytest.mark.parametrize(
    ("mnemonic", "state"),
    [
        ("in_call", "ringing"),
        ("in_call_session", "ringing"),
        ("call_waiting", "ringing"),
        ("call_connected", "talking"),
        ("talk_start", "talking"),
        ("talk_finished", "talking"),
        ("call_session_finished", "ended"),
        ("lost_call", "ended"),
        ("out_call", "ringing"),
        ("record_finished", ""),
    ],
)
def test_the_mnemonic_tells_the_event(mnemonic: str, state: str) -> None:
    assert event(notification_mnemonic=mnemonic).state == state


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("Входящий звонок на виртуальный номер", "ringing"),
        ("Ожидание ответа", "ringing"),
        ("Начало разговора", "talking"),
        ("Завершение разговора", "talking"),
        ("Завершение звонка", "ended"),
        ("Потерянный звонок", "ended"),
        ("Завершение записи", ""),
    ],
)
def test_the_russian_name_tells_the_event(name: str, state: str) -> None:
    assert event(notification_name=name).state == state


def test_the_customers_own_table_comes_first() -> None:
    fields = {"call_session_id": "7", "event": "step-3", "notification_mnemonic": "in_call"}
    made = only(form("uis", fields, events={"step-3": "lost"}))
    assert (made.disposition, made.event) == ("missed", "step-3")
    assert form("uis", fields, events={"in_call": "ignore"}) == Parsed()
    with pytest.raises(ValidationError):
        UisSettings.model_validate({"events": {"x": "gone"}})


def test_without_any_name_the_fields_tell_the_event() -> None:
    assert event(file_link="https://media.example/1").recording_url == "https://media.example/1"
    assert event(talk_time_duration="5", total_time_duration="9").disposition == "answered"
    assert event().state == ""


def test_an_own_word_in_the_template_is_enough() -> None:
    assert event(event="lost").disposition == "missed"


# --- who, when, how it ended ------------------------------------------


@pytest.mark.parametrize(("direction", "disposition"), [("in", "missed"), ("out", "no_answer")])
def test_a_call_without_talk_is_missed_or_not_answered(direction: str, disposition: str) -> None:
    made = event(event="call_finished", direction=direction, talk_time_duration="0")
    assert (made.disposition, made.talk_s) == (disposition, 0)


def test_a_finished_call_that_tells_no_seconds_is_left_open() -> None:
    made = event(event="call_finished")
    assert (made.state, made.disposition) == ("ended", "")


def test_an_internal_call_has_no_client() -> None:
    made = event(event="in_call", is_internal="true", contact_phone_number="102")
    assert (made.direction, made.client, made.lead) == ("internal", "", None)


def test_an_outgoing_call_is_of_the_one_who_was_called() -> None:
    fields = {"call_session_id": "7", "event": "out_call", "calling_phone_number": "74950000303"}
    made = only(form("uis", {**fields, "notification_mnemonic": "out_call", "called_phone_number": "79990002211"}))
    assert (made.direction, made.client, made.line) == ("out", "+79990002211", "+74950000303")


def test_the_extension_is_the_employees_short_number_else_his_id() -> None:
    assert event(event="talk_start", employee_phone_number="101", employee_id="7").extension == "101"
    assert event(event="talk_start", employee_id="7").extension == "7"
    assert event(event="talk_start", employee_phone_number="79990000001").extension == ""


def test_unix_seconds_count_more_than_a_time_without_zone() -> None:
    made = event(event="in_call", notification_time="2026-01-05 12:00:00", notification_timestamp="1767600000")
    assert made.at == at(8, 0)


def test_the_zone_is_found_by_the_clock_or_set_and_usually_that_of_moscow() -> None:
    fields = {"call_session_id": "7", "event": "in_call", "notification_time": "2026-01-05 12:00:00"}
    assert only(form("uis", fields, received_at=at(7, 0, 1))).at == at(7, 0)
    assert only(form("uis", fields, received_at=at(9, 0, 1))).at == at(9, 0)
    assert only(form("uis", fields)).at == at(9, 0)
    assert only(form("uis", fields, timezone="UTC")).at == at(12, 0)
    assert only(form("uis", {**fields, "notification_time": "soon"})).at == NOW


def test_the_visit_that_call_tracking_knows_comes_along() -> None:
    made = event(
        event="in_call",
        contact_full_name="Пётр Ильин",
        utm_source="Yandex",
        utm_campaign="Autumn",
        yclid="778899",
        visitor_ym_client_id="1645",
        entrance_page="https://shop.example/?utm_source=yandex",
        cpn_region_name="Москва",
        campaign_name="Директ",
    )
    assert made.lead is not None
    assert made.lead.name == "Пётр Ильин"
    assert made.lead.utm == {"utm_source": "yandex", "utm_campaign": "autumn"}
    assert made.lead.click_ids == {"yclid": "778899", "_ym_uid": "1645"}
    assert made.lead.extra == {"campaign": "Директ", "region": "Москва"}
    assert made.lead.touch is not None
    assert (made.lead.touch.channel, made.lead.touch.landing_page) == ("ad", "https://shop.example/?utm_source=yandex")


def test_a_stranger_who_is_named_by_his_number_has_no_name() -> None:
    assert event(event="in_call", contact_full_name="79990002211").lead is None


# --- templates ------------------------------------------


def test_a_template_whose_values_broke_the_json_is_read_all_the_same() -> None:
    body = (
        '{"event":"lost", "call_session_id":3100000009, "contact_id":, "contact_full_name":"ООО "Ромашка", отдел",'
        ' "virtual_phone_number":"74950000303","contact_phone_number":79990002299,"tag_names":[],"employee_id":}'
    )
    made = only(taken("uis", inbound(body, path_tail="tok-uis-1", headers={"Content-Type": "application/json"})))
    assert (made.call_id, made.client, made.line) == ("3100000009", "+79990002299", "+74950000303")
    assert made.disposition == "missed"
    assert made.lead is not None
    assert made.lead.name == 'ООО "Ромашка", отдел'


def test_variables_that_were_not_filled_in_are_nothing() -> None:
    made = event(event="in_call", contact_full_name="{{contact_full_name}}", employee_full_name="null")
    assert (made.lead, made.employee) == (None, "")


def test_parameters_in_the_address_are_read_too() -> None:
    query = urlencode({"call_session_id": "7", "event": "lost", "contact_phone_number": "79990002299"})
    assert only(taken("uis", inbound(query=query, method="GET", path_tail="tok-uis-1"))).disposition == "missed"
    assert SOURCE.methods == ("GET", "POST")


@pytest.mark.parametrize("body", ["", '{"communication_id": 5, "notification_mnemonic": "chat_closed"}'])
def test_what_belongs_to_no_call_makes_nothing(body: str) -> None:
    assert taken("uis", inbound(body, path_tail="tok-uis-1")) == Parsed()


@pytest.mark.parametrize("body", ["{", "hello", "{]", "[1]"])
def test_a_body_without_fields_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        taken("uis", inbound(body, path_tail="tok-uis-1"))
