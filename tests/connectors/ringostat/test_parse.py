"""Ringostat: parameters by Ringostat's names, and by whatever names the customer chose."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from connectors.ringostat import RingostatSettings
from tests.support.calldoors import call, changed, fields, parsed_form, parsed_json, replayed

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def test_an_answered_call() -> None:
    made = call(replayed("ringostat/in-after-call"))
    assert (made.call_id, made.event_id) == ("ua1_-1767625200.55", "ua1_-1767625200.55:answered")
    assert (made.state, made.direction, made.client, made.line) == ("ended", "in", "+380440000101", "+380440000202")
    assert (made.disposition, made.talk_s, made.started_at) == ("answered", 44, START)
    assert made.recording_url == "https://app.example.test/recordings/ua1_-1767625200.55.mp3"
    assert made.lead is not None
    assert made.lead.utm == {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "brand"}
    assert made.lead.extra == {"source": "ringostat"}
    assert made.lead.touch is not None
    assert (made.lead.touch.at, made.lead.touch.channel) == (START, "ad")


@pytest.mark.parametrize(
    ("disposition", "billsec", "made"),
    [
        ("NO ANSWER", "0", "missed"),
        ("BUSY", "0", "missed"),
        ("FAILED", "", "missed"),
        ("VOICEMAIL", "12", "voicemail"),
        ("ANSWERED", "0", "missed"),
        ("ANSWERED", "", "answered"),
        ("PROPER", "30", "answered"),
    ],
)
def test_the_talk_decides_and_then_the_status(disposition: str, billsec: str, made: str) -> None:
    form = changed("ringostat/in-after-call", disposition=disposition, billsec=billsec)
    assert call(form).disposition == made


def test_the_customers_own_names_are_those_of_the_settings() -> None:
    names = {
        "nomer": "client",
        "kuda": "line",
        "kto": "employee",
        "sek": "talk_s",
        "metka": "utm_campaign",
        "dom": "extra",
    }
    form = {"uniqueid": "u1", "nomer": "380440000101", "kuda": "380440000202", "kto": "Олег", "sek": "5"}
    made = call(parsed_form("ringostat", {**form, "metka": "Brand", "dom": "7", "caller": "101"}, fields=names))
    assert (made.client, made.line, made.employee, made.talk_s) == ("+380440000101", "+380440000202", "Олег", 5)
    assert made.lead is not None
    assert made.lead.utm == {"utm_campaign": "brand"}
    assert made.lead.extra == {"dom": "7"}


def test_a_name_that_is_not_ours_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValidationError, match="unknown field 'phone'"):
        RingostatSettings.model_validate({"fields": {"nomer": "phone"}})


@pytest.mark.parametrize(
    ("event", "state"),
    [("before_call", "ringing"), ("taking the call", "talking"), ("after_call", "ended"), ("after rating", "")],
)
def test_the_moment_may_stand_in_the_address(event: str, state: str) -> None:
    form = {"event": event, "caller": "380440000101", "dst": "380440000202", "uniqueid": "u1"}
    assert call(parsed_form("ringostat", form)).state == state


def test_a_webhook_before_the_call_rings() -> None:
    form = {"caller": "380440000101", "dst": "380440000202", "uniqueid": "u1"}
    made = call(parsed_form("ringostat", form, method="GET"))
    assert (made.state, made.disposition) == ("ringing", "")


def test_a_callback_is_the_clients_wish() -> None:
    assert call(changed("ringostat/in-after-call", call_type="callback")).direction == "in"


def test_an_outgoing_call_is_to_the_number_that_was_called() -> None:
    form = {**fields("ringostat/in-after-call"), "caller": "101", "event": "after_outgoing"}
    made = call(parsed_form("ringostat", form))
    assert (made.direction, made.client, made.extension, made.line) == ("out", "+380440000202", "101", "")
    busy = call(parsed_form("ringostat", {**form, "disposition": "BUSY", "billsec": "0"}))
    assert busy.disposition == "busy"


def test_who_was_connected_is_the_extension() -> None:
    made = call(changed("ringostat/in-after-call", connected_with="sip:205@ringostat.example", waittime="9"))
    assert (made.extension, made.ring_s) == ("205", 9)
    assert made.ended_at == START.replace(second=53)


def test_json_and_json_rpc_are_the_same() -> None:
    form = {**fields("ringostat/in-after-call"), "source": "ringostat"}
    assert parsed_json("ringostat", form) == replayed("ringostat/in-after-call")
    rpc = {"jsonrpc": "2.0", "id": 7, "method": "call.after", "params": form}
    made = call(parsed_json("ringostat", rpc))
    assert (made.call_id, made.event, made.disposition) == ("ua1_-1767625200.55", "call.after", "answered")


def test_a_call_without_id_has_one_of_its_content() -> None:
    made = call(changed("ringostat/in-after-call", uniqueid=""))
    other = call(changed("ringostat/in-after-call", uniqueid="", caller="380440000102"))
    assert made.call_id == call(changed("ringostat/in-after-call", uniqueid="")).call_id != other.call_id


def test_a_time_of_another_zone_is_told_by_its_arrival() -> None:
    form = fields("ringostat/in-after-call") | {"duration": "60"}
    received = datetime(2026, 1, 5, 13, 1, 2, tzinfo=UTC)
    assert call(parsed_form("ringostat", form, received_at=received)).started_at == datetime(2026, 1, 5, 13, tzinfo=UTC)
    kyiv = call(parsed_form("ringostat", form, timezone="Europe/Kyiv"))
    assert kyiv.started_at == datetime(2026, 1, 5, 13, tzinfo=UTC)
