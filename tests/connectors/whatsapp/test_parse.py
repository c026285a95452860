from datetime import timedelta
from typing import Any

import pytest

from connectors.doors import Refused, Reply
from connectors.events import Media, ParsedMessage
from connectors.whatsapp import SOURCE
from tests.support.messengers import SENT, message, only, parsed_tree, replayed, sample, settings_of, tree_of
from tests.support.requests import inbound

TEXT = "whatsapp/msg-2-text-new"
ANNA = {"from": "79161234567", "from_user_id": "RU.1502576394655843", "id": "wamid.1", "timestamp": "1795161600"}


def hook(*messages: dict[str, Any], contacts: Any = None, **value: Any) -> dict[str, Any]:
    tree = tree_of(TEXT)
    inner = tree["entry"][0]["changes"][0]["value"]
    inner["messages"] = list(messages)
    if contacts is not None:
        inner["contacts"] = contacts
    inner.update(value)
    return tree  # type: ignore[no-any-return]  # JSON


def made(**changed: Any) -> ParsedMessage:
    fields = {key: value for key, value in {**ANNA, **changed}.items() if value is not None}
    return only(parsed_tree("whatsapp", hook(fields)))


# --- handshake ---------------------------------------------------------------------------------


def test_meta_gets_its_challenge_back_as_text() -> None:
    request = sample("whatsapp/msg-1-verify-handshake")
    assert SOURCE.handshake(settings_of("whatsapp"), request) == Reply(200, b"1158201444", "text/plain")


@pytest.mark.parametrize("token", ["fake-wa-verify-", "fake-wa-verify-11", "", "ключ"])
def test_a_handshake_with_another_word_is_refused(token: str) -> None:
    query = f"hub.mode=subscribe&hub.challenge=1&hub.verify_token={token}"
    with pytest.raises(Refused) as caught:
        SOURCE.handshake(settings_of("whatsapp"), inbound(query=query, path_tail="tok-whatsapp-1", method="GET"))
    assert caught.value.status == 403


def test_a_handshake_at_another_address_or_without_a_word_of_ours_is_refused() -> None:
    request = sample("whatsapp/msg-1-verify-handshake")
    for settings in (settings_of("whatsapp", url_token="tok-2"), settings_of("whatsapp", verify_token=None)):
        with pytest.raises(Refused):
            SOURCE.handshake(settings, request)


def test_any_other_get_is_no_handshake() -> None:
    assert SOURCE.handshake(settings_of("whatsapp"), inbound(method="GET", path_tail="tok-whatsapp-1")) is None


# --- samples -----------------------------------------------------------------------------------


def test_a_text_comes_with_the_persons_number_and_both_ids() -> None:
    first = message(TEXT)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert first.chat_id == "79161234567"
    assert first.message_id == "wamid.HBgLNzkxNjEyMzQ1NjcVAgASGBQzQTAwMDAwMDAwMDAwMDAwMDAwMQA="
    assert (first.channel, first.author, first.at, first.change) == ("whatsapp", "client", SENT, "")
    assert first.text == "Здравствуйте! Сколько стоит установка?"
    assert (first.media, first.hints) == ((), ())
    assert first.lead.name == first.author_name == "Анна К."
    assert first.lead.phones == ("+79161234567",)
    assert first.lead.messengers == (("whatsapp", "79161234567"), ("whatsapp", "RU.1502576394655843"))
    assert first.lead.extra == {"our_number": "74951230000"}
    assert (first.lead.utm, first.lead.click_ids, first.lead.flags) == ({}, {}, ())
    assert (first.lead.touch.at, first.lead.touch.channel) == (SENT, "messenger")


def test_an_ad_is_kept_with_its_click_id() -> None:
    first = message("whatsapp/msg-3-click-to-whatsapp-ad")
    clid = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
    assert first.lead is not None
    assert first.lead.touch is not None
    assert first.lead.phones == ("+447700900123",)
    assert first.lead.messengers == (("whatsapp", "447700900123"), ("whatsapp", "GB.88120031"))
    assert first.text == "Hi, I saw your ad"
    assert first.at == SENT + timedelta(seconds=30)
    assert first.lead.click_ids == first.lead.touch.click_ids == {"ctwa_clid": clid}
    assert first.lead.touch.channel == "ad"
    assert first.lead.touch.referrer == "https://fb.me/3sIMadURL"
    assert first.lead.extra == {
        "our_number": "74951230000",
        "ad_id": "120208899771234567",
        "ad_type": "ad",
        "ad_headline": "Двери с установкой",
        "ad_text": "Скидка 20% до воскресенья",
        "ad_link": "fb.me/3sIMadURL",
    }


def test_an_image_is_kept_by_its_id() -> None:
    image = message("whatsapp/msg-4-image-with-caption")
    assert image.lead is not None
    assert (image.text, image.media) == ("размеры проёма", (Media("image", id="1003383421387256"),))
    assert (image.lead.name, image.lead.phones) == ("Пётр", ("+79031112233",))


