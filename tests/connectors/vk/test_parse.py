from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.doors import Refused, Reply
from connectors.events import Media, ParsedMessage
from connectors.vk import SOURCE, VkSettings
from tests.support.messengers import (
    SENT,
    message,
    only,
    parsed_tree,
    replayed,
    sample,
    settings_of,
    taken,
    tree_of,
    with_body,
)
from tests.support.requests import NOW

FIRST = "vk/msg-2-message-new-with-ref"
FORM = "vk/2-lead-forms-new"


def event(kind: str = "message_new", *, wrapped: bool = True, **fields: Any) -> dict[str, Any]:
    tree = tree_of(FIRST)
    inner = {**tree["object"]["message"], **fields}
    return {**tree, "type": kind, "object": {"message": inner} if wrapped else inner}


def made(kind: str = "message_new", *, wrapped: bool = True, **fields: Any) -> ParsedMessage:
    return only(parsed_tree("vk", event(kind, wrapped=wrapped, **fields)))


def reply_to(name: str) -> Reply:
    return SOURCE.reply(settings_of("vk"), sample(name), replayed(name), [])


# --- proofs and answers -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vk/1-confirmation", "vk/msg-1-confirmation"])
def test_the_confirmation_is_the_string_of_the_settings(name: str) -> None:
    assert reply_to(name) == Reply(200, b"a1b2c3d4", "text/plain")
    assert replayed(name).messages == ()


def test_everything_else_is_answered_ok_and_nothing_else() -> None:
    for name in (FIRST, FORM, "vk/msg-3-message-allow", "vk/msg-4-photo-attachment"):
        assert reply_to(name) == Reply(200, b"ok", "text/plain")


@pytest.mark.parametrize("name", [FIRST, FORM, "vk/msg-1-confirmation", "vk/msg-3-message-allow"])
def test_a_changed_secret_or_community_is_refused(name: str) -> None:
    request = sample(name)
    for old, new in ((b"fakevksecret1", b"fakevksecret2"), (b"fakevksecret1", b"fakevksecret"), (b"223344556", b"1")):
        with pytest.raises(Refused) as caught:
            taken("vk", with_body(request, request.body.replace(old, new)))
        assert caught.value.status == 403


@pytest.mark.parametrize("name", [FIRST, FORM, "vk/msg-3-message-allow"])
def test_an_event_without_the_secret_is_refused(name: str) -> None:
    request = sample(name)
    for gone in (b"", b',"secret":null', b',"secret":["fakevksecret1"]'):
        with pytest.raises(Refused):
            taken("vk", with_body(request, request.body.replace(b',"secret":"fakevksecret1"', gone)))


def test_an_address_is_confirmed_before_the_secret_is_set_at_vk() -> None:
    request = sample("vk/msg-1-confirmation")
    bare = with_body(request, request.body.replace(b',"secret":"fakevksecret1"', b""))
    assert taken("vk", bare).reply == Reply(200, b"a1b2c3d4", "text/plain")


def test_without_a_confirmation_string_the_question_is_refused_with_a_reason() -> None:
    with pytest.raises(Refused, match="confirmation"):
        taken("vk", sample("vk/msg-1-confirmation"), settings_of("vk", confirmation=""))


def test_the_number_of_the_community_is_read_as_people_write_it() -> None:
    for written in (223344556, "223344556", "-223344556", "club223344556", "public223344556"):
        assert VkSettings.model_validate({"group_id": written}).group_id == "223344556"
    with pytest.raises(ValidationError):
        VkSettings.model_validate({"group_id": "our_shop"})


# --- messages ------------------------------------------------------------------------------------


def test_the_ref_of_a_link_is_the_touch() -> None:
    first = message(FIRST)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id, first.channel) == ("301245", "1201", "vk")
    assert (first.author, first.at, first.text) == ("client", SENT, "Хочу на пробный урок")
    assert (first.media, first.change) == ((), "")
    assert (first.lead.name, first.lead.phones) == ("", ())
    assert first.lead.messengers == (("vk", "301245"),)
    assert first.lead.extra == {"ref": "promo_nov", "ref_source": "vk_ads"}
    assert first.lead.utm == first.lead.touch.utm == {"utm_source": "vk_ads", "utm_campaign": "promo_nov"}
    assert first.lead.touch.channel == "ad"


def test_a_ref_may_stand_for_utm_of_the_settings_or_hold_them() -> None:
    marks = {"promo_nov": {"utm_source": "vk", "utm_campaign": "ноябрь"}}
    lead = only(parsed_tree("vk", tree_of(FIRST), links=marks)).lead
    assert lead is not None
    assert lead.utm == {"utm_source": "vk", "utm_campaign": "ноябрь"}
    lead = made(ref="utm_source=vk&utm_medium=cpc&utm_campaign=X", ref_source=None).lead
    assert lead is not None
    assert lead.utm == {"utm_source": "vk", "utm_medium": "cpc", "utm_campaign": "x"}


def test_a_message_without_ref_brings_no_campaign() -> None:
    lead = made(ref=None, ref_source=None).lead
    assert lead is not None
    assert lead.touch is not None
    assert (lead.utm, lead.touch.channel) == ({}, "messenger")


