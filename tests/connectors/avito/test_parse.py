from datetime import timedelta
from typing import Any

import pytest

from connectors.events import Media, ParsedMessage
from tests.support.messengers import SENT, message, only, parsed_tree, replayed, sample, taken, tree_of, without

FIRST = "avito/msg-1-text-about-item"
CHAT = "u2i-1QzqXYrsZ2jYJ~sim0001"


def hook(**fields: Any) -> dict[str, Any]:
    tree = tree_of(FIRST)
    return {**tree, "payload": {"type": "message", "value": {**tree["payload"]["value"], **fields}}}


def made(**fields: Any) -> ParsedMessage:
    return only(parsed_tree("avito", hook(**fields)))


def test_a_question_about_an_item() -> None:
    first = message(FIRST)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id) == (CHAT, "5f0d1c2b3a495867a1b2c3d4e5f60001")
    assert (first.channel, first.author, first.at) == ("avito", "client", SENT)
    assert (first.text, first.media) == ("Здравствуйте, ещё продаёте?", ())
    assert (first.lead.name, first.lead.phones) == ("", ())
    assert first.lead.messengers == (("avito", "182736455"),)
    assert first.lead.extra == {"item_id": "4341979279", "chat_type": "u2i", "account": "94235311"}
    assert first.lead.touch.channel == "messenger"


def test_an_image_of_the_same_chat() -> None:
    image = message("avito/msg-2-image")
    assert (image.chat_id, image.message_id) == (CHAT, "5f0d1c2b3a495867a1b2c3d4e5f60002")
    assert (image.text, image.media) == ("", (Media("image", url="https://img.example/1.jpg"),))
    assert image.at == SENT + timedelta(seconds=14)


def test_the_signature_that_nobody_can_check_is_not_asked_for() -> None:
    assert taken("avito", without(sample(FIRST), "x-avito-messenger-signature")) == replayed(FIRST)


def test_our_own_messages_are_known_by_the_account() -> None:
    own = made(author_id=94235311)
    assert (own.author, own.lead, own.chat_id) == ("us", None, CHAT)
    assert made(author_id=94235311, user_id=None).author == "us"


def test_what_avito_writes_itself_makes_nothing() -> None:
    assert parsed_tree("avito", hook(type="system")).messages == ()


def test_a_deletion_is_marked() -> None:
    gone = made(type="deleted")
    assert (gone.change, gone.text, gone.message_id) == ("deleted", "", message(FIRST).message_id)


@pytest.mark.parametrize(
    ("kind", "content", "words", "media"),
    [
        ("voice", {"voice": {"voice_id": "v1"}}, "", Media("audio", id="v1")),
        ("link", {"link": {"text": "a.test", "url": "https://a.test"}}, "a.test https://a.test", None),
        ("link", {"link": {"text": "см. https://a.test", "url": "https://a.test"}}, "см. https://a.test", None),
        ("call", {"call": {"status": "missed"}}, "", Media("other", name="call")),
        (
            "location",
            {"location": {"lat": 55.75, "lon": 37.6, "title": "Мира, 1"}},
            "",
            Media("location", url="https://maps.google.com/?q=55.75,37.6", name="Мира, 1"),
        ),
        (
            "item",
            {"item": {"title": "Дверь", "price_string": "4 500 ₽", "item_url": "https://avito.example/1"}},
            "Дверь",
            Media("other", url="https://avito.example/1", name="4 500 ₽"),
        ),
    ],
)
def test_content_of_every_kind(kind: str, content: dict[str, Any], words: str, media: Media | None) -> None:
    sent = made(type=kind, content=content)
    assert (sent.text, sent.media) == (words, (media,) if media else ())
