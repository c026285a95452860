"""The conversation on the page of a lead: shown, answered once, and what a person decides."""

import re
from typing import Any

import httpx

from tests.support.chatting import ANNA, Chat, sent_by_us, the_conversation
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

ALL = "  - {from: ['*'], to: [amo]}"
BOT = "tg: {type: telegram, secret_token: s3cret, bot_token: '1:sandbox', api_url: 'http://tg.test'}"
HERE = {"host": "127.0.0.1:8080"}


class Browser:
    """A person at the machine of the hub."""

    def __init__(self, h: VirtualHub) -> None:
        self.h = h
        self.cookies: dict[str, str] = {}

    async def _ask(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**HERE, **({"cookie": cookie} if cookie else {})}
        answer = await self.h.request(method, path, ip="127.0.0.1", headers=headers, **kwargs)
        self.cookies |= dict(answer.cookies)
        return answer

    async def lead(self) -> str:
        answer = await self._ask("GET", f"/leads/{self.h.leads()[0].id}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def press(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Sends the form of the page that leads there."""
        form = next(one for one in re.findall(r"<form.*?</form>", page, re.S) if f'action="{action}"' in one)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        return await self._ask("POST", action, data={**hidden, **fields})


def read_by_anna(h: VirtualHub) -> list[str]:
    return [message.text for message in h.telegram.chat_messages(ANNA["id"])]


@virtual
async def test_a_person_reads_the_conversation_and_answers_it_once() -> None:
    async with hub(config(ALL, sources=BOT)) as h:
        await Chat(h).say("Сколько <b>стоит</b>?")
        browser = Browser(h)
        page = await browser.lead()
        assert "Переписка: Telegram" in page
        assert "Сколько &lt;b&gt;стоит&lt;/b&gt;?" in page
        action = f"/conversations/{the_conversation(h).id}/reply"
        for _ in range(2):  # pressed twice
            assert (await browser.press(page, action, text="10 000")).status_code == 303
        await h.until(lambda: sent_by_us(h) == ["sent"], 20.0)
        assert read_by_anna(h) == ["10 000"]
        assert "10 000" in await browser.lead()


@virtual
async def test_an_answer_without_the_token_of_the_form_is_not_taken() -> None:
    async with hub(config(ALL, sources=BOT)) as h:
        await Chat(h).say("Привет")
        browser = Browser(h)
        page = await browser.lead()
        action = f"/conversations/{the_conversation(h).id}/reply"
        await browser.press(page, action, text="10 000", token="forged")
        await h.wait(10.0)
        assert sent_by_us(h) == []


@virtual
async def test_of_a_message_that_may_have_arrived_a_person_decides() -> None:
    async with hub(config(ALL, sources=BOT)) as h:
        await Chat(h).say("Привет")
        browser = Browser(h)
        h.fault("telegram", "reset_after", "/sendMessage", times=1)
        await browser.press(await browser.lead(), f"/conversations/{the_conversation(h).id}/reply", text="Да")
        await h.until(lambda: sent_by_us(h) == ["unknown"], 60.0)
        page = await browser.lead()
        assert "неизвестно, дошло ли" in page
        assert "Решите: 1 сообщение клиенту" in page
        assert "Нет связи с Telegram (их сторона или сеть)" in page
        await h.wait(5.0)
        await browser.press(page, f"/conversations/{the_conversation(h).id}/reply", text="Ещё раз")
        await h.until(lambda: "sent" in sent_by_us(h), 60.0)
        page = await browser.lead()
        assert page.index(">Да<") < page.index(">Ещё раз<")  # in the order in which it was said
        action = next(iter(re.findall(r'action="(/messages/[^"]+/discard)"', page)))
        await browser.press(page, action)
        assert sorted(sent_by_us(h)) == ["discarded", "sent"]


@virtual
async def test_a_source_without_a_token_says_why_nobody_can_answer() -> None:
    async with hub(config(ALL, sources="tg: {type: telegram, secret_token: s3cret}")) as h:
        await Chat(h).say("Привет")
        page = await Browser(h).lead()
        assert "Отвечать отсюда нельзя" in page
        assert "<textarea" not in page
