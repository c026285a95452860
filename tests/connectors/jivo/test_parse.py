"""Jivo: dialogues, messages left while nobody was there, calls, contact data."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.doors import Parsed
from connectors.events import ParsedCall
from leads.calls import CallEvent, call_of
from tests.support.calldoors import DOORS, call, lead, parsed_json, replayed, sample, settings_of, tree_of
from tests.support.requests import NOW

SENT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def test_a_message_left_offline_is_a_lead() -> None:
    made = lead(replayed("jivo/msg-1-offline-message"))
    assert made.lead_uid == "offline:1795161600726"
    assert (made.name, made.phones, made.emails) == ("Сергей", ("+79167001020",), ("sergey@mail.test",))
    assert made.messengers == (("jivo", "2198"),)
    assert made.comment == "Перезвоните завтра"
    assert made.utm == {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "doors_nov"}
    assert made.page_url == "https://shop.test/doors?utm_source=yandex"
    assert made.extra["city"] == "Moscow"
    assert made.touch is not None
    assert made.touch.channel == "ad"


def test_a_finished_chat_is_its_messages() -> None:
    parsed = replayed("jivo/chat-finished")
    asked, answered = parsed.messages
    assert not parsed.leads
    assert (asked.chat_id, asked.channel, asked.author, asked.text) == ("4398", "jivo", "client", "Сколько стоит?")
    assert (asked.at, asked.author_name) == (SENT, "Ольга")
    assert asked.lead is not None
    assert (asked.lead.phones, asked.lead.emails) == (("+79990009001",), ("olga@example.test",))
    assert asked.lead.messengers == (("jivo", "2746"),)
    assert asked.lead.utm == {
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "winter",
        "utm_content": "banner",
    }
    assert asked.lead.extra["agent"] == "anna@example.test"
    assert (answered.author, answered.text, answered.lead) == ("us", "Добрый день!", None)
    assert (answered.at, answered.author_name) == (SENT.replace(second=30), "Анна Орлова")


def test_the_same_visitor_is_the_same_person_in_a_chat_and_offline() -> None:
    chat, offline = replayed("jivo/msg-2-chat-finished"), lead(replayed("jivo/msg-1-offline-message"))
    first = chat.messages[0].lead
    assert first is not None
    assert (first.messengers, first.phones) == (offline.messengers, offline.phones)
    assert [made.text for made in chat.messages] == ["Есть замер?", "Да, бесплатно"]
    assert [made.author_name for made in chat.messages] == ["Сергей", "Ольга"]


def messages(*written: dict[str, Any], **more: Any) -> Parsed:
    tree = tree_of("jivo/chat-finished")
    return parsed_json("jivo", {**tree, **more, "chat": {**tree["chat"], "messages": list(written)}})


def test_two_messages_of_one_second_are_two() -> None:
    one = {"timestamp": 1767600000, "type": "visitor", "message": "Да"}
    ids = [made.message_id for made in messages(one, one, {**one, "type": "agent"}).messages]
    assert len(set(ids)) == 3


def test_a_chat_told_again_with_more_messages_keeps_the_ids_of_the_first_ones() -> None:
    one, two = ({"timestamp": 1767600000 + n, "type": "visitor", "message": f"m{n}"} for n in range(2))
    assert messages(one, two).messages[0].message_id == messages(one).messages[0].message_id


def test_a_robot_is_neither_client_nor_us() -> None:
    (made,) = messages({"timestamp": 1767600000, "type": "bot", "message": "Здравствуйте"}, visitor={}).messages
    assert (made.author, made.lead) == ("bot", None)


def test_a_phone_in_the_text_is_a_hint() -> None:
    (made,) = messages({"timestamp": 1767600000, "type": "visitor", "message": "мой номер 8 999 100-20-30"}).messages
    assert made.hints == ("+79991002030",)


def test_a_chat_in_which_the_visitor_said_nothing_but_left_a_phone_is_a_lead() -> None:
    parsed = messages({"timestamp": 1767600000, "type": "agent", "message": "Здравствуйте"})
    (made,) = parsed.leads
    assert (made.lead_uid, made.phones) == ("chat:4398", ("+79990009001",))
    assert [message.author for message in parsed.messages] == ["us"]


def test_a_chat_without_a_word_and_contact_makes_nothing() -> None:
    assert messages(visitor={"number": "5"}) == Parsed()


def test_what_an_operator_blacklisted_is_marked() -> None:
    tree = tree_of("jivo/chat-finished")
    parsed = parsed_json("jivo", {**tree, "chat": {**tree["chat"], "blacklisted": True}})
    first = parsed.messages[0].lead
    assert first is not None
    assert first.extra["blacklisted"] == "true"


@pytest.mark.parametrize("event", ["chat_accepted", "chat_assigned", "chat_updated", "client_updated"])
def test_contact_data_in_the_middle_of_a_chat_is_a_lead_of_that_chat(event: str) -> None:
    tree = {name: value for name, value in tree_of("jivo/chat-finished").items() if name != "chat"}
    made = lead(parsed_json("jivo", {**tree, "event_name": event}))
    assert (made.lead_uid, made.phones) == ("chat:4398", ("+79990009001",))
    assert parsed_json("jivo", {**tree, "event_name": event, "visitor": {"number": "7", "name": "Ольга"}}) == Parsed()


def test_a_callback_that_was_recorded_is_answered() -> None:
    made = call(replayed("jivo/call-event"))
    assert (made.call_id, made.state, made.direction) == ("4399", "ended", "in")
    assert (made.client, made.employee, made.disposition) == ("+79990009002", "anna@example.test", "answered")
    assert made.recording_url == "https://records.example.test/4399.mp3"
    assert made.lead is not None
    assert made.lead.messengers == (("jivo", "2747"),)
    assert made.lead.touch is not None
    assert made.lead.touch.channel == "call"


def called(status: str, kind: str = "callback", record: str = "") -> ParsedCall:
    tree = tree_of("jivo/call-event")
    return call(
        parsed_json("jivo", {**tree, "call": {**tree["call"], "status": status, "type": kind, "record_url": record}})
    )


@pytest.mark.parametrize(
    ("status", "state", "disposition"),
    [
        ("start", "ringing", ""),
        ("agent_connected", "ringing", ""),
        ("client_connected", "talking", ""),
        ("error", "ended", "missed"),
        ("end", "ended", ""),
        ("brand_new", "", ""),
    ],
)
def test_states_of_a_call(status: str, state: str, disposition: str) -> None:
    assert (called(status).state, called(status).disposition) == (state, disposition)


def test_an_outgoing_call_with_an_error_failed() -> None:
    made = called("error", "outgoing")
    assert (made.direction, made.disposition) == ("out", "failed")


def test_the_record_may_come_after_the_end() -> None:
    names = CallEvent.__dataclass_fields__
    told = [called("start"), called("end"), called("end", record="https://records.example.test/1.mp3")]
    assert len({made.event_id for made in told}) == 3
    whole = call_of(CallEvent(**{name: getattr(made, name) for name in names}) for made in told)
    assert (whole.disposition, whole.recording_url) == ("answered", "https://records.example.test/1.mp3")


def test_utm_without_json_is_read_from_the_text() -> None:
    tree = tree_of("jivo/msg-1-offline-message")
    del tree["session"]["utm_json"]
    assert lead(parsed_json("jivo", tree)) == lead(replayed("jivo/msg-1-offline-message"))


def test_a_card_without_anything_is_normal() -> None:
    made = lead(parsed_json("jivo", {"event_name": "offline_message", "offline_message_id": 1, "message": "Алло"}))
    assert (made.comment, made.flags, made.messengers) == ("Алло", ("no_contact",), ())


def test_a_phone_that_is_none_is_kept_and_flagged() -> None:
    tree = tree_of("jivo/msg-1-offline-message")
    tree["visitor"] |= {"phone": "12345678", "email": "sergey@"}
    made = lead(parsed_json("jivo", tree))
    assert made.flags == ("no_contact", "bad_phone", "bad_email")
    assert (made.extra["phone"], made.extra["email"]) == ("12345678", "sergey@")


def test_jivo_is_answered_as_it_expects() -> None:
    for parsed in (Parsed(), replayed("jivo/chat-finished")):
        reply = DOORS["jivo"].reply(settings_of("jivo"), sample("jivo/chat-finished"), parsed, [])
        assert (reply.status, reply.body) == (200, b'{"result":"ok"}')


def test_a_clock_that_is_wrong_is_replaced_by_the_arrival() -> None:
    (made,) = messages({"timestamp": 99, "type": "visitor", "message": "Да"}).messages
    assert made.at == NOW
