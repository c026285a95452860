from datetime import timedelta
from typing import Any

from connectors.events import Media, ParsedMessage
from connectors.viber import SOURCE, ViberSettings
from tests.support.messengers import SENT, message, only, parsed_tree, replayed, sample, settings_of, tree_of
from tests.support.requests import inbound

TARAS = "01234567890A="


def made(**fields: Any) -> ParsedMessage:
    return only(parsed_tree("viber", {**tree_of("viber/msg-2-message-text"), "message": fields}))


def test_the_vector_of_the_signature() -> None:
    settings = ViberSettings.model_validate({"auth_token": "auth-token"})
    given = "874e71a26f172a30e5c1fea6dc82ea8ed878d510049d6926d3c9335baaa87184"
    SOURCE.verify(settings, inbound(b'{"a":1}', headers={"x-viber-content-signature": given}))


def test_an_opened_chat_is_a_touch_without_a_message() -> None:
    opened = message("viber/msg-1-conversation-started")
    assert opened.lead is not None
    assert opened.lead.touch is not None
    assert (opened.chat_id, opened.message_id, opened.channel) == (TARAS, "5938571930182746001", "viber")
    assert opened.is_touch_only
    assert opened.hints == ()
    assert opened.at == opened.lead.touch.at == SENT
    assert (opened.lead.name, opened.lead.messengers) == ("Тарас", (("viber", TARAS),))
    assert opened.lead.extra == {"context": "site_footer", "country": "UA", "language": "uk"}
    assert opened.lead.utm == opened.lead.touch.utm == {"utm_campaign": "site_footer"}
    assert opened.lead.touch.channel == "messenger"


def test_an_opened_chat_is_answered_without_a_welcome() -> None:
    name = "viber/msg-1-conversation-started"
    assert SOURCE.reply(settings_of("viber"), sample(name), replayed(name), []).body == b"{}"


def test_a_text_and_a_token_over_53_bits() -> None:
    first = message("viber/msg-2-message-text")
    assert first.lead is not None
    assert (first.message_id, first.chat_id) == ("5938571930182746002", TARAS)
    assert (first.text, first.author, first.at) == ("Доброго дня! Яка ціна?", "client", SENT + timedelta(seconds=9))
    assert (first.lead.phones, first.lead.utm) == ((), {})
    assert first.lead.extra == {"country": "UA", "language": "uk"}


def test_a_contact_card_is_a_hint_and_never_proof() -> None:
    card = message("viber/msg-3-message-contact")
    assert card.lead is not None
    assert card.lead.phones == ()
    assert card.hints == ("+380671234567",)
    assert card.media == (Media("contact", name="Тарас, +380671234567"),)
    assert card.at == SENT + timedelta(seconds=19)


def test_a_phone_in_the_text_is_read_as_of_the_writers_country() -> None:
    assert made(type="text", text="дзвоніть 067 123 45 67").hints == ("+380671234567",)


def test_media_are_links() -> None:
    picture = made(type="picture", text="отаке", media="https://v.example/1.jpg", file_name="1.jpg")
    assert (picture.text, picture.media) == ("отаке", (Media("image", url="https://v.example/1.jpg", name="1.jpg"),))
    place = made(type="location", location={"lat": 50.45, "lon": 30.52})
    assert place.media == (Media("location", url="https://maps.google.com/?q=50.45,30.52"),)
    assert made(type="hologram").media == (Media("other", name="hologram"),)


def test_subscriptions_and_delivery_marks_make_nothing() -> None:
    for event in ("webhook", "subscribed", "unsubscribed", "delivered", "seen", "failed"):
        tree = {**tree_of("viber/msg-2-message-text"), "event": event}
        assert parsed_tree("viber", tree).messages == ()


def test_a_message_of_ours_that_failed_is_told_of() -> None:
    tree = {"event": "failed", "timestamp": 1795161600000, "message_token": 5938571930182746002, "user_id": "v1"}
    (one,) = parsed_tree("viber", {**tree, "desc": "user blocked the account"}).undelivered
    assert (one.message_id, one.why) == ("5938571930182746002", "user blocked the account")
    assert parsed_tree("viber", tree).undelivered[0].why
