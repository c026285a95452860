import pytest
from pydantic import SecretStr

from connectors.doors import Door, DoorSettings, Parsed, Receipt, Refused, Reply, check_token
from tests.support.requests import inbound

TOKEN = DoorSettings(url_token=SecretStr("tok-1"))


def test_what_follows_the_token_is_the_vendors_own() -> None:
    assert check_token(TOKEN, inbound(path_tail="tok-1/events/call")) == "events/call"
    assert check_token(TOKEN, inbound(path_tail="tok-1")) == ""
    assert check_token(DoorSettings(), inbound(path_tail="events/call")) == "events/call"


def test_the_token_is_the_whole_first_part_of_the_address() -> None:
    for tail in ("tok-1x/events", "/tok-1", "events/tok-1", ""):
        with pytest.raises(Refused):
            check_token(TOKEN, inbound(path_tail=tail))


def test_a_door_that_says_nothing_answers_200_with_an_empty_object() -> None:
    door = Door("acme", "Acme", DoorSettings, "form", lambda settings, request, region: Parsed())
    door.verify(DoorSettings(), inbound())
    assert door.handshake(DoorSettings(), inbound(method="GET")) is None
    assert door.reply(DoorSettings(), inbound(), Parsed(), [Receipt("id")]) == Reply(200, b"{}", "application/json")
    own = Reply(200, b"ok", "text/plain")
    assert door.reply(DoorSettings(), inbound(), Parsed(reply=own), []) is own


def test_a_vendors_source_has_no_rate_limit_and_no_cors_of_itself() -> None:
    assert DoorSettings().limit_for("203.0.113.7") is None
    assert DoorSettings().cors_headers("https://a.test") == {}
