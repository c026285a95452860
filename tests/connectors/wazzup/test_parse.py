import json
from typing import Any

import pytest

from connectors.doors import Refused, Reply
from connectors.events import Media, ParsedMessage
from connectors.wazzup import SOURCE
from tests.support.messengers import SENT, message, only, parsed_tree, replayed, sample, settings_of, taken, tree_of
from tests.support.messengers import with_header as changed
from tests.support.requests import NOW

CHANNEL = "3b9a3c0e-8f0b-4f1d-9a52-0d5c6d3e7f10"


def hook(**fields: Any) -> dict[str, Any]:
    base = tree_of("wazzup/msg-2-text-whatsapp")["messages"][0]
    return {"messages": [{key: value for key, value in {**base, **fields}.items() if value is not None}]}


def made(**fields: Any) -> ParsedMessage:
    return only(parsed_tree("wazzup", hook(**fields)))


def test_the_test_of_the_address_is_answered_and_makes_nothing() -> None:
    parsed = replayed("wazzup/msg-1-webhook-test")
    assert (parsed.messages, parsed.leads, parsed.reply) == ((), (), Reply(200, b"{}"))


def test_the_word_bearer_is_written_in_either_case_and_another_scheme_is_refused() -> None:
    request = sample("wazzup/msg-1-webhook-test")
    taken("wazzup", changed(request, "authorization", lambda value: value.replace("Bearer", "bearer")))
    for forge in (lambda value: value.replace("Bearer", "Basic"), lambda value: value.partition(" ")[2]):
        with pytest.raises(Refused):
            taken("wazzup", changed(request, "authorization", forge))


def test_the_chat_of_whatsapp_is_the_persons_phone() -> None:
    first = message("wazzup/msg-2-text-whatsapp")
    assert first.lead is not None
    assert first.lead.touch is not None
    assert first.chat_id == f"{CHANNEL}:whatsapp:79265550011"
    assert first.message_id == "6f2f6ad2-3a52-4c0c-9c3a-1e0a7b0c0001"
    assert (first.channel, first.author, first.at, first.change) == ("whatsapp", "client", SENT, "")
    assert (first.text, first.media) == ("Здравствуйте, хочу заказать кухню", ())
    assert (first.lead.name, first.lead.phones) == ("Мария", ("+79265550011",))
    assert first.lead.messengers == (("whatsapp", "79265550011"),)
    assert first.lead.extra == {"wazzup_channel": CHANNEL}
    assert first.lead.touch.channel == "messenger"


def test_the_chat_of_telegram_is_no_phone_but_the_contact_has_one() -> None:
    first = message("wazzup/msg-3-telegram-with-phone")
    assert first.lead is not None
    assert (first.channel, first.chat_id) == ("telegram", f"{CHANNEL}:telegram:5210055")
    assert (first.lead.name, first.lead.phones) == ("Олег", ("+79265550055",))
    assert first.lead.messengers == (("telegram", "5210055"),)
    assert first.lead.extra["username"] == "oleg_55"


def test_the_phone_of_a_contact_may_stand_among_its_data() -> None:
    contact = {"name": "Олег", "contactData": [{"chatType": "telegram", "phone": "79265550055"}]}
    lead = made(chatType="telegram", chatId="79991112233", contact=contact).lead
    assert lead is not None
    assert lead.phones == ("+79265550055",)
    lead = made(chatType="max", chatId="79991112233", contact={"name": "Олег"}).lead
    assert lead is not None
    assert lead.phones == ()


def test_a_contact_that_wazzup_wishes_for_is_answered_as_created() -> None:
    parsed = replayed("wazzup/msg-4-create-contact")
    assert (parsed.messages, parsed.leads) == ((), ())
    reply = SOURCE.reply(settings_of("wazzup"), sample("wazzup/msg-4-create-contact"), parsed, [])
    answer = json.loads(reply.body)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert answer.pop("id")
    assert answer == {
        "responsibleUserId": "12",
        "name": "79265550011",
        "contactData": [{"chatType": "whatsapp", "chatId": "79265550011"}],
    }


def test_a_deal_that_wazzup_wishes_for_is_answered_as_created_and_its_repeat_by_the_same_id() -> None:
    wish = {"createDeal": {"responsibleUserId": "12", "contacts": ["c1"], "source": "byUser"}}
    first, second = (parsed_tree("wazzup", wish).reply for _ in range(2))
    assert first is not None
    assert first == second
    answer = json.loads(first.body)
    assert answer.pop("id")
    assert answer == {"responsibleUserId": "12", "name": "", "contacts": ["c1"], "closed": False}


def test_echoes_are_ours_and_name_the_colleague() -> None:
    echo = made(isEcho=True, status="sent", authorName="Ольга")
    assert (echo.author, echo.lead, echo.author_name) == ("us", None, "Ольга")
    assert made(isEcho=None, status="delivered").author == "us"
    assert made(isEcho=None, status="inbound").author == "client"
    assert parsed_tree("wazzup", hook(isEcho=True, status="error")).messages == ()


def test_edits_and_deletions_have_the_id_of_the_message() -> None:
    edit = made(isEdited=True, text="хочу две кухни", oldInfo={"oldText": "хочу кухню"})
    assert (edit.change, edit.message_id) == ("edited", message("wazzup/msg-2-text-whatsapp").message_id)
    assert (edit.text, edit.at) == ("хочу две кухни", NOW)
    gone = made(isDeleted=True, isEdited=True)
    assert (gone.change, gone.text, gone.media) == ("deleted", "", ())


@pytest.mark.parametrize("kind", ["whatsgroup", "telegroup", "maxgroup"])
def test_groups_make_nothing(kind: str) -> None:
    assert parsed_tree("wazzup", hook(chatType=kind)).messages == ()


def test_an_error_of_a_message_of_ours_is_told_of() -> None:
    failed = {"messageId": "m1", "status": "error", "error": {"error": "BAD_CONTACT", "description": "No such contact"}}
    (one,) = parsed_tree("wazzup", {"statuses": [failed, {"messageId": "m2", "status": "sent"}]}).undelivered
    assert (one.message_id, one.why) == ("m1", "BAD_CONTACT: No such contact")
    assert parsed_tree("wazzup", {"statuses": [{"messageId": "m1", "status": "error"}]}).undelivered[0].why


def test_statuses_make_no_message_and_may_share_the_body() -> None:
    statuses = {"statuses": [{"messageId": "m", "status": "read"}]}
    assert parsed_tree("wazzup", statuses).messages == ()
    assert len(parsed_tree("wazzup", {**hook(), **statuses}).messages) == 1


def test_files_are_links_and_a_missing_call_is_told() -> None:
    image = made(type="image", text=None, contentUri="https://store.example/1.jpg")
    assert image.media == (Media("image", url="https://store.example/1.jpg"),)
    assert made(type="missing_call", text=None).media == (Media("other", name="missing_call"),)
    assert made(type="wapi_template", text="Ваш заказ готов").media == ()
