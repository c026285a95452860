"""Connections to a vendor that are found without a search.

httpcore's pool walks all its connections for every request; with sixty of them that cost more than everything
else in a delivery. Here they lie in a stack: the one used last is taken first, which also keeps the fewest open.
"""

import ssl
from collections import deque
from typing import Any

import httpcore
import httpx

from connectors.wire import AsyncioBackend
from leads.clock import Clock

IDLE_S = 20.0
"""A connection unused for so long is closed: vendors close theirs after 15 to 75 s."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes. An answer that is longer is cut off: what asks for it has pages."""

_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}

Where = tuple[bytes, bytes, int]


class StackedTransport(httpx.AsyncBaseTransport):
    """Opens as many connections as there are requests at a time: who limits them is the caller.

    HTTP/1.1, no proxy. The answer comes back whole. Raises httpx.TransportError.
    """

    def __init__(self, clock: Clock, verify: ssl.SSLContext) -> None:
        self._clock = clock
        self._verify = verify
        self._network = AsyncioBackend()
        self._idle: dict[Where, deque[tuple[float, httpcore.AsyncHTTPConnection]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        origin = target.origin
        stack = self._idle.setdefault((origin.scheme, origin.host, origin.port), deque())
        asked = httpcore.Request(
            method=request.method,
            url=target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            return await self._answer(stack, origin, asked)
        except tuple(_ERRORS) as error:
            raise _ERRORS[type(error)](str(error), request=request) from error

    async def _answer(
        self, stack: deque[tuple[float, httpcore.AsyncHTTPConnection]], origin: Any, asked: httpcore.Request
    ) -> httpx.Response:
        one = await self._taken(stack) or httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._verify, keepalive_expiry=IDLE_S, network_backend=self._network
        )
        try:
            answer = await one.handle_async_request(asked)
            parts, size = [], 0
            try:
                async for part in answer.aiter_stream():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_ANSWER:
                        raise httpcore.RemoteProtocolError(f"the answer is longer than {MAX_ANSWER} bytes")
            finally:
                await answer.aclose()
        finally:
            if one.is_idle() and not one.is_closed():
                stack.append((self._clock.monotonic(), one))
            else:
                await one.aclose()
        return httpx.Response(answer.status, headers=answer.headers, content=b"".join(parts))

    async def _taken(
        self, stack: deque[tuple[float, httpcore.AsyncHTTPConnection]]
    ) -> httpcore.AsyncHTTPConnection | None:
        oldest = self._clock.monotonic() - IDLE_S
        while stack and stack[0][0] < oldest:
            await stack.popleft()[1].aclose()
        while stack:
            one = stack.pop()[1]
            if not one.has_expired():
                return one
            await one.aclose()
        return None

    async def aclose(self) -> None:
        for stack in self._idle.values():
            while stack:
                await stack.pop()[1].aclose()
