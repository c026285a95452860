"""A hub and a site as a browser sees them: two origins on loopback; the hub can be down, slow or refuse."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class StubHub:
    """Keeps what was posted. `status` is what it answers; `delay_s` how long it thinks before that."""

    status: int = 202
    delay_s: float = 0.0
    script: bytes = b""
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(path with query, JSON) of every POST that arrived, answered or not."""
    port: int = 0
    _server: asyncio.Server | None = None
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def leads(self) -> list[dict[str, Any]]:
        return [lead for _, lead in self.posts]

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Nobody listens until the next `up`."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def has(self, count: int, timeout_s: float = 120.0) -> None:
        """Waits until so many posts arrived."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.posts) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _, body = await _request(reader)
        if method == "GET":
            await _write(writer, (200, {"content-type": "text/javascript"}, self.script))
            return
        if method == "POST":
            async with self._arrived:
                self.posts.append((target, json.loads(body)))
                self._arrived.notify_all()
        status = self.status
        await asyncio.sleep(self.delay_s)
        answer = json.dumps({"lead_id": f"id-{len(self.posts)}", "status": "accepted"}).encode()
        await _write(writer, (status, {"access-control-allow-origin": "*", "content-type": "application/json"}, answer))


@dataclass
class StubSite:
    """Pages by path; a page is HTML or an answer of its own."""

    pages: dict[str, str | Answer] = field(default_factory=dict)
    posts: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _, body = await _request(reader)
        self.requests.append(f"{method} {target}")
        if method == "POST":
            self.posts.append((target, body.decode()))
        page = self.pages.get(target.partition("?")[0], (404, {}, b""))
        if isinstance(page, str):
            page = (200, {"content-type": "text/html; charset=utf-8", **self.headers}, page.encode())
        await _write(writer, page)


@asynccontextmanager
async def running_hub(script: bytes = b"") -> AsyncIterator[StubHub]:
    hub = StubHub(script=script)
    await hub.up()
    yield hub
    await hub.down()


@asynccontextmanager
async def running_site() -> AsyncIterator[StubSite]:
    site = StubSite()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()


async def eventually(true: Callable[[], bool], timeout_s: float = 120.0) -> None:
    """Waits for a statement about the outside to become true."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.02)


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:  # a browser that opened a connection in advance
        return "", "", {}, b""
    request_line, *lines = head.rstrip().split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return method, target, headers, body


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        pass  # the browser left
