"""Slack: what is let in, what it makes, how it is answered."""

import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.doors import Inbound, Parsed, Refused
from connectors.slack import SOURCE
from tests.support.all_doors import SAMPLES, settings_of
from tests.support.requests import from_http_file

NOW = datetime(2026, 11, 20, 8, 0, 5, tzinfo=UTC)
SETTINGS = settings_of("slack")
PERSON = {"type": "message", "channel": "D1", "user": "U1", "ts": "1795161600.000100", "text": "Нужны окна"}


def button() -> Inbound:
    return replace(from_http_file(SAMPLES / "slack/msg-1-block-action.http"), received_at=NOW)


def signed(tree: Any, *, at: datetime = NOW, stamp: datetime = NOW, key: str = "") -> Inbound:
    body = json.dumps(tree).encode()
    secret = key or "fakeslacksigningsecret0123456789"
    time = str(int(stamp.timestamp()))
    signature = hmac.digest(secret.encode(), f"v0:{time}:".encode() + body, "sha256").hex()
    headers = {
        "content-type": "application/json",
        "x-slack-request-timestamp": time,
        "x-slack-signature": f"v0={signature}",
    }
    return replace(button(), body=body, headers=headers, received_at=at)


def taken(request: Inbound) -> Parsed:
    SOURCE.verify(SETTINGS, request)
    return SOURCE.parse(SETTINGS, request, "RU")


def said(**event: Any) -> Parsed:
    return taken(signed({"type": "event_callback", "event_id": "Ev1", "event": {**PERSON, **event}}))


def test_a_pressed_button_is_let_in_and_makes_nothing() -> None:
    parsed = taken(button())
    assert parsed == Parsed()
    answer = SOURCE.reply(SETTINGS, button(), parsed, [])
    assert (answer.status, answer.body) == (200, b"")


def test_the_challenge_is_given_back() -> None:
    request = signed({"type": "url_verification", "challenge": "3eZbrw1aB"})
    assert SOURCE.reply(SETTINGS, request, taken(request), []).body == b"3eZbrw1aB"


def test_a_message_is_of_its_person() -> None:
    (message,) = said(user_profile={"real_name": "Иван Петров"}).messages
    assert (message.chat_id, message.message_id, message.text) == ("D1", "D1:1795161600.000100", "Нужны окна")
    assert message.at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    assert message.lead is not None
    assert (message.lead.name, message.lead.messengers) == ("Иван Петров", (("slack", "U1"),))


def test_people_of_one_channel_have_conversations_of_their_own() -> None:
    chats = {said(channel="C1", user=user).messages[0].chat_id for user in ("U1", "U2")}
    assert chats == {"C1:U1", "C1:U2"}


def test_links_are_read_as_people_see_them() -> None:
    (message,) = said(text="<https://example.ru|сайт>, <mailto:a@example.ru|a@example.ru>, <tel:+79161234567>").messages
    assert message.text == "сайт, a@example.ru, +79161234567"
    assert set(message.hints) == {"a@example.ru", "+79161234567"}


def test_a_correction_and_a_removal_are_marked() -> None:
    old = {"user": "U1", "ts": "1795161600.000100", "text": "Нужны окна"}
    (edited,) = said(subtype="message_changed", message={**old, "text": "Нужны двери"}).messages
    (deleted,) = said(subtype="message_deleted", previous_message=old).messages
    assert (edited.change, edited.text, edited.message_id) == ("edited", "Нужны двери", "D1:1795161600.000100")
    assert (deleted.change, deleted.text, deleted.message_id) == ("deleted", "", "D1:1795161600.000100")


def test_bots_begin_nothing_and_the_rest_is_no_message() -> None:
    (bot,) = said(bot_id="B1").messages
    assert (bot.author, bot.lead) == ("bot", None)
    assert said(subtype="channel_join").messages == ()
    assert said(user="").messages == ()


@pytest.mark.parametrize("minutes", [-5.1, 5.1])
def test_an_old_or_future_signature_is_refused(minutes: float) -> None:
    with pytest.raises(Refused, match="too old"):
        taken(signed({"type": "url_verification"}, at=NOW + timedelta(minutes=minutes)))


def test_another_key_and_an_altered_body_are_refused() -> None:
    good = signed({"type": "event_callback", "event": PERSON})
    for request in (signed({}, key="another"), replace(good, body=good.body + b" "), replace(good, headers={})):
        with pytest.raises(Refused):
            taken(request)
