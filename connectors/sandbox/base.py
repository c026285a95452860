"""What every sandbox vendor shares: the request it is given, the answer it makes, the faults put in its way.

A vendor is a plain object with state in memory: `handle` takes a request, changes the
state at once and answers. Everything that goes wrong between the two ends (hangs, resets,
lost answers, gateways) happens in `FaultLayer`, the same for all vendors.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

import httpx

from connectors.sandbox.posts import Posts, Sending
from leads.clock import Clock

FaultKind = Literal[
    "500",  # vendor's own 500, nothing done
    "500_after",  # the work is done, then 500
    "502",  # gateway page in HTML, nothing done
    "504_late",  # gateway gives up at once; the work is done `delay_s` seconds later
    "429",  # the vendor's own rate answer
    "503",  # the vendor's own overload answer
    "401",  # the vendor's own expired-token answer
    "403",  # the vendor's own answer to what the token has no right to do
    "hang",  # no answer for `delay_s`, nothing done
    "slow",  # answers after `delay_s`
    "reset",  # connection cut before the work
    "reset_after",  # the work is done, then the connection is cut: the answer is lost
    "html200",  # maintenance page with status 200, nothing done
    "truncated",  # the work is done, half of the JSON arrives
    "down",  # nobody listens
]

OwnFault = Literal["500", "429", "503", "401", "403"]
"""Those that each vendor says in its own words."""


@dataclass(slots=True)
class Fault:
    """`match` is a part of "METHOD /path"; `share` a probability; `times` how many more it hits (-1: any number)."""

    kind: FaultKind
    match: str = ""
    share: float = 1.0
    times: int = -1
    delay_s: float = 5.0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body or b"null")

    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def param(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True)
class SandboxResponse:
    """`body` as JSON unless it is bytes; None is an empty body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Table:
    """What the sandbox page shows of one kind of record, newest first."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


class VendorSandbox(Protocol):
    name: str

    def handle(self, request: SandboxRequest) -> SandboxResponse: ...

    def fault_answer(self, kind: OwnFault) -> SandboxResponse:
        """What this vendor says when it fails that way."""
        ...

    def tables(self) -> list[Table]: ...


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
MAINTENANCE = "<!DOCTYPE html><html><body><h1>Технические работы</h1></body></html>".encode()


class FaultLayer:
    """ASGI application around one vendor: reads the request, lets faults happen, answers."""

    def __init__(self, vendor: VendorSandbox, clock: Clock, rng: random.Random | None = None) -> None:
        self.vendor = vendor
        self.clock = clock
        self.faults: list[Fault] = []
        self.spared: tuple[str, ...] = ()
        """Paths that no fault hits, by their beginning."""
        self.requests: list[tuple[float, str, str]] = []
        """(monotonic seconds, method, path) of all that came in, faults included."""
        self.sending: Sending | None = None
        """What brings the vendor's webhooks to who subscribed; None: they stay in `vendor.posts`."""
        self._rng = rng or random.Random()
        self._late: dict[asyncio.Task[None], SandboxRequest] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await read(scope, receive)
        self.requests.append((self.clock.monotonic(), request.method, request.path))
        fault = self._pick(request)
        try:
            if fault is None:
                await answer(send, self.vendor.handle(request))
            else:
                await self._fail(fault, request, send)
        finally:
            self.send_posts()

    def send_posts(self) -> None:
        if self.sending is not None and isinstance(self.vendor, Posts):
            self.sending.go_on(self.vendor.posts)

    def _pick(self, request: SandboxRequest) -> Fault | None:
        if self.spared and request.path.startswith(self.spared):
            return None
        line = f"{request.method} {request.path}"
        for fault in self.faults:
            if fault.times != 0 and fault.match in line and (fault.share >= 1 or self._rng.random() < fault.share):
                fault.times -= 1 if fault.times > 0 else 0
                fault.hits += 1
                return fault
        return None

    async def _fail(self, fault: Fault, request: SandboxRequest, send: Send) -> None:
        match fault.kind:
            case "500" | "429" | "503" | "401" | "403":
                await answer(send, self.vendor.fault_answer(fault.kind))
            case "500_after":
                self.vendor.handle(request)
                await answer(send, self.vendor.fault_answer("500"))
            case "502":
                await answer(send, SandboxResponse(502, GATEWAY, content_type="text/html"))
            case "504_late":
                self._later(fault.delay_s, request)
                await answer(send, SandboxResponse(504, GATEWAY.replace(b"502", b"504"), content_type="text/html"))
            case "hang":
                await self.clock.sleep(fault.delay_s)
                _cut(send)
            case "slow":
                await self.clock.sleep(fault.delay_s)
                await answer(send, self.vendor.handle(request))
            case "reset":
                _cut(send)
            case "reset_after":
                self.vendor.handle(request)
                _cut(send)
            case "html200":
                await answer(send, SandboxResponse(200, MAINTENANCE, content_type="text/html; charset=utf-8"))
            case "truncated":
                response = self.vendor.handle(request)
                body = response.encoded()
                cut = SandboxResponse(response.status, body[: max(1, len(body) // 2)], content_type="application/json")
                await answer(send, cut)
            case "down":
                _cut(send, never_connected=True)

    def _later(self, delay_s: float, request: SandboxRequest) -> None:
        async def land() -> None:
            await self.clock.sleep(delay_s)
            self.vendor.handle(request)

        task = asyncio.get_running_loop().create_task(land())
        self._late[task] = request
        task.add_done_callback(lambda done: self._late.pop(done, None))

    def land(self) -> None:
        """What a gateway gave up on is done now, not at its time."""
        while self._late:
            task, request = self._late.popitem()
            task.cancel()
            self.vendor.handle(request)


def _cut(send: Send, *, never_connected: bool = False) -> None:
    """Cuts the connection with no answer: for real under uvicorn, as httpx's own error in one process."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise httpx.ConnectError("refused") if never_connected else httpx.ReadError("reset")
    transport.abort()


async def read(scope: Scope, receive: Receive) -> SandboxRequest:
    """The whole request; its path is without the prefix that the application is mounted at."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    root = scope.get("root_path", "")
    return SandboxRequest(
        method=scope["method"],
        path=scope["path"].removeprefix(root) if root else scope["path"],
        query=parse_qsl(scope["query_string"].decode(), keep_blank_values=True),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def answer(send: Send, response: SandboxResponse) -> None:
    """Sends the response whole."""
    body = response.encoded()
    headers = {"content-type": response.content_type, "content-length": str(len(body)), **response.headers}
    if not body:
        headers.pop("content-type")
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
