"""The Bot API client against the sandbox over real HTTP, every fault included."""

import asyncio
import logging
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.http import CALL_LOG, CallRecord
from connectors.notify import Button, MessageRef, Notice
from connectors.sandbox.base import FaultLayer, SandboxRequest, SandboxResponse
from connectors.sandbox.telegram import Chat
from connectors.telegram.channel import TelegramChannel
from connectors.telegram.client import TelegramClient, interpret
from connectors.telegram.settings import TelegramSettings
from leads.clock import SystemClock
from tests.connectors.telegram.conftest import CHAT, GROUP, TOKEN, Bench
from tests.support.vendor_server import serve


@pytest.fixture
def calls() -> Iterator[list[CallRecord]]:
    kept: list[CallRecord] = []
    token = CALL_LOG.set(kept)
    yield kept
    CALL_LOG.reset(token)


async def test_a_message_is_sent_edited_and_replied_to(bench: Bench) -> None:
    ref = await bench.client.send_message(CHAT, "🔴 <b>раз</b>", buttons=[Button("Показать", url="https://a.example/")])
    assert ref == MessageRef(CHAT, "1")
    await bench.client.edit_message(ref.chat_id, ref.message_id, "🔴 <b>два</b>")
    reply = await bench.client.send_message(CHAT, "🟢 три", reply_to=ref.message_id)
    first, second = bench.vendor.messages
    assert (first.text, first.history, first.keyboard) == ("🔴 два", ["🔴 раз"], [])
    assert (second.text, second.reply_to, reply.message_id) == ("🟢 три", 1, "2")


async def test_an_edit_that_changes_nothing_is_success(bench: Bench) -> None:
    ref = await bench.client.send_message(CHAT, "раз")
    await bench.client.edit_message(ref.chat_id, ref.message_id, "раз")
    assert bench.vendor.messages[0].history == []


async def test_an_edit_of_a_deleted_message_says_gone(bench: Bench) -> None:
    with pytest.raises(PermanentError) as caught:
        await bench.client.edit_message(CHAT, "99", "раз")
    assert caught.value.gone


async def test_html_that_telegram_refuses_is_sent_once_more_as_plain_text(bench: Bench) -> None:
    await bench.client.send_message(CHAT, "<b>Цена < 5 &amp; > 3</b> <x>y</x>")
    assert bench.texts() == ["Цена < 5 & > 3 y"]
    assert len(bench.layer.requests) == 2


async def test_a_long_text_becomes_several_messages_with_buttons_on_the_last(bench: Bench) -> None:
    ref = await bench.client.send_message(CHAT, "ы" * 3000 + "\n" + "я" * 3000, buttons=[Button("x", action="y")])
    assert [len(text) for text in bench.texts()] == [3000, 3000]
    assert [bool(message.keyboard) for message in bench.vendor.messages] == [False, True]
    assert ref.message_id == "1"


async def test_a_refused_decoration_is_left_off(bench: Bench) -> None:
    await bench.client.send_message(
        GROUP, "раз", buttons=[Button("x", url="http://localhost:1/")], thread_id=99, reply_to="555"
    )
    (message,) = bench.vendor.messages
    assert (message.text, message.keyboard, message.thread_id, message.reply_to) == ("раз", [], 0, 0)


async def test_a_topic_that_exists_is_kept(bench: Bench) -> None:
    await bench.client.send_message(GROUP, "раз", thread_id=7, silent=True)
    assert (bench.vendor.messages[0].thread_id, bench.vendor.messages[0].silent) == (7, True)


async def test_a_group_that_became_a_supergroup_is_followed(bench: Bench) -> None:
    bench.vendor.chats[-77] = Chat(-77, "group", moved_to=-10077)
    bench.vendor.chats[-10077] = Chat(-10077, "supergroup")
    ref = await bench.client.send_message("-77", "раз")
    assert ref.chat_id == "-10077"
    assert bench.client.moved == {"-77": "-10077"}
    await bench.client.get_chat("-77")
    assert len(bench.layer.requests) == 3, "the second call goes to the new chat at once"


