"""Requests to an ASGI application in this process, without what httpx's own transport does for every one of them:
it looks along the whole path for a library that is not there, which takes longer than most answers."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx

Message = MutableMapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]
ANYBODY = ("127.0.0.1", 123)


async def answered(
    app: Application, request: httpx.Request, body: bytes, client: tuple[str, int] = ANYBODY
) -> httpx.Response:
    """The whole answer to `request` with `body`. What the application raises comes through."""
    url = request.url
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": client,
        "root_path": "",
    }
    status, headers, parts = 0, [], []
    asked, done = False, asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await done.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message.get("headers", [])
            return
        if request.method != "HEAD":
            parts.append(message.get("body", b""))
        if not message.get("more_body"):
            done.set()

    await app(scope, receive, send)
    assert done.is_set(), "the application ended before its answer did"
    return httpx.Response(status, headers=headers, content=b"".join(parts))


class InProcess(httpx.AsyncBaseTransport):
    """The same as a client's transport."""

    def __init__(self, app: Application, client: tuple[str, int] = ANYBODY) -> None:
        self._app = app
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await answered(self._app, request, await request.aread(), self._client)
