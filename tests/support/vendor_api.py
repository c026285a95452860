"""A vendor's API in a test: notes what it is asked, byte for byte, and answers as the test says."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from connectors.doors import Door, Parsed
from connectors.events import ParsedCall
from connectors.links import LinkOpening
from tests.simulate.virtual import SimClock, VirtualLoop


@dataclass(frozen=True, slots=True)
class Asked:
    """`path` as sent, without the query; `query` and `body` byte for byte."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Answer:
    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False).encode()


class FakeVendor:
    """An ASGI application. `answers` makes an Answer, or anything that is the body of a good one; None breaks off."""

    def __init__(self, answers: Callable[[Asked], Any]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path = scope["raw_path"].decode().partition("?")[0]
        asked = Asked(scope["method"], path, scope["query_string"].decode(), headers, body)
        self.asked.append(asked)
        made = self.answers(asked)
        if made is None:
            raise httpx.ReadError("broken off")
        answer = made if isinstance(made, Answer) else Answer(body=made)
        kind = "text/plain" if isinstance(answer.body, str) else "application/json"
        sent = {"content-type": "audio/mpeg" if isinstance(answer.body, bytes) else kind, **answer.headers}
        head = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        await send({"type": "http.response.body", "body": answer.bytes()})

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


class AtThatTime(SimClock):
    """Virtual time that begins at a moment of the test's choice."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        super().__init__(loop, random.Random(1))
        self.skew = start - self.now()


def opened(door: Door, vendor: FakeVendor, now: datetime, **settings: Any) -> Any:
    """The door's link on virtual time, with the fake vendor instead of the network; the test is `@virtual`."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "the test is not @virtual"
    assert door.link is not None
    clock = AtThatTime(loop, now)
    transport = httpx.ASGITransport(app=vendor)
    made = door.settings.model_validate(settings)
    return door.link(LinkOpening("pbx", made, clock, "RU", transport))


async def listed(link: Any, since: datetime, until: datetime) -> list[ParsedCall]:
    """All calls of the window."""
    return [call for parsed in await parsed_of(link, since, until) for call in parsed.calls]


async def parsed_of(link: Any, since: datetime, until: datetime) -> list[Parsed]:
    return [parsed async for parsed in link.history(since, until)]


async def sound(told: tuple[str, Any]) -> tuple[str, bytes]:
    """A recording as a whole."""
    kind, chunks = told
    return kind, b"".join([chunk async for chunk in chunks])
