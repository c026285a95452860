"""Bytes to and from a vendor, on asyncio itself: connections below the transport."""

import asyncio
import socket
import ssl
from typing import Any

import httpx

FALLBACK_S = 1.0
"""So long one address may keep us waiting while there is another: a host with broken IPv6 must stay reachable."""


class Network:
    """Opens connections; remembers which family of addresses answered last and asks it first."""

    def __init__(self) -> None:
        self._family = 0

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float | None) -> "Wire":
        """`timeout_s` for everything, and once more for TLS. Raises httpx.ConnectError, httpx.ConnectTimeout."""
        wire: Wire | None = None
        try:
            async with asyncio.timeout(timeout_s):
                wire = await self._connect(host, port)
            wire.must_be_quiet()  # else what anybody on the way said in the clear would be read as the vendor's answer
            if tls is not None:
                async with asyncio.timeout(timeout_s):
                    await wire.encrypt(tls, host)
                wire.must_be_quiet()
        except BaseException as error:
            if wire is not None:
                wire.abort()
            if isinstance(error, TimeoutError):
                raise httpx.ConnectTimeout("no connection") from None
            if isinstance(error, OSError):  # ssl.SSLError is one
                raise httpx.ConnectError(str(error)) from error
            raise
        return wire

    async def _connect(self, host: str, port: int) -> "Wire":
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = sorted(dict.fromkeys((family, address) for family, _, _, _, address in found), key=self._order)
        error: OSError = OSError(f"no address for {host}")
        for family, address in addresses:
            last = (family, address) == addresses[-1]
            try:
                async with asyncio.timeout(None if last else FALLBACK_S):
                    _, wire = await loop.create_connection(Wire, str(address[0]), port, family=family)
            except (OSError, TimeoutError) as exc:
                if last and isinstance(exc, TimeoutError):
                    raise
                error = exc if isinstance(exc, OSError) else error
                continue
            self._family = family
            return wire
        raise error

    def _order(self, one: tuple[int, Any]) -> int:
        return one[0] != self._family


class Wire(asyncio.Protocol):
    """One connection. Reads what has come, up to its end."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # --- what asyncio tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._writable.set()  # it said all it will say: nothing is won by sending it the rest
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # --- what the transport asks --------------------------------------------------------------

    def is_quiet(self) -> bool:
        """While nothing is asked: the vendor has neither ended it nor said anything."""
        return not (self._ended or self._buffer or self._transport.is_closing())

    def must_be_quiet(self) -> None:
        """Of a new connection. Raises ConnectionError."""
        if not self.is_quiet():
            raise ConnectionError("the other end hung up or spoke before it was asked")

    def has_come(self) -> bool:
        """Whether there is something to read at once."""
        return bool(self._buffer)

    async def read(self, timeout_s: float | None = None) -> bytes:
        """b"" at the end. Raises httpx.ReadError, httpx.ReadTimeout."""
        if not self._buffer and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._reader
            except TimeoutError:
                raise httpx.ReadTimeout("no answer") from None
            finally:
                self._reader = None
        if not self._buffer and self._error is not None:
            raise httpx.ReadError(type(self._error).__name__) from self._error
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    async def write(self, data: bytes, timeout_s: float | None = None) -> None:
        """Raises httpx.WriteError, httpx.WriteTimeout."""
        if self._transport.is_closing():
            raise httpx.WriteError("the connection is closed")
        self._transport.write(data)
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._writable.wait()
            except TimeoutError:
                raise httpx.WriteTimeout("the request is not taken") from None
            if self._error is not None:
                raise httpx.WriteError(type(self._error).__name__) from self._error

    async def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, tls, server_hostname=host)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
