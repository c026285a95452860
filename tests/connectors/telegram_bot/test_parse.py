import base64
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.doors import ParsedLead
from connectors.events import Media, ParsedMessage
from connectors.telegram_bot import SOURCE, TelegramBotSettings
from tests.support.messengers import SENT, message, only, parsed_tree, replayed, tree_of
from tests.support.requests import NOW

START = "telegram/msg-1-start-deeplink"


def update(kind: str = "message", **changed: Any) -> dict[str, Any]:
    """Иван's text with some of its fields changed; None takes one away."""
    base = tree_of("telegram/msg-3-text-with-phone")["message"]
    fields = {key: value for key, value in {**base, **changed}.items() if value is not None}
    return {"update_id": 1, kind: fields}


def made(kind: str = "message", **changed: Any) -> ParsedMessage:
    return only(parsed_tree("telegram", update(kind, **changed)))


def test_the_start_parameter_of_a_deep_link_is_the_touch() -> None:
    first = message(START)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id, first.channel, first.author, first.at) == (
        "5210001",
        "51",
        "telegram",
        "client",
        SENT,
    )
    assert first.text == "/start vk_autumn_17"
    assert (first.media, first.change, first.hints) == ((), "", ())
    assert first.author_name == first.lead.name == "Анна Кузнецова"
    assert first.lead.messengers == (("telegram", "5210001"),)
    assert first.lead.phones == first.lead.emails == ()
    assert first.lead.extra == {"username": "anna_kuz", "language": "ru", "start": "vk_autumn_17"}
    assert first.lead.utm == first.lead.touch.utm == {"utm_campaign": "vk_autumn_17"}
    assert (first.lead.touch.at, first.lead.touch.channel) == (SENT, "messenger")


def test_a_shared_contact_of_the_sender_proves_his_phone() -> None:
    shared = message("telegram/msg-2-contact-shared")
    assert (shared.chat_id, shared.message_id, shared.at) == ("5210001", "52", SENT + timedelta(seconds=20))
    assert shared.lead is not None
    assert shared.lead.phones == ("+79161234567",)
    assert shared.lead.messengers == (("telegram", "5210001"),)
    assert shared.media == (Media("contact", name="Анна Кузнецова, +79161234567"),)
    assert (shared.text, shared.hints) == ("", ())


def test_a_shared_contact_of_another_person_is_only_a_hint() -> None:
    card = {"phone_number": "+7 916 123-45-67", "first_name": "Пётр"}
    for contact in (card, {**card, "user_id": 99}, {**card, "user_id": None}, {**card, "user_id": ""}):
        shared = made(text=None, contact=contact)
        assert shared.lead is not None
        assert shared.lead.phones == ()
        assert shared.hints == ("+79161234567",)


def test_a_phone_in_the_text_is_only_a_hint() -> None:
    written = message("telegram/msg-3-text-with-phone")
    assert written.text == "Добрый день! Нужна доставка, звоните 8 (903) 555-01-02"
    assert written.hints == ("+79035550102",)
    assert written.lead == ParsedLead(
        name="Иван",
        messengers=(("telegram", "5210002"),),
        extra={"language": "ru"},
        touch=written.lead.touch if written.lead else None,
    )


def test_of_a_photo_the_largest_is_kept_by_its_id() -> None:
    photo = message("telegram/msg-4-photo-with-caption")
    assert photo.text == "Вот такая дверь"
    assert photo.media == (Media("image", id="AgACAgIAAxkBAAIBTmdSimLarge"),)
    assert (photo.chat_id, photo.message_id) == ("5210002", "54")


def test_a_business_message_is_of_a_chat_of_its_own() -> None:
    business = message("telegram/msg-5-business-message")
    assert (business.chat_id, business.message_id) == ("bc_Qh3kSim:5210003", "801")
    assert (business.author, business.text) == ("client", "Is it still available?")
    assert business.lead is not None
    assert business.lead.messengers == (("telegram", "5210003"),)
    assert business.lead.extra == {"username": "kate_m", "language": "en", "business_connection_id": "bc_Qh3kSim"}


def test_what_the_owner_of_a_business_account_writes_is_ours() -> None:
    owner = {"id": 111, "is_bot": False, "first_name": "Ольга"}
    reply = made("business_message", business_connection_id="bc", **{"from": owner})
    assert (reply.author, reply.lead, reply.author_name, reply.chat_id) == ("us", None, "Ольга", "bc:5210002")
    robot = made("business_message", business_connection_id="bc", sender_business_bot={"id": 7}, **{"from": owner})
    assert (robot.author, robot.lead) == ("bot", None)


def test_a_message_of_a_bot_is_a_bots() -> None:
    assert made(**{"from": {"id": 5210002, "is_bot": True, "first_name": "Bot"}}).author == "bot"


def test_a_pressed_button_makes_nothing() -> None:
    assert replayed("telegram/msg-6-callback-query").messages == ()


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_groups_and_channels_make_nothing(kind: str) -> None:
    assert parsed_tree("telegram", update(chat={"id": -100, "type": kind})).messages == ()
    assert parsed_tree("telegram", update("channel_post", chat={"id": -100, "type": kind})).messages == ()


def test_an_edit_names_the_message_it_changes_and_the_time_of_the_change() -> None:
    edit = made("edited_message", text="исправлено", edit_date=1795161700)
    assert (edit.change, edit.message_id, edit.text) == ("edited", "53", "исправлено")
    assert edit.at == SENT + timedelta(seconds=100)
    assert edit.lead is not None
    assert edit.lead.touch is None
    assert made("edited_business_message", business_connection_id="bc").change == "edited"