async def test_chats_that_move_in_a_circle_end_in_a_refusal(bench: Bench) -> None:
    bench.vendor.chats[-77] = Chat(-77, "group", moved_to=-78)
    bench.vendor.chats[-78] = Chat(-78, "group", moved_to=-77)
    with pytest.raises(PermanentError, match="upgraded"):
        await asyncio.wait_for(bench.client.send_message("-77", "раз"), 20)


@pytest.mark.parametrize("state", ["blocked", "kicked"])
async def test_a_chat_that_shut_the_bot_out_is_an_auth_error(bench: Bench, state: str) -> None:
    bench.vendor.chats[int(GROUP)].state = state
    with pytest.raises(AuthError, match="Forbidden"):
        await bench.client.send_message(GROUP, "раз")


async def test_an_unknown_chat_is_an_auth_error(bench: Bench) -> None:
    with pytest.raises(AuthError, match="chat not found"):
        await bench.client.send_message("42", "раз")


async def test_a_revoked_token_is_an_auth_error_and_is_named_nowhere(
    bench: Bench, calls: list[CallRecord], caplog: pytest.LogCaptureFixture
) -> None:
    bench.vendor.tokens = set()
    with caplog.at_level(logging.DEBUG, logger="connectors"), pytest.raises(AuthError) as caught:
        await bench.client.send_message(CHAT, "раз")
    assert "123456" not in str(caught.value) + repr(caught.value)
    assert all(TOKEN not in repr(call) for call in calls)
    assert calls[0].status == 401


async def test_a_malformed_token_is_an_auth_error(bench: Bench) -> None:
    client = TelegramClient(token=SecretStr("nonsense"), clock=SystemClock(), api_url=bench.url)
    with pytest.raises(AuthError):
        await client.get_me()
    await client.close()


async def test_429_pauses_the_whole_bot_as_long_as_told(bench: Bench) -> None:
    bench.fail("429", times=1)
    bench.vendor.fault_answer = lambda kind: SandboxResponse(  # type: ignore[method-assign]
        429, {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}
    )
    with pytest.raises(RateLimitedError) as caught:
        await bench.client.send_message(CHAT, "раз")
    assert caught.value.retry_after_s == 1.0
    loop = asyncio.get_running_loop()
    started = loop.time()
    await bench.client.get_me()
    assert loop.time() - started > 0.8


async def test_429_from_a_gateway_is_read_from_the_header() -> None:
    answer = httpx.Response(429, headers={"retry-after": "7"}, text="<html>")
    with pytest.raises(RateLimitedError) as caught:
        interpret("sendMessage", answer, True)
    assert caught.value.retry_after_s == 7.0


async def test_one_chat_is_written_to_at_the_pace_telegram_allows(bench: Bench) -> None:
    bench.vendor._burst = 1
    loop = asyncio.get_running_loop()
    started = loop.time()
    for text in ("раз", "два", "три"):
        await bench.client.send_message(CHAT, text)
    assert bench.texts() == ["раз", "два", "три"]
    assert loop.time() - started >= 2.0


@pytest.mark.parametrize("kind", ["500", "502", "503", "hang", "reset", "html200"])
async def test_a_send_without_a_trusted_answer_has_an_unknown_outcome(bench: Bench, kind: str) -> None:
    bench.fail(kind, times=1, delay_s=0.2)
    with pytest.raises(UnknownOutcomeError):
        await bench.client.send_message(CHAT, "раз")
    assert bench.texts() == []


async def test_a_send_that_is_not_answered_in_time_has_an_unknown_outcome(bench: Bench) -> None:
    bench.fail("hang", delay_s=60.0)
    client = TelegramClient(token=SecretStr(TOKEN), clock=SystemClock(), api_url=bench.url, timeout_s=0.2)
    with pytest.raises(UnknownOutcomeError):
        await client.send_message(CHAT, "раз")
    await client.close()
    assert bench.texts() == []


@pytest.mark.parametrize("kind", ["500_after", "reset_after", "truncated"])
async def test_a_send_whose_answer_is_lost_has_an_unknown_outcome_though_it_arrived(bench: Bench, kind: str) -> None:
    bench.fail(kind, times=1)
    with pytest.raises(UnknownOutcomeError):
        await bench.client.send_message(CHAT, "раз")
    assert bench.texts() == ["раз"]


