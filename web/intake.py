"""`/in/{source}`: reads the request, hands it to the intake, answers. Plain ASGI, because every lead passes here."""

import asyncio
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from connectors.doors import Inbound, Refused, Reply
from jobs.intake.service import IntakeService, SpoolUnavailable
from jobs.intake.source import Source
from jobs.sources.trial import HEADER, Trials
from leads.clock import Clock

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX = "/in/"
RETRY_AFTER_S = 5
# A refused body is read to its end, within these bounds: a sender that is still writing when the connection
# closes sees a broken pipe instead of the answer.
DRAIN_BYTES = 64_000_000
DRAIN_S = 10.0


class TooLarge(Exception):
    """The body is over the limit; what there was of it has been read."""


class ClientGone(Exception):
    """The sender hung up before the body was complete."""


class IntakeApp:
    """ASGI application for everything under `/in/`."""

    def __init__(
        self,
        intake: IntakeService,
        clock: Clock,
        *,
        max_body: int,
        trusted_proxies: Sequence[Network] = (),
        public_url: str = "",
        trials: Trials | None = None,
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._max_body = max_body
        self._trusted = trusted_proxies
        self._public_url = public_url.rstrip("/")
        self._trials = trials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, _, tail = scope["path"][len(PREFIX) :].partition("/")
        source = self._intake.source(name)
        headers = headers_of(scope)
        if source is None:
            await drain(receive)
            await send_reply(send, error_reply(404, "unknown source"))
            return
        cors = source.settings.cors_headers(headers.get("origin", ""))
        try:
            reply = await self._answer(source, tail, scope, headers, receive)
        except TooLarge:
            await self._intake.refusals.too_large(source.name, self._max_body)
            reply = error_reply(413, f"the request is larger than {self._max_body} bytes")
        except ClientGone:
            return
        except SpoolUnavailable:
            log.error("neither database nor spool can be written", extra={"event": "intake.closed"})
            reply = error_reply(503, "cannot store anything now, please send it again")
            reply.headers["retry-after"] = str(RETRY_AFTER_S)  # type: ignore[index]  # it makes a dict
        await send_reply(send, reply, cors)

    async def _answer(
        self, source: Source, tail: str, scope: Scope, headers: dict[str, str], receive: Receive
    ) -> Reply:
        method = scope["method"]
        if method == "OPTIONS":
            return Reply(204, b"")
        if method not in ("POST", "GET"):
            return error_reply(405, "send it with POST")
        inbound = await self.inbound(scope, headers, tail, receive)
        if self._trials is not None and HEADER in headers:
            return await self._trials.answer(source, inbound)
        if method == "GET":
            try:
                found = source.door.handshake(source.settings, inbound)
            except Refused as refusal:
                return await self._intake.refusals.refuse(source.name, inbound, refusal.status, refusal.reason)
            if found or "GET" not in source.door.methods:
                return found or error_reply(405, "send it with POST")
        return await self._intake.receive(source, inbound)

    async def inbound(self, scope: Scope, headers: dict[str, str], tail: str, receive: Receive) -> Inbound:
        """The request, read to its end. Raises TooLarge, ClientGone."""
        body = await self._body(headers, receive)
        return Inbound(
            method=scope["method"],
            path_tail=unquote(tail),
            query=parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="replace"),
            headers=headers,
            body=body,
            remote_ip=self._remote_ip(scope, headers),
            received_at=self._clock.now(),
            url=self._url(scope, headers),
        )

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body:
            await drain(receive)
            raise TooLarge
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            more = message.get("more_body")
            if size > self._max_body:
                if more:  # after the last part nothing comes any more: to wait for it would hold up the answer
                    await drain(receive)
                raise TooLarge
            parts.append(part)
            if not more:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _remote_ip(self, scope: Scope, headers: dict[str, str]) -> str:
        """The sender's address: of the connection, or what a trusted proxy says, read from the right."""
        client = scope.get("client")
        address = str(client[0]) if client else ""
        if not self._trusted or not self._is_trusted(address):
            return address
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            hop = hop.strip()
            if _address_of(hop) is None:
                break
            address = hop
            if not self._is_trusted(hop):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        found = _address_of(address)
        return found is not None and any(found in network for network in self._trusted)

    def _url(self, scope: Scope, headers: dict[str, str]) -> str:
        """The address as the sender was told it: vendors sign it."""
        query = scope["query_string"].decode("latin-1")
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0] + (f"?{query}" if query else "")
        base = self._public_url or f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"
        return base + path


def headers_of(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def drain(receive: Receive) -> None:
    """Read and forget the rest of the body, at most DRAIN_BYTES in DRAIN_S seconds."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while size <= DRAIN_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return


@lru_cache(maxsize=4096)  # few send much; reading an address takes as long as reading a small body
def _address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def error_reply(status: int, reason: str) -> Reply:
    return Reply(status, json.dumps({"error": reason}).encode(), headers={})


async def send_reply(
    send: Send, reply: Reply, more: dict[str, str] | None = None, *, without_body: bool = False
) -> None:
    headers = {"content-type": reply.content_type, "content-length": str(len(reply.body)), **reply.headers}
    if more:
        headers.update(more)
    if reply.status == 204:
        headers.pop("content-type")
        headers.pop("content-length")
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if without_body else reply.body})
