from datetime import timedelta
from typing import Any

import pytest

from connectors.events import Media, ParsedMessage
from tests.support.messengers import SENT, message, only, parsed_tree, tree_of

INBOX = "chat2desk/msg-1-inbox"


def hook(**fields: Any) -> dict[str, Any]:
    return {**tree_of(INBOX), **fields}


def made(**fields: Any) -> ParsedMessage:
    return only(parsed_tree("chat2desk", hook(**fields)))


def test_a_message_of_a_client() -> None:
    first = message(INBOX)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id) == ("5512001:4410:whatsapp", "970590378")
    assert (first.channel, first.author, first.at) == ("whatsapp", "client", SENT + timedelta(seconds=2))
    assert (first.text, first.media) == ("Hola, quiero información", ())
    assert (first.lead.name, first.lead.phones) == ("María", ("+5491155550011",))
    assert first.lead.messengers == (("chat2desk", "5512001"),)
    assert first.lead.extra == {"dialog": "880012", "request": "990001", "transport": "whatsapp"}
    assert first.lead.touch.channel == "messenger"


@pytest.mark.parametrize("written", ["[tg] 5210055123", "5210055123", "[vk] 79161234567", "tg5210001", "", None])
def test_an_id_of_a_messenger_in_place_of_the_phone_is_no_phone(written: str | None) -> None:
    lead = made(transport="telegram", client={"id": 1, "phone": written}).lead
    assert lead is not None
    assert lead.phones == ()


def test_a_phone_that_an_operator_wrote_down_is_a_hint() -> None:
    sent = made(transport="telegram", client={"id": 1, "phone": "[tg] 1", "client_phone": "79161234567"})
    assert sent.lead is not None
    assert (sent.lead.phones, sent.hints) == ((), ("+79161234567",))


def test_our_answers_are_ours_and_automatic_ones_a_bots() -> None:
    assert made(hook_type="outbox", type="to_client").author == "us"
    assert made(hook_type="outbox", type="autoreply").author == "bot"
    assert made(hook_type="outbox", type="to_client").lead is None


@pytest.mark.parametrize(
    ("hook_type", "kind"),
    [
        *(("new_client", ""), ("new_request", ""), ("close_dialog", ""), ("outbox_status", "to_client")),
        *(("imported_message", "from_client"), ("inbox", "system"), ("add_tag_to_client", "")),
    ],
)
def test_all_other_hooks_make_nothing(hook_type: str, kind: str) -> None:
    assert parsed_tree("chat2desk", hook(hook_type=hook_type, type=kind)).messages == ()


def test_media_are_links() -> None:
    sent = made(photo="https://c.example/1.jpg", pdf="https://c.example/1.pdf", text=None)
    assert sent.media == (Media("image", url="https://c.example/1.jpg"), Media("file", url="https://c.example/1.pdf"))
    assert sent.text == ""


def test_the_channel_is_the_messenger_whatever_way_it_is_connected() -> None:
    assert made(transport="wa_dialog").channel == "whatsapp"
    assert made(transport="viber_public").channel == "viber"
    assert made(transport="").channel == "chat2desk"
