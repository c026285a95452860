"""Envybox: the order of a call is a lead, what came of it a call."""

from datetime import UTC, datetime

import pytest

from connectors.doors import Parsed
from tests.support.calldoors import call, changed, fields, lead, parsed_form, replayed


def test_an_ordered_call_is_a_lead() -> None:
    made = lead(replayed("envybox/callback"))
    assert (made.lead_uid, made.phones, made.name) == ("6002540", ("+79990009101",), "")
    assert (made.page_url, made.referrer) == ("https://site.example.test/", "google.ru")
    assert made.utm == {"utm_source": "google", "utm_medium": "cpc"}
    assert made.click_ids == {"client_id": "1069378275.1516340609"}
    assert made.extra["call_state"] == "Заказ звонка"
    assert made.extra["visitor_id"] == "662654972"
    assert made.touch is not None
    assert made.touch.channel == "ad"


def test_the_key_is_in_no_field() -> None:
    assert "fakeenvyboxkey0001" not in repr(replayed("envybox/callback"))


def test_a_call_that_was_made_is_a_call_the_client_asked_for() -> None:
    made = call(
        changed(
            "envybox/callback",
            call_state="Разговор состоялся",
            call_duration="64",
            call_record="https://rec.example.test/1.mp3",
            manager_phone="101",
            manager_name="Анна",
            rs="555",
        )
    )
    assert (made.call_id, made.direction, made.client, made.state) == ("6002540", "in", "+79990009101", "ended")
    assert (made.disposition, made.talk_s, made.extension, made.employee) == ("answered", 64, "101", "Анна")
    assert made.recording_url == "https://rec.example.test/1.mp3"
    assert made.started_at == datetime(2026, 1, 5, 7, 36, 14, tzinfo=UTC)  # Moscow's: a late event without zone
    assert made.lead is not None
    assert made.lead.click_ids == {"client_id": "1069378275.1516340609", "roistat_visit": "555"}


@pytest.mark.parametrize("state", ["Клиент не ответил", "Недозвон", "Менеджер не взял трубку", "Пропущенный", "Занято"])
def test_a_call_that_came_to_nothing_is_missed(state: str) -> None:
    made = call(changed("envybox/callback", call_state=state))
    assert (made.disposition, made.talk_s) == ("missed", 0)


def test_states_of_one_call_are_events_of_one_call() -> None:
    missed = call(changed("envybox/callback", call_state="Недозвон"))
    talked = call(changed("envybox/callback", call_state="Разговор состоялся", call_duration="64"))
    assert missed.call_id == talked.call_id
    assert missed.event_id != talked.event_id


def test_a_repeated_order_has_the_same_id() -> None:
    assert lead(changed("envybox/callback", called_at="2026-01-05 10:40:00")).lead_uid == "6002540"


def test_a_letter_of_the_widget_without_call_is_a_lead() -> None:
    form = {"webhooktype": "3", "email": "A@Example.test", "name": "Анна", "url": "https://site.example.test/p"}
    made = lead(parsed_form("envybox", form))
    assert (made.emails, made.name, made.lead_uid) == (("a@example.test",), "Анна", "")


def test_a_test_without_contact_makes_nothing() -> None:
    assert parsed_form("envybox", {**fields("envybox/callback"), "phone": ""}) == Parsed()


def test_a_phone_that_is_none_is_kept_and_flagged() -> None:
    made = lead(changed("envybox/callback", phone="12345678"))
    assert (made.phones, made.flags, made.extra["phone"]) == ((), ("no_contact", "bad_phone"), "12345678")