async def test_a_late_landing_after_504_is_unknown_at_first(bench: Bench) -> None:
    bench.fail("504_late", times=1, delay_s=60.0)
    with pytest.raises(UnknownOutcomeError):
        await bench.client.send_message(CHAT, "раз")
    assert bench.texts() == []
    bench.layer.land()
    assert bench.texts() == ["раз"]


async def test_a_slow_answer_within_the_time_out_is_waited_for(bench: Bench) -> None:
    bench.fail("slow", times=1, delay_s=0.2)
    assert (await bench.client.send_message(CHAT, "раз")).message_id == "1"


async def test_nobody_listening_means_nothing_was_written() -> None:
    client = TelegramClient(token=SecretStr(TOKEN), clock=SystemClock(), api_url="http://127.0.0.1:9")
    with pytest.raises(RetryableError):
        await client.send_message(CHAT, "раз")
    await client.close()


async def test_a_block_page_with_403_is_not_taken_for_telegram() -> None:
    with pytest.raises(RetryableError, match="not an answer of the Bot API"):
        interpret("sendMessage", httpx.Response(403, text="<html>Доступ ограничен</html>"), True)


async def test_reads_are_safe_to_repeat_after_any_failure(bench: Bench) -> None:
    for kind in ("500", "502", "reset", "html200", "truncated"):
        bench.fail(kind, times=1)
        with pytest.raises(RetryableError):
            await bench.client.get_me()


async def test_a_server_that_answers_the_least_is_enough() -> None:
    class Least:
        name = "least"

        def __init__(self) -> None:
            self.seen: list[dict[str, object]] = []

        def handle(self, request: SandboxRequest) -> SandboxResponse:
            self.seen.append(request.json())
            return SandboxResponse(200, {"ok": True, "result": {}})

    vendor = Least()
    async with serve(FaultLayer(vendor, SystemClock())) as url:  # type: ignore[arg-type]
        client = TelegramClient(token=SecretStr("t:1"), clock=SystemClock(), api_url=url + "/")
        assert await client.send_message("-100123", "раз") == MessageRef("-100123", "")
        await client.close()
    assert vendor.seen[0]["chat_id"] == -100123, "a number travels as a number"


async def test_a_pressed_button_is_read_and_answered(bench: Bench) -> None:
    await bench.client.send_message(CHAT, "раз", buttons=[Button("Взять", action="ack:1")])
    bench.vendor.press(int(CHAT), 1, "ack:1")
    (update,) = await bench.client.get_updates(0, wait_s=0, allowed=["callback_query"])
    query = update["callback_query"]
    assert query["data"] == "ack:1"
    await bench.client.answer(query["id"], "Готово")
    await bench.client.answer(query["id"], "поздно")
    assert bench.vendor.answered == [(query["id"], "Готово")]
    assert await bench.client.get_updates(update["update_id"] + 1, wait_s=0) == []


async def test_a_channel_keeps_to_its_chat_and_topic(bench: Bench) -> None:
    settings = TelegramSettings(bot_token=SecretStr(TOKEN), chat_id=int(GROUP), message_thread_id=7, api_url=bench.url)
    channel = TelegramChannel.open(settings, SystemClock())
    await channel.ping()
    ref = await channel.send(Notice("раз"))
    await channel.edit(ref, Notice("два"))
    await channel.send(Notice("три"), reply_to=ref)
    assert [(m.text, m.thread_id, m.reply_to) for m in bench.vendor.messages] == [("два", 7, 0), ("три", 7, 1)]
    bench.vendor.chats.pop(int(GROUP))
    with pytest.raises(AuthError):
        await channel.ping()
    await channel.close()


@pytest.mark.parametrize("token", ["", "with space", "123:abc/../x", "1:a?b"])
def test_a_token_that_cannot_be_in_a_path_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TelegramSettings.model_validate({"bot_token": token, "chat_id": 1})
    assert token == "" or token not in str(caught.value)


@pytest.mark.parametrize(("given", "kept"), [(-100123, -100123), ("-100123", -100123), ("@sales", "@sales")])
def test_a_chat_is_a_number_or_a_name(given: object, kept: object) -> None:
    assert TelegramSettings.model_validate({"bot_token": "1:a", "chat_id": given}).chat_id == kept
