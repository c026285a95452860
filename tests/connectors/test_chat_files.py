"""Files of messengers that come as ids: fetched with the token, which nobody else is given."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from connectors.errors import PermanentError
from connectors.links import Files, LinkOpening
from connectors.registry import SOURCES
from leads.clock import SystemClock

PNG = b"\x89PNG" + bytes(200)


def link(vendor: str, answer: Callable[[httpx.Request], httpx.Response], **settings: Any) -> Files:
    door = SOURCES[vendor]
    assert door.link is not None
    made = door.settings.model_validate(settings)
    opened = door.link(LinkOpening("chat", made, SystemClock(), "RU", httpx.MockTransport(answer)))
    assert isinstance(opened, Files)
    return opened


async def read(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in content])


async def test_telegram_gives_the_path_of_a_file_and_then_the_file() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/getFile"):
            assert b"AgAC-1" in request.content
            return httpx.Response(200, json={"ok": True, "result": {"file_id": "AgAC-1", "file_path": "photos/1.png"}})
        return httpx.Response(200, content=PNG, headers={"content-type": "application/octet-stream"})

    telegram = link("telegram", answer, bot_token="1:secret", api_url="https://api.telegram.test")
    kind, content = await telegram.file("AgAC-1")
    assert (kind, await read(content)) == ("image/png", PNG)
    assert asked == ["/bot1:secret/getFile", "/file/bot1:secret/photos/1.png"]


async def test_a_file_that_telegram_does_not_give_any_more_is_gone_without_the_token_in_the_reason() -> None:
    said = {"ok": False, "error_code": 400, "description": "Bad Request: wrong file_id 1:secret"}
    telegram = link("telegram", lambda _: httpx.Response(400, json=said), bot_token="1:secret")
    with pytest.raises(PermanentError) as caught:
        await telegram.file("x")
    assert "secret" not in str(caught.value)


async def test_meta_s_address_of_a_file_is_asked_with_the_token_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer token-1"
        if request.url.host == "graph.test":
            assert request.url.path == "/1003383421387256"
            return httpx.Response(200, json={"url": "https://lookaside.test/x?mid=1", "mime_type": "image/png"})
        return httpx.Response(200, content=PNG, headers={"content-type": "image/png"})

    whatsapp = link(
        "whatsapp", answer, access_token="token-1", phone_number_id="10654", api_url="https://graph.test", url_token="t"
    )
    kind, content = await whatsapp.file("1003383421387256")
    assert (kind, await read(content)) == ("image/png", PNG)
    with pytest.raises(PermanentError):
        await whatsapp.file("../me")


async def test_a_file_of_360dialog_comes_from_its_own_host_whatever_host_is_named() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.url.host, request.headers["d360-api-key"]) == ("d360.test", "key-1")
        if request.url.path == "/1003383421387256":
            return httpx.Response(200, json={"url": "https://lookaside.fbsbx.com/whatsapp/x?mid=1&ext=2"})
        assert (request.url.path, request.url.query) == ("/whatsapp/x", b"mid=1&ext=2")
        return httpx.Response(200, content=PNG, headers={"content-type": "image/png"})

    d360 = link("360dialog", answer, api_key="key-1", api_url="https://d360.test", url_token="t")
    kind, content = await d360.file("1003383421387256")
    assert (kind, await read(content)) == ("image/png", PNG)
