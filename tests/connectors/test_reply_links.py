"""Answers as each messenger takes them: the request to the letter, its id, its refusals, its limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.links import Outgoing, Replies
from connectors.registry import SOURCES
from connectors.vk.link import random_id
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, opened

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
KEY = "0192f0a0-0000-7000-8000-000000000001"
SETTINGS: dict[str, dict[str, Any]] = {
    "telegram": {"bot_token": "7:tok", "api_url": "https://tg.test"},
    "whatsapp": {"access_token": "wa-tok", "phone_number_id": "106", "api_url": "https://wa.test/v23.0"},
    "360dialog": {"api_key": "d360-key", "api_url": "https://d360.test"},
    "instagram": {"access_token": "ig-tok", "account_id": "178", "api_url": "https://ig.test/v23.0"},
    "wazzup": {"api_key": "wz-key", "api_url": "https://wz.test"},
    "chat2desk": {"api_token": "c2d-tok", "api_url": "https://c2d.test"},
    "umnico": {"api_token": "um-tok", "user_id": "9", "api_url": "https://um.test/v1.3"},
    "vk": {"access_token": "vk-tok", "api_url": "https://vk.test"},
    "viber": {"auth_token": "vb-tok", "title": "Окна", "api_url": "https://vb.test"},
    "avito": {"client_id": "c", "client_secret": "s3", "user_id": "94", "api_url": "https://av.test"},
    "twilio": {"account_sid": "AC1", "auth_token": "tw-tok", "api_url": "https://tw.test"},
    "smsc": {"api_key": "smsc-key", "api_url": "https://smsc.test"},
}
CHATS = {
    "telegram": "5210001",
    "whatsapp": "79161234567",
    "360dialog": "4915112345678",
    "instagram": "561",
    "wazzup": "ch-1:whatsapp:79161234567",
    "chat2desk": "77:5:telegram",
    "umnico": "L1:R2",
    "vk": "301245",
    "viber": "v/1==",
    "avito": "u2i-1",
    "twilio": "+14155550123:+14155550100",
    "smsc": "+79161234567:79037672215",
}
GOOD: dict[str, Any] = {
    "telegram": {"ok": True, "result": {"message_id": 52}},
    "whatsapp": {"messages": [{"id": "52"}]},
    "360dialog": {"messages": [{"id": "52"}]},
    "instagram": {"recipient_id": "561", "message_id": "52"},
    "wazzup": {"messageId": "52", "chatId": "79161234567"},
    "chat2desk": {"data": {"message_id": 52}, "status": "success"},
    "umnico": {"messageId": 52},
    "vk": {"response": 52},
    "viber": {"status": 0, "status_message": "ok", "message_token": 52},
    "avito": {"id": "52"},
    "twilio": {"sid": "52", "status": "queued"},
    "smsc": {"id": 52, "cnt": 1},
}
SENT: dict[str, tuple[str, str, str, Any]] = {
    "telegram": ("/bot7:tok/sendMessage", "", "", {"chat_id": 5210001, "text": "Добрый день"}),
    "whatsapp": (
        "/v23.0/106/messages",
        "authorization",
        "Bearer wa-tok",
        {"messaging_product": "whatsapp", "to": "79161234567", "type": "text", "text": {"body": "Добрый день"}},
    ),
    "360dialog": (
        "/messages",
        "d360-api-key",
        "d360-key",
        {"messaging_product": "whatsapp", "to": "4915112345678", "type": "text", "text": {"body": "Добрый день"}},
    ),
    "instagram": (
        "/v23.0/178/messages",
        "authorization",
        "Bearer ig-tok",
        {"recipient": {"id": "561"}, "message": {"text": "Добрый день"}},
    ),
    "wazzup": (
        "/v3/message",
        "authorization",
        "Bearer wz-key",
        {
            "channelId": "ch-1",
            "chatType": "whatsapp",
            "chatId": "79161234567",
            "text": "Добрый день",
            "crmMessageId": KEY,
        },
    ),
    "chat2desk": (
        "/v1/messages",
        "authorization",
        "c2d-tok",
        {"client_id": "77", "text": "Добрый день", "channel_id": "5", "transport": "telegram", "external_id": KEY},
    ),
    "umnico": (
        "/v1.3/messaging/L1/send",
        "authorization",
        "um-tok",
        {"message": {"text": "Добрый день"}, "source": "R2", "customId": KEY, "userId": "9"},
    ),
    "vk": (
        "/method/messages.send",
        "",
        "",
        {
            "peer_id": "301245",
            "message": "Добрый день",
            "random_id": str(random_id(KEY)),
            "access_token": "vk-tok",
            "v": "5.199",
        },
    ),
    "viber": (
        "/pa/send_message",
        "x-viber-auth-token",
        "vb-tok",
        {
            "receiver": "v/1==",
            "min_api_version": 1,
            "sender": {"name": "Окна"},
            "tracking_data": KEY,
            "type": "text",
            "text": "Добрый день",
        },
    ),
    "avito": (
        "/messenger/v1/accounts/94/chats/u2i-1/messages",
        "authorization",
        "Bearer av-tok",
        {"type": "text", "message": {"text": "Добрый день"}},
    ),
    "twilio": (
        "/2010-04-01/Accounts/AC1/Messages.json",
        "authorization",
        "Basic QUMxOnR3LXRvaw==",
        {"To": "+14155550123", "From": "+14155550100", "Body": "Добрый день"},
    ),
    "smsc": (
        "/sys/send.php",
        "",
        "",
        {"apikey": "smsc-key", "phones": "79161234567", "mes": "Добрый день", "charset": "utf-8", "fmt": "3"},
    ),
}
FORMS = ("vk", "twilio", "smsc")
VENDORS = sorted(SETTINGS)


def fake(vendor: str, answer: Any) -> FakeVendor:
    """Gives Avito its tokens, and that answer to everything else."""

    def answers(asked: Asked) -> Any:
        if vendor == "avito" and asked.path == "/token":
            return {"access_token": "av-tok", "expires_in": 86400, "token_type": "Bearer"}
        return answer(asked) if callable(answer) else answer

    return FakeVendor(answers)


def link_of(vendor: str, api: FakeVendor, **more: Any) -> Any:
    return opened(SOURCES[vendor], api, NOW, **{**SETTINGS[vendor], **more})


def to(vendor: str, text: str = "Добрый день", **more: Any) -> Outgoing:
    channel = {"wazzup": "whatsapp", "360dialog": "whatsapp", "twilio": "sms", "smsc": "sms"}.get(vendor, vendor)
    return Outgoing(KEY, CHATS[vendor], channel, text, **{"client_wrote_at": NOW, **more})


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_message_is_sent_as_the_vendor_takes_it(vendor: str) -> None:
    @virtual
    async def test() -> None:
        api = fake(vendor, GOOD[vendor])
        link = link_of(vendor, api)
        assert isinstance(link, Replies)
        assert await link.send(to(vendor)) == "52"
        path, header, value, body = SENT[vendor]
        assert (api.last.method, api.last.path) == ("POST", path)
        assert api.last.headers.get(header, "") == value
        assert (api.last.form if vendor in FORMS else api.last.json) == body
        await link.close()

    test()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_broken_connection_leaves_the_outcome_unknown(vendor: str) -> None:
    @virtual
    async def test() -> None:
        for answer in (lambda _: None, Answer(502, "<html>Bad gateway</html>")):
            with pytest.raises(UnknownOutcomeError):
                await link_of(vendor, fake(vendor, answer)).send(to(vendor))

    test()


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_empty_or_too_long_text_is_refused_before_anybody_is_asked(vendor: str) -> None:
    @virtual
    async def test() -> None:
        api = fake(vendor, GOOD[vendor])
        link = link_of(vendor, api)
        assert link.why_not(to(vendor, " \n")).code == "empty"
        assert link.why_not(to(vendor, "x" * 10_001)).code == "too_long"
        with pytest.raises(PermanentError, match="longer than"):
            await link.send(to(vendor, "x" * 10_001))
        assert api.asked == []

    test()


@pytest.mark.parametrize("vendor", ["whatsapp", "360dialog", "instagram"])
def test_after_24_hours_free_text_is_refused_before_anybody_is_asked(vendor: str) -> None:
    @virtual
    async def test() -> None:
        api = fake(vendor, GOOD[vendor])
        link = link_of(vendor, api)
        assert link.why_not(to(vendor, client_wrote_at=NOW - timedelta(hours=23, minutes=59))) is None
        late = to(vendor, client_wrote_at=NOW - timedelta(hours=24))
        assert link.why_not(late).code == "window"
        with pytest.raises(PermanentError, match="24 h ago"):
            await link.send(late)
        assert api.asked == []

    test()


def meta(code: int, **more: Any) -> Answer:
    return Answer(400, {"error": {"message": "secret words", "code": code, "fbtrace_id": "f1", **more}})


REFUSALS: list[tuple[str, Any, type[Exception], str]] = [
    ("telegram", Answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"}), AuthError, "Unauth"),
    (
        "telegram",
        Answer(403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}),
        PermanentError,
        "blocked",
    ),
    (
        "telegram",
        Answer(429, {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": 7}}),
        RateLimitedError,
        "x",
    ),
    ("whatsapp", meta(190), AuthError, "190"),
    ("whatsapp", meta(131047), PermanentError, "24 h ago"),
    ("whatsapp", meta(131026), PermanentError, "131026"),
    ("whatsapp", meta(131056), RateLimitedError, "too many"),
    ("whatsapp", meta(131016), RetryableError, "131016"),
    ("360dialog", Answer(401, {"message": "Invalid api_key"}), AuthError, "key"),
    ("instagram", meta(10, error_subcode=2534022), PermanentError, "24 h ago"),
    ("instagram", meta(190), AuthError, "190"),
    ("wazzup", Answer(400, {"error": "24_HOURS_EXCEEDED"}), PermanentError, "24 h ago"),
    ("wazzup", Answer(401, {"error": "UNAUTHORIZED"}), AuthError, "key"),
    ("wazzup", Answer(400, {"error": "UNKNOWN_ERROR"}), UnknownOutcomeError, "what happened"),
    ("wazzup", Answer(429), RateLimitedError, "slow down"),
    ("chat2desk", Answer(403), AuthError, "key"),
    (
        "chat2desk",
        Answer(400, {"status": "error", "message": "client is blocked"}),
        PermanentError,
        "client is blocked",
    ),
    ("avito", Answer(403, {"error": {"code": 403, "message": "permission denied"}}), AuthError, "permission denied"),
    ("umnico", Answer(422, {"error": "x"}), PermanentError, "refuses"),
    ("vk", {"error": {"error_code": 5, "error_msg": "x"}}, AuthError, "token"),
    ("vk", {"error": {"error_code": 6, "error_msg": "x"}}, RateLimitedError, "slow down"),
    ("vk", {"error": {"error_code": 10, "error_msg": "x"}}, UnknownOutcomeError, "10"),
    ("vk", {"error": {"error_code": 901, "error_msg": "x"}}, PermanentError, "not allowed the community"),
    ("viber", {"status": 2, "status_message": "invalidAuthToken"}, AuthError, "token"),
    ("viber", {"status": 6, "status_message": "notSubscribed"}, PermanentError, "unsubscribed"),
    ("viber", {"status": 12, "status_message": "tooMany"}, RateLimitedError, "slow down"),
    ("avito", Answer(403), AuthError, "key"),
    ("avito", Answer(404), PermanentError, "refuses"),
    ("twilio", Answer(400, {"code": 21610, "message": "opted out", "status": 400}), PermanentError, "21610"),
    ("twilio", Answer(401, {"code": 20003, "message": "x", "status": 401}), AuthError, "auth_token"),
    ("twilio", Answer(429, {"code": 20429, "message": "x", "status": 429}), RateLimitedError, "slow down"),
    ("smsc", {"error": "invalid number", "error_code": 7}, PermanentError, "the number is wrong"),
    ("smsc", {"error": "authorise error", "error_code": 2}, AuthError, "api_key"),
    ("smsc", {"error": "repeat", "error_code": 9}, RateLimitedError, "slow down"),
]


@pytest.mark.parametrize(("vendor", "answer", "outcome", "said"), REFUSALS)
def test_a_refusal_means_what_the_vendor_s_code_says(
    vendor: str, answer: Any, outcome: type[Exception], said: str
) -> None:
    @virtual
    async def test() -> None:
        with pytest.raises(outcome, match=said) as caught:
            await link_of(vendor, fake(vendor, answer)).send(to(vendor))
        assert type(caught.value) is outcome
        for secret in ("wa-tok", "7:tok", "vk-tok", "secret words", "Добрый"):
            assert secret not in str(caught.value)

    test()


@virtual
async def test_whatsapp_through_twilio_is_answered_within_its_window_and_reports_come_where_they_are_read() -> None:
    api = fake("twilio", GOOD["twilio"])
    link = link_of("twilio", api, webhook_url="https://hub.example.com/in/sms")
    message = Outgoing(KEY, "+14155550123:+14155550100", "whatsapp", "Hi", NOW)
    assert await link.send(message) == "52"
    assert api.last.form == {
        "To": "whatsapp:+14155550123",
        "From": "whatsapp:+14155550100",
        "Body": "Hi",
        "StatusCallback": "https://hub.example.com/in/sms",
    }
    assert link.why_not(replace(message, client_wrote_at=NOW - timedelta(hours=24))).code == "window"


@virtual
async def test_wazzup_s_word_that_it_was_sent_before_is_success() -> None:
    api = fake("wazzup", Answer(400, {"error": "REPEATED_CRM_MESSAGE_ID"}))
    assert await link_of("wazzup", api).send(to("wazzup")) == ""


@virtual
async def test_who_hides_his_number_in_whatsapp_is_written_to_by_meta_s_id() -> None:
    api = fake("whatsapp", GOOD["whatsapp"])
    await link_of("whatsapp", api).send(Outgoing(KEY, "RU.1502576394655843", "whatsapp", "Добрый день"))
    assert api.last.json["recipient"] == "RU.1502576394655843"
    assert "to" not in api.last.json


@virtual
async def test_a_chat_of_a_business_account_is_answered_in_its_name() -> None:
    api = fake("telegram", GOOD["telegram"])
    await link_of("telegram", api).send(Outgoing(KEY, "bc-1:5210001", "telegram", "Добрый день"))
    assert api.last.json == {"chat_id": 5210001, "text": "Добрый день", "business_connection_id": "bc-1"}


@virtual
async def test_avito_s_token_is_asked_for_once_and_anew_when_it_is_taken_back() -> None:
    api = fake("avito", GOOD["avito"])
    link = link_of("avito", api)
    await link.send(to("avito"))
    await link.send(to("avito"))
    assert api.paths().count("/token") == 1
    refused = [Answer(401), GOOD["avito"]]
    api = fake("avito", lambda _: refused.pop(0))
    assert await link_of("avito", api).send(to("avito")) == "52"
    assert api.paths().count("/token") == 2


@pytest.mark.parametrize("vendor", VENDORS)
def test_without_its_token_a_source_has_no_link(vendor: str) -> None:
    @virtual
    async def test() -> None:
        assert opened(SOURCES[vendor], FakeVendor(lambda _: {}), NOW) is None

    test()


# --- messages by asking -----------------------------------------------------------------------------------------


@virtual
async def test_updates_are_confirmed_by_the_next_question_only() -> None:
    def update(number: int) -> dict[str, Any]:
        who = {"id": 5210001, "is_bot": False, "first_name": "Анна"}
        chat = {"id": 5210001, "type": "private"}
        message = {"message_id": number, "from": who, "chat": chat, "date": 1795507200, "text": f"раз {number}"}
        return {"update_id": 700 + number, "message": message}

    answers: list[Any] = [
        Answer(502, "<html>"),
        {"ok": True, "result": [update(1), update(2)]},
        {"ok": True, "result": []},
        {"ok": True, "result": [update(3)]},
    ]
    api = FakeVendor(lambda _: answers.pop(0))
    link = link_of("telegram", api, polling=True)
    told: list[str] = []
    async for parsed in link.listen():
        told += [message.text for message in parsed.messages]
        if len(told) == 3:
            break
    assert told == ["раз 1", "раз 2", "раз 3"]
    assert [one.json["offset"] for one in api.asked] == [0, 0, 703, 703]
    assert api.last.path == "/bot7:tok/getUpdates"


@virtual
async def test_a_webhook_beside_the_asking_is_said_aloud() -> None:
    conflict = {"ok": False, "error_code": 409, "description": "Conflict: can't use getUpdates while webhook is active"}
    link = link_of("telegram", FakeVendor(lambda _: Answer(409, conflict)), polling=True)
    with pytest.raises(PermanentError, match="webhook"):
        await anext(aiter(link.listen()))
