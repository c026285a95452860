"""HTTP/1.1 to a vendor, over connections that are found without a search.

httpcore, which httpx brings along, walks all its connections for every request, makes locks and cancel scopes of each
step and reads answers in Python: half of a call's work. httptools is what the hub's own server reads requests with.
Connections lie in a stack: the one used last is taken first, which also keeps the fewest open.
"""

import ssl
from collections import deque

import httptools
import httpx

from connectors.wire import Network, Wire
from leads.clock import Clock

IDLE_S = 20.0
"""A connection unused for so long is closed: vendors close theirs after 15 to 75 s."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes. An answer that is longer is cut off: what asks for it has pages."""
MAX_HEAD = 256 * 1024
"""Bytes of status and headers."""
PORTS = {"http": 80, "https": 443}
LENGTHS = {b"content-length", b"transfer-encoding"}
"""Headers that say where a body ends."""

LEAVES = "leaves"
"""An extension of a request: a function that is called as its first byte is about to leave, and may raise instead."""

Where = tuple[str, str, int]
Stack = deque[tuple[float, Wire]]


class StackedTransport(httpx.AsyncBaseTransport):
    """Opens as many connections as there are requests at a time: who limits them is the caller.

    HTTP/1.1, no proxy. The answer comes back whole. Raises httpx.TransportError.
    """

    def __init__(self, clock: Clock, tls: ssl.SSLContext) -> None:
        self._clock = clock
        self._tls = tls
        self._network = Network()
        self._idle: dict[Where, Stack] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in PORTS:
            raise httpx.UnsupportedProtocol(f"neither http nor https: {url.scheme!r}", request=request)
        where = url.scheme, url.raw_host.decode(), url.port or PORTS[url.scheme]
        stack = self._idle.setdefault(where, deque())
        try:
            return await self._answer(stack, where, request)
        except httpx.TransportError as error:
            error.request = request
            raise

    async def _answer(self, stack: Stack, where: Where, request: httpx.Request) -> httpx.Response:
        sent = _head(request) + await request.aread()
        times = request.extensions.get("timeout", {})
        scheme, host, port = where
        wire = self._taken(stack) or await self._network.connect(
            host, port, self._tls if scheme == "https" else None, times.get("connect")
        )
        again = False
        try:
            if (leaves := request.extensions.get(LEAVES)) is not None:
                leaves()
            try:
                await wire.write(sent, times.get("write"))
            except httpx.WriteError:
                if not wire.has_come():  # else it is told why not all of the request was taken: "413" and the like
                    raise
            answer = _Answer()
            while not answer.complete:
                answer.take(await wire.read(times.get("read")))
            response = httpx.Response(answer.status, headers=answer.headers, content=b"".join(answer.parts))
            again = answer.keeps_alive and wire.is_quiet()
        finally:
            if again:
                stack.append((self._clock.monotonic(), wire))
            else:
                wire.abort()  # `close` would still send what of the request waits here, long after it was given up
        return response

    def _taken(self, stack: Stack) -> Wire | None:
        oldest = self._clock.monotonic() - IDLE_S
        while stack and stack[0][0] < oldest:
            stack.popleft()[1].close()
        while stack:
            wire = stack.pop()[1]
            if wire.is_quiet():
                return wire
            wire.close()
        return None

    async def aclose(self) -> None:
        for stack in self._idle.values():
            while stack:
                stack.pop()[1].close()


def _head(request: httpx.Request) -> bytes:
    """Raises httpx.LocalProtocolError for what would end a line early."""
    raw = request.headers.raw
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in raw]
    head = b"\r\n".join([*lines, b"", b""])
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
        raise httpx.LocalProtocolError("a header has a line break in it")
    return head


class _Answer:
    """What has been read of one; httptools calls the methods that begin with `on_`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.complete = False
        self.keeps_alive = False
        self._size = 0
        self._in_body = False
        self._parser = httptools.HttpResponseParser(self)
        # What h11 and browsers read too, and some old servers and proxies write; nothing of it makes a body ambiguous.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,  # the length beside it does not count
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def take(self, data: bytes) -> None:
        """b"": the connection has ended. Raises httpx.RemoteProtocolError."""
        if not data:
            self._end()
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise httpx.RemoteProtocolError(f"this is no HTTP: {error}") from error
            self.keeps_alive = False  # what came after the answer belongs to nothing
        if self._size > (MAX_ANSWER if self._in_body else MAX_HEAD):
            raise httpx.RemoteProtocolError(f"the answer is longer than {self._size} bytes")

    def _end(self) -> None:
        if not self._in_body or self._names() & LENGTHS:
            raise httpx.RemoteProtocolError("the connection ended before the answer did")
        self.complete = True

    def _names(self) -> set[bytes]:
        return {name.lower() for name, _ in self.headers}

    def on_message_begin(self) -> None:
        if self.complete:
            self.keeps_alive = False
            raise httptools.HttpParserError("more than one answer")
        self.headers = []  # of "100 Continue" and the like

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # what comes after the body says nothing of it any more
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._in_body = self.status >= httpx.codes.OK

    def on_body(self, data: bytes) -> None:
        self.parts.append(data)

    def on_message_complete(self) -> None:
        if self._in_body:
            self.complete = True
            # With two lengths, whoever stands between may have read the other one.
            self.keeps_alive = self._parser.should_keep_alive() and not self._names() >= LENGTHS
