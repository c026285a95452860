"""The Telegram sandbox judged by somebody else's client."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from connectors.sandbox.telegram import Chat
from leads.clock import SystemClock
from tests.connectors.telegram.conftest import CHAT, GROUP, TOKEN, Bench
from tests.support.lazily import Lazily

if TYPE_CHECKING:
    import aiogram
    import aiogram.exceptions
else:
    aiogram = Lazily("aiogram")  # six seconds of CPU


@pytest.fixture
async def bot(bench: Bench) -> "AsyncIterator[aiogram.Bot]":
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    async with aiogram.Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(bench.url))) as bot:
        yield bot


async def test_me_and_chat_are_understood(bot: "aiogram.Bot") -> None:
    me = await bot.get_me()
    assert (me.id, me.is_bot) == (123456, True)
    assert (await bot.get_chat(int(GROUP))).type == "supergroup"


async def test_sending_replying_and_editing(bench: Bench, bot: "aiogram.Bot") -> None:
    bench.vendor._burst = 10
    markup = aiogram.types.InlineKeyboardMarkup(
        inline_keyboard=[[aiogram.types.InlineKeyboardButton(text="Взять", callback_data="ack:1")]]
    )
    sent = await bot.send_message(int(CHAT), "<b>Пал</b> &lt;сервер&gt;", parse_mode="HTML", reply_markup=markup)
    assert sent.text == "Пал <сервер>"
    assert sent.entities is not None
    assert [(e.type, e.offset, e.length) for e in sent.entities] == [("bold", 0, 3)]
    reply = await bot.send_message(
        int(CHAT), "ответ", reply_parameters=aiogram.types.ReplyParameters(message_id=sent.message_id)
    )
    assert reply.reply_to_message is not None
    edited = await bot.edit_message_text("Встал", chat_id=int(CHAT), message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.text == "Встал"
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("Встал", chat_id=int(CHAT), message_id=sent.message_id)
    assert bench.texts() == ["Встал", "ответ"]


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<b>раз", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<x>раз</x>", 'Unsupported start tag "x" at byte offset 0'),
        ("а < б", "Unsupported start tag"),
        ("<b><i>раз</b></i>", "Unmatched end tag"),
        ("раз</b>", "Unexpected end tag"),
        ("<b> </b>", "text must be non-empty"),
        ("", "message text is empty"),
        ("я" * 4097, "message is too long"),
        ("я" * 17000, "text is too long"),
    ],
)
async def test_bad_texts_are_refused_in_telegrams_words(bot: "aiogram.Bot", html: str, reason: str) -> None:
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match=reason):
        await bot.send_message(int(CHAT), html, parse_mode="HTML")


async def test_chats_that_cannot_be_written_to(bench: Bench, bot: "aiogram.Bot") -> None:
    bench.vendor.chats[-77] = Chat(-77, "group", moved_to=-10077)
    bench.vendor.chats[int(CHAT)].state = "blocked"
    with pytest.raises(aiogram.exceptions.TelegramForbiddenError, match="blocked by the user"):
        await bot.send_message(int(CHAT), "раз")
    with pytest.raises(aiogram.exceptions.TelegramMigrateToChat) as moved:
        await bot.send_message(-77, "раз")
    assert moved.value.migrate_to_chat_id == -10077
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="chat not found"):
        await bot.send_message(42, "раз")


class StoppedClock(SystemClock):
    def monotonic(self) -> float:
        return 1000.0


async def test_limits_per_chat_group_and_bot(bench: Bench, bot: "aiogram.Bot") -> None:
    bench.vendor.clock = StoppedClock()
    for number in range(3):
        await bot.send_message(int(CHAT), f"{number}")
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as refused:
        await bot.send_message(int(CHAT), "4")
    assert refused.value.retry_after >= 1
    bench.vendor._burst = 100
    for number in range(20):
        await bot.send_message(int(GROUP), f"{number}")
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as refused:
        await bot.send_message(int(GROUP), "21")
    assert refused.value.retry_after > 30
    for other in range(900, 908):
        bench.vendor.chats[other] = Chat(other, "private")
    for other in range(900, 907):
        await bot.send_message(other, "the 24th to the 30th of this second")
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as refused:
        await bot.send_message(907, "the 31st")
    assert refused.value.retry_after <= 2


async def test_a_revoked_token_and_the_vendors_own_failures(bench: Bench, bot: "aiogram.Bot") -> None:
    bench.fail("500", times=1)
    with pytest.raises(aiogram.exceptions.TelegramServerError):
        await bot.get_me()
    bench.fail("429", times=1)
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter):
        await bot.get_me()
    bench.vendor.tokens = set()
    with pytest.raises(aiogram.exceptions.TelegramUnauthorizedError):
        await bot.get_me()


async def test_updates_are_confirmed_by_the_next_offset(bench: Bench, bot: "aiogram.Bot") -> None:
    sent = await bot.send_message(int(CHAT), "раз")
    bench.vendor.press(int(CHAT), sent.message_id, "ack:1")
    bench.vendor.say(TOKEN, int(CHAT), "/start vk_autumn_17")
    first, second = await bot.get_updates()
    assert first.callback_query is not None
    assert first.callback_query.data == "ack:1"
    assert await bot.answer_callback_query(first.callback_query.id, text="Готово")
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(first.callback_query.id)
    assert second.message is not None
    assert second.message.text == "/start vk_autumn_17"
    assert len(await bot.get_updates()) == 2, "unconfirmed ones come again"
    assert await bot.get_updates(offset=second.update_id + 1) == []


async def test_updates_and_a_webhook_exclude_each_other(bot: "aiogram.Bot") -> None:
    await bot.set_webhook("https://hub.example.com/in/tg")
    assert (await bot.get_webhook_info()).url == "https://hub.example.com/in/tg"
    with pytest.raises(aiogram.exceptions.TelegramConflictError, match="can't use getUpdates"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []


async def test_what_was_written_survives_a_restart(bench: Bench, bot: "aiogram.Bot") -> None:
    await bot.send_message(int(CHAT), "<b>раз</b>", parse_mode="HTML")
    bench.vendor.say(TOKEN, int(CHAT), "привет")
    saved = bench.vendor.snapshot()
    bench.vendor.messages.clear()
    bench.vendor.updates.clear()
    bench.vendor.restore(saved)
    assert bench.texts() == ["раз"]
    assert len(await bot.get_updates()) == 1
    assert (await bot.send_message(int(CHAT), "два")).message_id == 3
