"""Calltouch: calls whose parameters the owner chose, requests, and tests that are none."""

from datetime import UTC, datetime

import pytest

from connectors.doors import Parsed
from tests.support.calldoors import call, changed, fields, lead, parsed_form, replayed

START = datetime(2026, 1, 5, 11, 0, tzinfo=UTC)


def test_a_successful_call() -> None:
    made = call(replayed("calltouch/call"))
    assert (made.call_id, made.event, made.state) == ("900001", "callcompleted", "ended")
    assert (made.direction, made.client, made.line) == ("in", "+79990008001", "+74950000808")
    assert (made.disposition, made.talk_s, made.ring_s) == ("answered", 75, 6)
    assert (made.started_at, made.ended_at) == (START, START.replace(minute=1, second=21))
    assert made.recording_url == "https://my.calltouch.ru/rec/900001"
    assert made.lead is not None
    assert made.lead.utm == {
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "brand",
        "utm_content": "ad7",
    }
    assert made.lead.click_ids == {"_ym_uid": "1767600000123456789"}
    assert made.lead.extra["ctCallerId"] == "111222333"
    assert made.lead.extra["sessionId"] == "555666777"
    assert not any("fake-calltouch" in value for value in made.lead.extra.values())
    assert made.lead.touch is not None
    assert made.lead.touch.channel == "ad"


def test_the_secret_is_in_no_field_of_the_call() -> None:
    assert "fake-calltouch-1" not in repr(replayed("calltouch/call"))


@pytest.mark.parametrize(
    ("more", "disposition"),
    [
        ({"status": "unsuccessful", "duration": "0"}, "missed"),
        ({"status": "unsuccessful"}, "missed"),
        ({"callphase": "calllost"}, "missed"),
        ({"duration": "0"}, "missed"),
        ({"status": ""}, "answered"),
        ({"duration": ""}, "answered"),
    ],
)
def test_how_a_call_came_out(more: dict[str, str], disposition: str) -> None:
    assert call(changed("calltouch/call", **more)).disposition == disposition


def test_a_connected_call_talks_and_a_start_without_phase_rings() -> None:
    talking = call(changed("calltouch/call", callphase="callconnected", status="", duration=""))
    assert (talking.state, talking.disposition, talking.talk_s) == ("talking", "", None)
    started = call(changed("calltouch/call", callphase="", status="", duration=""))
    assert (started.state, started.disposition) == ("ringing", "")


@pytest.mark.parametrize("empty", ["<не указано>", "<не заполнено>", "(not set)", "(none)", "{utm_source}"])
def test_words_for_nothing_are_nothing(empty: str) -> None:
    made = call(changed("calltouch/call", utm_source=empty, utm_medium=empty, utm_campaign=empty, utm_content=empty))
    assert made.lead is not None
    assert made.lead.utm == {"utm_source": "yandex", "utm_medium": "cpc"}  # Calltouch's own source and medium


def test_the_source_of_an_organic_visit_is_calltouchs_own() -> None:
    made = call(
        changed(
            "calltouch/call",
            utm_source="",
            utm_medium="",
            utm_campaign="",
            utm_content="",
            source="google",
            medium="organic",
        )
    )
    assert made.lead is not None
    assert made.lead.touch is not None
    assert (made.lead.touch.utm["utm_source"], made.lead.touch.channel) == ("google", "organic")


def test_a_test_with_unfilled_parameters_makes_nothing() -> None:
    form = {name: f"{{{name}}}" for name in fields("calltouch/call") if name != "leadtype"}
    assert parsed_form("calltouch", {**form, "secret": "s"}) == Parsed()
    assert parsed_form("calltouch", {**form, "leadtype": "call"}) == Parsed()


def test_events_come_by_get_as_well() -> None:
    assert parsed_form("calltouch", fields("calltouch/call"), method="GET") == parsed_form(
        "calltouch", fields("calltouch/call")
    )


def test_a_request_is_a_lead_whose_phonenumber_is_the_visitors() -> None:
    made = lead(
        parsed_form(
            "calltouch",
            {
                "leadtype": "request",
                "requestId": "77",
                "fio": "Пётр Ильин",
                "phoneNumber": "8 (999) 100-20-30",
                "email": "p@example.test",
                "comment": "Смета",
                "subject": "Форма",
                "utm_source": "vk",
                "requestUrl": "https://site.example.test/form",
                "yaClientId": "123",
                "source": "vk",
                "medium": "cpc",
            },
        )
    )
    assert (made.lead_uid, made.name, made.phones) == ("request:77", "Пётр Ильин", ("+79991002030",))
    assert (made.emails, made.comment, made.form) == (("p@example.test",), "Смета", "Форма")
    assert (made.utm, made.click_ids) == ({"utm_source": "vk"}, {"_ym_uid": "123"})
    assert made.page_url == "https://site.example.test/form"


def test_a_deal_makes_nothing() -> None:
    assert parsed_form("calltouch", {"leadtype": "deal", "id": "1", "phonenumber": "79990008001"}) == Parsed()


def test_the_zone_may_be_set() -> None:
    made = call(parsed_form("calltouch", fields("calltouch/call"), timezone="Asia/Yekaterinburg"))
    assert made.started_at == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