def test_to_allow_messages_is_a_touch_without_a_message() -> None:
    allowed = message("vk/msg-3-message-allow")
    assert allowed.lead is not None
    assert allowed.lead.touch is not None
    assert allowed.is_touch_only
    assert allowed.chat_id == "301245"
    assert allowed.message_id == "allow:c0ffee00aa11bb22cc33dd44ee55ff6677889901"
    assert allowed.lead.messengers == (("vk", "301245"),)
    assert allowed.lead.extra == {"key": "widget_main"}
    assert allowed.lead.touch.utm == {"utm_campaign": "widget_main"}
    assert allowed.at == NOW


def test_a_photo_alone_is_a_message_and_its_largest_size_is_kept() -> None:
    photo = message("vk/msg-4-photo-attachment")
    assert (photo.text, photo.message_id, photo.at) == ("", "1202", SENT + timedelta(seconds=33))
    assert photo.media == (Media("image", url="https://sun9-1.example/x.jpg"),)


def test_what_the_community_writes_is_ours() -> None:
    assert made(from_id=-223344556).author == "us"
    assert made(out=1).author == "us"
    sent = made("message_reply", wrapped=False, from_id=-223344556, out=1)
    assert (sent.author, sent.lead, sent.chat_id) == ("us", None, "301245")


def test_an_edit_names_the_message_it_changes() -> None:
    edit = made("message_edit", wrapped=False, text="Хочу два урока", update_time=1795161660)
    assert (edit.change, edit.message_id, edit.text) == ("edited", "1201", "Хочу два урока")
    assert edit.at == SENT + timedelta(seconds=60)


def test_old_versions_put_the_message_straight_into_the_object() -> None:
    assert made(wrapped=False) == message(FIRST)


def test_a_group_chat_makes_nothing() -> None:
    assert parsed_tree("vk", event(peer_id=2_000_000_001, id=0)).messages == ()


def test_an_id_of_thousands_of_digits_is_an_id() -> None:
    (one,) = parsed_tree("vk", event(peer_id="9" * 5_000)).messages
    assert len(one.chat_id) == 64


@pytest.mark.parametrize("kind", ["message_event", "message_deny", "message_typing_state", "wall_post_new"])
def test_events_without_a_message_make_nothing(kind: str) -> None:
    assert parsed_tree("vk", {**tree_of(FIRST), "type": kind}).messages == ()


def test_attachments_of_every_kind_are_links() -> None:
    attachments = [
        {"type": "doc", "doc": {"url": "https://vk.example/d", "title": "смета.pdf"}},
        {"type": "audio_message", "audio_message": {"link_ogg": "https://vk.example/a.ogg"}},
        {"type": "video", "video": {"owner_id": -1, "id": 2, "title": "Дом"}},
        {"type": "market", "market": {"owner_id": -5, "id": 7, "title": "Дверь"}},
        {"type": "sticker", "sticker": {"images": [{"url": "https://vk.example/s", "width": 9, "height": 9}]}},
        {"type": "poll", "poll": {"question": "Когда?"}},
        {"type": "story", "story": {}},
        {"type": "hologram", "hologram": {}},
    ]
    place = {"coordinates": {"latitude": 55.75, "longitude": 37.6}, "place": {"title": "Москва"}}
    assert made(attachments=attachments, geo=place).media == (
        Media("file", url="https://vk.example/d", name="смета.pdf"),
        Media("audio", url="https://vk.example/a.ogg"),
        Media("video", url="https://vk.com/video-1_2", name="Дом"),
        Media("other", url="https://vk.com/product-5_7", name="Дверь"),
        Media("sticker", url="https://vk.example/s"),
        Media("poll", name="Когда?"),
        Media("story"),
        Media("other", name="hologram"),
        Media("location", url="https://maps.google.com/?q=55.75,37.6", name="Москва"),
    )


def test_forwarded_messages_are_quoted() -> None:
    sent = made(text="Вот", fwd_messages=[{"text": "Цена\n100"}, {"attachments": [{"type": "sticker"}]}])
    assert (sent.text, len(sent.media)) == ("Вот\n> Цена\n> 100", 1)


# --- lead forms ----------------------------------------------------------------------------------


def form(**fields: Any) -> dict[str, Any]:
    tree = tree_of(FORM)
    return {**tree, "object": {**tree["object"], **fields}}


def test_an_answered_form_is_a_lead() -> None:
    parsed = replayed(FORM)
    (lead,) = parsed.leads
    assert parsed.messages == ()
    assert lead.touch is not None
    assert (lead.lead_uid, lead.name, lead.form) == ("770001", "Дмитрий Котов", "Запись на пробное")
    assert (lead.phones, lead.emails) == (("+79995006070",), ("kotov@example.test",))
    assert lead.messengers == (("vk", "100500"),)
    assert lead.extra == {"Город": "Казань", "form_id": "3"}
    assert lead.flags == ()
    assert (lead.touch.at, lead.touch.channel) == (NOW, "social")


def test_an_answered_form_of_an_ad_is_an_ad() -> None:
    (lead,) = parsed_tree("vk", form(ad_id=5501)).leads
    assert lead.touch is not None
    assert (lead.touch.channel, lead.extra["ad_id"]) == ("ad", "5501")


def test_answers_that_cannot_be_read_are_kept_and_flagged() -> None:
    answers = [
        {"key": "phone_number", "answer": "12345"},
        {"key": "email", "answer": "a@"},
        {"key": "custom_1", "answer": ["а", 2]},
    ]
    (lead,) = parsed_tree("vk", form(answers=answers)).leads
    assert lead.flags == ("no_contact", "bad_phone", "bad_email")
    assert (lead.extra["phone_number"], lead.extra["email"], lead.extra["custom_1"]) == ("12345", "a@", "а, 2")