def test_deleted_messages_of_a_business_chat_are_marked_one_by_one() -> None:
    parsed = parsed_tree(
        "telegram",
        {"deleted_business_messages": {"business_connection_id": "bc", "chat": {"id": 5}, "message_ids": [1, 2]}},
    )
    assert [(gone.chat_id, gone.message_id, gone.change) for gone in parsed.messages] == [
        ("bc:5", "1", "deleted"),
        ("bc:5", "2", "deleted"),
    ]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"voice": {"file_id": "v1"}}, Media("audio", id="v1")),
        ({"audio": {"file_id": "a1", "file_name": "song.mp3"}}, Media("audio", id="a1", name="song.mp3")),
        ({"video": {"file_id": "v1", "file_name": "d.mp4"}}, Media("video", id="v1", name="d.mp4")),
        ({"video_note": {"file_id": "n1"}}, Media("video", id="n1")),
        ({"document": {"file_id": "d1", "file_name": "смета.pdf"}}, Media("file", id="d1", name="смета.pdf")),
        ({"sticker": {"file_id": "s1", "emoji": "👍"}}, Media("sticker", id="s1", name="👍")),
        ({"animation": {"file_id": "g1"}, "document": {"file_id": "g1"}}, Media("video", id="g1")),
        (
            {"location": {"latitude": 55.75, "longitude": 37.6}},
            Media("location", url="https://maps.google.com/?q=55.75,37.6"),
        ),
        (
            {
                "venue": {"location": {"latitude": 55.75, "longitude": 37.6}, "title": "Склад", "address": "Мира, 1"},
                "location": {"latitude": 55.75, "longitude": 37.6},
            },
            Media("location", url="https://maps.google.com/?q=55.75,37.6", name="Склад Мира, 1"),
        ),
        ({"poll": {"id": "7", "question": "Когда?"}}, Media("poll", name="Когда?")),
        ({"dice": {"emoji": "🎲", "value": 4}}, Media("dice", name="🎲 4")),
        ({"game": {"title": "Гонки", "photo": [{"file_id": "p"}]}}, Media("game", name="Гонки")),
        ({"checklist": {"title": "Ремонт", "tasks": []}}, Media("checklist", name="Ремонт")),
        ({"story": {"chat": {"id": 7}, "id": 3}}, Media("story")),
        ({"hologram": {"file_id": "h1"}}, Media("other", name="hologram")),
    ],
)
def test_whatever_was_sent_is_kept(fields: dict[str, Any], kept: Media) -> None:
    sent = made(text=None, entities=None, **fields)
    assert (sent.text, sent.media) == ("", (kept,))


def test_what_telegram_puts_into_a_chat_by_itself_makes_nothing() -> None:
    for service in ({"pinned_message": {"message_id": 1}}, {"write_access_allowed": {}}, {}):
        assert parsed_tree("telegram", update(text=None, entities=None, **service)).messages == ()


def test_a_bare_start_brings_no_campaign() -> None:
    for written in ("/start", "/start ", "/start@our_bot"):
        lead = made(text=written).lead
        assert lead is not None
        assert lead.touch is not None
        assert (lead.utm, lead.touch.utm, lead.touch.channel) == ({}, {}, "messenger")
        assert "start" not in lead.extra


def test_the_parameter_stands_for_what_the_settings_say() -> None:
    marks = {"utm_source": "VK", "utm_medium": "cpc", "utm_campaign": "Осень"}
    lead = only(parsed_tree("telegram", tree_of(START), links={"vk_autumn_17": marks})).lead
    assert lead is not None
    assert lead.touch is not None
    assert lead.utm == {"utm_source": "vk", "utm_medium": "cpc", "utm_campaign": "осень"}
    assert lead.touch.channel == "ad"
    assert lead.extra["start"] == "vk_autumn_17"


def test_utm_packed_into_the_parameter_is_unpacked() -> None:
    packed = base64.urlsafe_b64encode(b"utm_source=vk&utm_campaign=fall~1?").decode().rstrip("=")
    lead = made(text=f"/start {packed}").lead
    assert lead is not None
    assert lead.utm == {"utm_source": "vk", "utm_campaign": "fall~1?"}


def test_links_that_are_no_utm_are_refused_in_the_configuration() -> None:
    for marks in ({}, {"source": "vk"}, {"utm_source": ""}):
        with pytest.raises(ValidationError):
            TelegramBotSettings.model_validate({"links": {"x": marks}})


def test_no_name_no_text_and_ids_of_64_bits_are_normal() -> None:
    big = 2**62 + 1
    strange = made(chat={"id": big, "type": "private"}, **{"from": {"id": big}})
    assert strange.chat_id == str(big)
    assert strange.lead is not None
    assert strange.lead.messengers == (("telegram", str(big)),)
    assert (strange.lead.name, strange.author_name) == ("", "")


def test_a_time_that_cannot_be_is_the_time_of_the_request() -> None:
    for date in (None, 0, -5, 1e30, 4_000_000_000, "soon"):
        assert made(date=date).at == NOW


def test_the_door_is_declared() -> None:
    assert (SOURCE.name, SOURCE.group, SOURCE.methods) == ("telegram", "messenger", ("POST",))
