from datetime import timedelta
from typing import Any

from connectors.events import Media, ParsedMessage
from tests.support.messengers import SENT, message, only, parsed_tree, tree_of

INCOMING = "umnico/msg-1-message-incoming"


def hook(event: str = "message.incoming", **fields: Any) -> dict[str, Any]:
    tree = tree_of(INCOMING)
    return {**tree, "type": event, "message": {**tree["message"], **fields}}


def made(event: str = "message.incoming", **fields: Any) -> ParsedMessage:
    return only(parsed_tree("umnico", hook(event, **fields)))


def test_a_message_of_a_customer() -> None:
    first = message(INCOMING)
    assert first.lead is not None
    assert first.lead.touch is not None
    assert (first.chat_id, first.message_id) == ("64951289:76919905", "11070")
    assert (first.channel, first.author, first.at) == ("telegram", "client", SENT + timedelta(seconds=7))
    assert (first.text, first.media, first.hints) == ("Привет! Работаете сегодня?", (), ())
    assert (first.lead.name, first.author_name, first.lead.phones) == ("", "aliya_k", ())
    assert first.lead.messengers == (("umnico", "69524567"),)
    assert first.lead.extra == {
        "username": "aliya_k",
        "profile": "https://t.me/aliya_k",
        "umnico_lead": "64951289",
        "our_account": "shop_support",
    }
    assert first.lead.touch.channel == "messenger"


def test_our_own_messages_are_ours() -> None:
    assert made("message.outgoing", incoming=False).author == "us"
    assert made("message.outgoing").author == "us"
    assert made("message.incoming", incoming=False).author == "us"
    assert made("message.outgoing").lead is None


def test_other_events_make_nothing() -> None:
    for event in ("lead.created", "customer.changed", "message.status"):
        assert parsed_tree("umnico", hook(event)).messages == ()


def test_attachments_are_links() -> None:
    files = [{"type": "photo", "payload": {"url": "https://u.example/1.jpg"}}, {"type": "poll"}]
    sent = made(message={"attachments": files})
    assert sent.media == (Media("image", url="https://u.example/1.jpg"), Media("other"))