def test_a_message_of_ours_that_failed_is_told_of_and_no_other_status_is() -> None:
    failed = replayed("whatsapp/msg-5-status-failed")
    assert failed.messages == ()
    (one,) = failed.undelivered
    assert one.message_id == "wamid.HBgLNzkxNjEyMzQ1NjcVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"
    assert one.why.endswith("takes only an approved template then (code 131047)")
    for status in ("sent", "delivered", "read"):
        assert not parsed_tree("whatsapp", hook(statuses=[{"id": "w", "status": status}])).has_events


def test_a_failure_with_a_code_that_nobody_knows_is_told_in_meta_s_words() -> None:
    errors: list[dict[str, Any]] = [{"code": 199999, "title": "Something new"}]
    told = [
        parsed_tree("whatsapp", hook(statuses=[{"id": "w", "status": "failed", **more}])).undelivered[0].why
        for more in ({"errors": errors}, {"errors": []}, {})
    ]
    assert told == ["Something new (code 199999)", "WhatsApp could not deliver it", "WhatsApp could not deliver it"]


# --- people who hide their number ----------------------------------------------------------------


def test_a_code_of_thousands_of_digits_is_no_fault() -> None:
    errors = [{"code": 10**4_000, "title": "Odd"}, {"code": "9" * 5_000, "title": "Odd"}]
    for error in errors:
        status = {"id": "w", "status": "failed", "errors": [error]}
        (one,) = parsed_tree("whatsapp", hook(statuses=[status])).undelivered
        assert one.why.startswith("Odd (code ")


def test_who_hides_the_number_is_known_by_the_id_and_its_digits_are_no_phone() -> None:
    contact = {"profile": {"name": "Ира", "username": "ira_k"}, "user_id": "RU.79161234567"}
    for wa_id in ({}, {"wa_id": ""}):
        fields = {"from_user_id": "RU.79161234567", "id": "wamid.2", "timestamp": "1795161600", "type": "text"}
        hidden = only(
            parsed_tree("whatsapp", hook({**fields, "text": {"body": "Привет"}}, contacts=[{**contact, **wa_id}]))
        )
        assert hidden.lead is not None
        assert (hidden.chat_id, hidden.lead.phones) == ("RU.79161234567", ())
        assert hidden.lead.messengers == (("whatsapp", "RU.79161234567"),)
        assert (hidden.lead.name, hidden.lead.extra["username"]) == ("Ира", "ira_k")
        assert hidden.hints == ()


def test_an_id_in_place_of_the_number_is_no_phone_either() -> None:
    odd = only(parsed_tree("whatsapp", hook({"from": "RU.79161234567", "id": "w", "type": "text"}, contacts=[])))
    assert odd.lead is not None
    assert (odd.chat_id, odd.lead.phones) == ("RU.79161234567", ())


def test_the_id_of_a_parent_account_names_the_same_person() -> None:
    lead = made(type="text", from_parent_user_id="US.ENT.1").lead
    assert lead is not None
    assert lead.messengers[-1] == ("whatsapp", "US.ENT.1")


def test_several_messages_get_the_names_of_their_own_people() -> None:
    contacts = [
        {"profile": {"name": "Пётр"}, "wa_id": "79031112233", "user_id": "RU.2"},
        {"profile": {"name": "Анна"}, "wa_id": "79161234567", "user_id": "RU.1"},
    ]
    texts = [{"type": "text", "text": {"body": str(n)}, "id": f"w{n}", "timestamp": "1795161600"} for n in range(3)]
    senders = ({"from": "79161234567"}, {"from_user_id": "RU.2"}, {"from": "79990001122"})
    parsed = parsed_tree(
        "whatsapp", hook(*({**t, **s} for t, s in zip(texts, senders, strict=True)), contacts=contacts)
    )
    assert [(one.text, one.author_name, one.chat_id) for one in parsed.messages] == [
        ("0", "Анна", "79161234567"),
        ("1", "Пётр", "79031112233"),
        ("2", "", "79990001122"),
    ]


def test_a_plus_before_the_number_makes_no_other_person() -> None:
    assert made(**{"from": "+79161234567"}, type="text").lead == made(type="text").lead


def test_mexican_and_unreadable_numbers() -> None:
    lead = made(**{"from": "5215512345678"}, type="text").lead
    assert lead is not None
    assert (lead.phones, lead.flags) == (("+525512345678",), ())
    lead = made(**{"from": "99912345678901"}, type="text").lead
    assert lead is not None
    assert (lead.phones, lead.flags, lead.extra["phone"]) == ((), ("bad_phone",), "99912345678901")


