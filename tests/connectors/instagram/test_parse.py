from datetime import timedelta
from typing import Any

import pytest

from connectors.doors import Refused, Reply
from connectors.events import Media, ParsedMessage
from connectors.instagram import SOURCE
from tests.support.messengers import SENT, message, only, parsed_tree, settings_of, tree_of
from tests.support.requests import inbound

PERSON, OURS = "5611223344556677", "17841405822304914"


def hook(**event: Any) -> dict[str, Any]:
    tree = tree_of("instagram/msg-1-text")
    base = tree["entry"][0]["messaging"][0]
    tree["entry"][0]["messaging"] = [{k: v for k, v in {**base, **event}.items() if v is not None}]
    return tree  # type: ignore[no-any-return]  # JSON


def made(**event: Any) -> ParsedMessage:
    return only(parsed_tree("instagram", hook(**event)))


def test_the_address_is_confirmed() -> None:
    query = "hub.mode=subscribe&hub.challenge=42&hub.verify_token="
    request = inbound(query=query + "fake-ig-verify-1", path_tail="tok-instagram-1", method="GET")
    assert SOURCE.handshake(settings_of("instagram"), request) == Reply(200, b"42", "text/plain")
    with pytest.raises(Refused):
        SOURCE.handshake(settings_of("instagram"), inbound(query=query, path_tail="tok-instagram-1", method="GET"))


def test_a_text_has_neither_phone_nor_name() -> None:
    first = message("instagram/msg-1-text")
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.channel, first.author) == (PERSON, "instagram", "client")
    assert first.message_id == "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx_sim0001"
    assert (first.text, first.at) == ("Есть в наличии 42 размер?", SENT)
    assert (first.lead.name, first.lead.phones, first.lead.extra) == ("", (), {})
    assert first.lead.messengers == (("instagram", PERSON),)
    assert first.lead.touch.channel == "messenger"


def test_a_link_opened_in_a_running_dialogue_is_a_touch_without_a_message() -> None:
    touch = message("instagram/msg-2-ig-me-referral")
    assert touch.lead is not None
    assert touch.lead.touch is not None
    assert touch.is_touch_only
    assert touch.chat_id == PERSON
    assert touch.message_id == "referral:1795161644000"
    assert touch.at == touch.lead.touch.at == SENT + timedelta(seconds=44)
    assert touch.lead.extra == {"ref": "bio_link", "ref_source": "IGME-SOURCE-LINK"}
    assert touch.lead.utm == touch.lead.touch.utm == {"utm_campaign": "bio_link"}


def test_a_link_of_a_new_dialogue_stands_in_its_first_message() -> None:
    lead = made(message={"mid": "m", "text": "а", "referral": {"ref": "bio", "source": "IGME-SOURCE-LINK"}}).lead
    assert lead is not None
    assert (lead.utm, lead.extra["ref"]) == ({"utm_campaign": "bio"}, "bio")
    first = made(message=None, postback={"mid": "p", "title": "Цены", "payload": "PRICE", "referral": {"ref": "bio"}})
    assert (first.text, first.message_id) == ("Цены", "p")
    assert first.lead is not None
    assert first.lead.extra == {"ref": "bio", "button": "PRICE"}


def test_an_ad_is_an_ad() -> None:
    ad = {"source": "ADS", "type": "OPEN_THREAD", "ad_id": "6001", "ads_context_data": {"ad_title": "Двери"}}
    lead = made(message={"mid": "m", "text": "а", "referral": ad}).lead
    assert lead is not None
    assert lead.touch is not None
    assert lead.touch.channel == "ad"
    assert (lead.extra["ad_id"], lead.extra["ad_headline"]) == ("6001", "Двери")


def test_our_own_messages_belong_to_the_chat_of_the_person() -> None:
    for mark in ({"is_echo": True}, {}):
        own = made(sender={"id": OURS}, recipient={"id": PERSON}, message={"mid": "m", "text": "Да", **mark})
        assert (own.author, own.chat_id, own.lead) == ("us", PERSON, None)


def test_deletions_and_edits_are_marked() -> None:
    gone = made(message={"mid": "m", "is_deleted": True})
    assert (gone.change, gone.message_id, gone.text) == ("deleted", "m", "")
    edit = made(message=None, message_edit={"mid": "m", "text": "41", "num_edit": 1})
    assert (edit.change, edit.message_id, edit.text) == ("edited", "m", "41")


def test_attachments_are_links() -> None:
    files = [
        {"type": "image", "payload": {"url": "https://cdn.example/1.jpg"}},
        {"type": "ig_reel", "payload": {"url": "https://cdn.example/r", "title": "Ремонт"}},
        {"type": "share", "payload": {"url": "https://cdn.example/p"}},
    ]
    assert made(message={"mid": "m", "attachments": files}).media == (
        Media("image", url="https://cdn.example/1.jpg"),
        Media("video", url="https://cdn.example/r", name="Ремонт"),
        Media("other", url="https://cdn.example/p", name="share"),
    )
    story = made(message={"mid": "m", "text": "Цена?", "reply_to": {"story": {"url": "https://cdn.example/s"}}})
    assert story.media == (Media("story", url="https://cdn.example/s"),)


def test_reactions_and_read_marks_make_nothing() -> None:
    for event in ({"reaction": {"mid": "m", "emoji": "❤"}}, {"read": {"mid": "m"}}):
        assert parsed_tree("instagram", hook(message=None, **event)).messages == ()


def test_the_newer_shape_with_changes_is_read_too() -> None:
    value = {"sender": {"id": PERSON}, "recipient": {"id": OURS}, "timestamp": "1795161600"}
    tree = {"entry": [{"id": OURS, "changes": [{"field": "messages", "value": {**value, "message": {"mid": "m"}}}]}]}
    assert only(parsed_tree("instagram", tree)).at == SENT
