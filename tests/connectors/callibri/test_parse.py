"""Callibri: requests are leads, calls are calls; field names are those of its statistics API."""

from datetime import UTC, datetime

import pytest

from tests.support.calldoors import call, lead, parsed_json, replayed, tree_of

CALL = {
    "appeal_id": 71541939,
    "type": "call",
    "date": "2026-01-05T09:44:44.000Z",
    "phone": "79990009202",
    "name": "Николай",
    "email": "nk@example.test",
    "duration": 70,
    "billsec": 58,
    "utm_source": "google",
    "link_download": "https://in.callibri.example.test/rec/1.mp3",
    "responsible_manager_email": "m@example.test",
    "ym_uid": "148",
    "landing_page": "https://site.example.test/",
    "traffic_type": "Реклама",
    "called_number": "74950000202",
}
START = datetime(2026, 1, 5, 9, 44, 44, tzinfo=UTC)


def test_a_request_is_a_lead() -> None:
    made = lead(replayed("callibri/lead"))
    assert (made.lead_uid, made.name) == ("71541938", "Николай")
    assert (made.phones, made.emails) == (("+79990009201",), ("nk@example.test",))
    assert (made.comment, made.form) == ("Нужен расчёт", "Заявка")
    assert made.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "k1"}
    assert made.click_ids == {"_ym_uid": "1767600000123456789", "client_id": "1348104959.1775656133"}
    assert made.touch is not None
    assert made.touch.landing_page == "https://site.example.test/"
    assert made.extra["traffic_type"] == "Переходы из поисковых систем"


def test_a_call_is_a_call() -> None:
    made = call(parsed_json("callibri", CALL))
    assert (made.call_id, made.event_id, made.state) == ("71541939", "71541939:call", "ended")
    assert (made.direction, made.client, made.line) == ("in", "+79990009202", "+74950000202")
    assert (made.disposition, made.talk_s, made.ring_s) == ("answered", 58, 12)
    assert (made.started_at, made.ended_at) == (START, START.replace(minute=45, second=54))
    assert (made.employee, made.recording_url) == ("m@example.test", "https://in.callibri.example.test/rec/1.mp3")
    assert made.lead is not None
    assert (made.lead.name, made.lead.emails) == ("Николай", ("nk@example.test",))
    assert (made.lead.utm, made.lead.click_ids) == ({"utm_source": "google"}, {"_ym_uid": "148"})
    assert made.lead.extra == {"traffic_type": "Реклама"}


@pytest.mark.parametrize(
    ("more", "disposition", "talk_s"),
    [
        ({"billsec": 0}, "missed", 0),
        ({"billsec": None, "duration": 0}, "missed", 0),
        ({"billsec": None}, "answered", 70),
        ({"billsec": None, "call_status": "Пропущен"}, "missed", 0),
        ({"billsec": None, "call_status": "Отвечен"}, "answered", 70),
    ],
)
def test_how_a_call_came_out(more: dict[str, object], disposition: str, talk_s: int) -> None:
    made = call(parsed_json("callibri", {**CALL, **more}))
    assert (made.disposition, made.talk_s) == (disposition, talk_s)


@pytest.mark.parametrize("kind", ["chat", "email", "feedback"])
def test_chats_and_letters_are_leads(kind: str) -> None:
    assert lead(parsed_json("callibri", {**tree_of("callibri/lead"), "type": kind})).phones == ("+79990009201",)


def test_the_owners_names_are_those_of_the_settings() -> None:
    tree = {"appeal_id": 5, "tel": "89991002030", "kto": "Анна"}
    made = lead(parsed_json("callibri", tree, fields={"tel": "phone", "kto": "name"}))
    assert (made.phones, made.name, made.lead_uid) == (("+79991002030",), "Анна", "5")


def test_a_lead_without_contact_is_kept_and_flagged() -> None:
    tree = {**tree_of("callibri/lead"), "phone": "", "email": None}
    assert lead(parsed_json("callibri", tree)).flags == ("no_contact",)