# --- kinds of messages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words", "media"),
    [
        ({"type": "document", "document": {"id": "d", "filename": "a.pdf", "caption": "а"}}, "а", ("file", "a.pdf")),
        ({"type": "audio", "audio": {"id": "d", "voice": True}}, "", ("audio", "")),
        ({"type": "video", "video": {"id": "d"}}, "", ("video", "")),
        ({"type": "sticker", "sticker": {"id": "d"}}, "", ("sticker", "")),
    ],
)  # fmt: skip
def test_files_are_kept_by_id(fields: dict[str, Any], words: str, media: tuple[str, str]) -> None:
    sent = made(**fields)
    assert sent.text == words
    assert [(one.kind, one.name, one.id) for one in sent.media] == [(*media, "d")]


def test_a_pressed_button_of_a_mailing_is_an_answer() -> None:
    assert made(type="button", button={"text": "Да, интересно", "payload": "yes"}).text == "Да, интересно"
    for kind in ("button_reply", "list_reply"):
        assert made(type="interactive", interactive={"type": kind, kind: {"id": "1", "title": "Окна"}}).text == "Окна"


def test_an_order_is_told_in_words() -> None:
    lines = [{"product_retailer_id": "door-1", "quantity": 2, "item_price": 4500.5, "currency": "RUB"}]
    sent = made(type="order", order={"catalog_id": "1", "text": "срочно", "product_items": lines})
    assert (sent.text, sent.media) == ("срочно\ndoor-1 × 2, 4500.5 RUB", ())


def test_a_place_is_a_link_to_the_map() -> None:
    sent = made(type="location", location={"latitude": 55.75, "longitude": 37.6, "name": "Дом", "address": "Мира, 1"})
    assert sent.media == (Media("location", url="https://maps.google.com/?q=55.75,37.6", name="Дом, Мира, 1"),)


CARD = {"name": {"formatted_name": "Олег"}, "phones": [{"phone": "+7 926 555-00-11", "wa_id": "79265550011"}]}


def test_a_card_is_a_hint_unless_it_was_asked_for() -> None:
    sent = made(type="contacts", contacts=[CARD])
    assert sent.lead is not None
    assert (sent.lead.phones, sent.hints) == (("+79161234567",), ("+79265550011",))
    assert sent.media == (Media("contact", name="Олег, +79265550011"),)
    other = made(type="contacts", contacts=[{**CARD, "origin": "other"}])
    assert other.hints == ("+79265550011",)


@pytest.mark.parametrize(
    "fields",
    [
        {"contacts": [{**CARD, "origin": "contact_request"}]},
        {"contacts": [CARD], "origin": "contact_request"},
    ],
)
def test_a_card_that_was_asked_for_proves_the_phone(fields: dict[str, Any]) -> None:
    hidden = made(**{"from": None}, type="contacts", **fields)
    assert hidden.lead is not None
    assert "+79265550011" in hidden.lead.phones
    assert hidden.hints == ()


@pytest.mark.parametrize("kind", ["reaction", "system", "request_welcome"])
def test_what_is_no_message_makes_nothing(kind: str) -> None:
    assert parsed_tree("whatsapp", hook({**ANNA, "type": kind, kind: {"emoji": "👍"}})).messages == ()


def test_a_group_makes_nothing() -> None:
    assert parsed_tree("whatsapp", hook({**ANNA, "type": "text", "group_id": "g1"})).messages == ()


def test_a_kind_that_nobody_knows_is_still_a_message() -> None:
    for kind in ("unsupported", "hologram"):
        sent = made(type=kind, errors=[{"code": 131051}])
        assert sent.lead is not None
        assert sent.media == (Media("other", name=kind),)


def test_edits_and_deletions_name_the_message_they_change() -> None:
    inner = {"type": "text", "text": {"body": "нужно 4 окна"}, "id": "x"}
    edit = made(type="edit", edit={"original_message_id": "wamid.0", "message": inner})
    assert (edit.change, edit.message_id, edit.text, edit.author) == ("edited", "wamid.0", "нужно 4 окна", "client")
    gone = made(type="revoke", revoke={"original_message_id": "wamid.0"})
    assert (gone.change, gone.message_id, gone.text, gone.media) == ("deleted", "wamid.0", "", ())


def test_echoes_of_the_phone_app_are_ours() -> None:
    tree = hook()
    change = tree["entry"][0]["changes"][0]
    change["field"] = "smb_message_echoes"
    change["value"] = {
        "message_echoes": [
            {
                "from": "74951230000",
                "to": "79161234567",
                "id": "wamid.9",
                "timestamp": "1795161605",
                "type": "text",
                "text": {"body": "Приедем завтра"},
            }
        ]
    }
    echo = only(parsed_tree("whatsapp", tree))
    assert (echo.author, echo.lead, echo.chat_id, echo.text) == ("us", None, "79161234567", "Приедем завтра")


def test_statuses_and_messages_may_share_a_request() -> None:
    tree = hook({**ANNA, "type": "text", "text": {"body": "а"}}, statuses=[{"id": "w", "status": "read"}])
    assert only(parsed_tree("whatsapp", tree)).text == "а"
