"""What every answer of console and API has: headers that keep other sites out, and a limit on what is read."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from web.intake import Receive, Scope, Send

MAX_BODY = 256_000
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
)
HSTS = ("strict-transport-security", "max-age=31536000")
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """The body is over MAX_BODY."""


class Guard:
    """ASGI wrapper. `https`: the public address is HTTPS, so browsers may be told to stay there."""

    def __init__(self, app: App, *, https: bool) -> None:
        self._app = app
        own = [*HEADERS, HSTS] if https else list(HEADERS)
        self._headers = [(name.encode(), value.encode()) for name, value in own]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded_send(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name.lower() for name, _ in message.get("headers", ())}
                more = [pair for pair in self._headers if pair[0] not in present]
                if b"cache-control" not in present:  # people's data stays out of shared and disk caches
                    more.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            if _declared(scope) > MAX_BODY:
                raise _TooLarge
            await self._app(scope, _limited(receive), guarded_send)
        except _TooLarge:
            if started:
                raise
            body = json.dumps({"error": f"the request is larger than {MAX_BODY} bytes", "details": []}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await guarded_send({"type": "http.response.start", "status": 413, "headers": headers})
            await guarded_send({"type": "http.response.body", "body": body})


def _declared(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def _limited(receive: Receive) -> Receive:
    size = 0

    async def limited() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise _TooLarge
        return message

    return limited
