"""Bytes to and from a vendor, on asyncio itself: the network below httpcore.

httpcore's own network layer goes through anyio, which makes a cancel scope and a checkpoint of every read and
write. Of a delivery that makes six small calls this was a sixth of all work.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

UNSENT_BYTES = 16_384
FALLBACK_S = 1.0
"""So long one address may keep us waiting while there is another: a host with broken IPv6 must stay reachable."""


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections; remembers which family of addresses answered last and asks it first."""

    def __init__(self) -> None:
        self._family = 0

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """`timeout` in seconds for everything. Raises httpcore.ConnectError, httpcore.ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

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


class Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. Reads what has come, up to its end."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = bytearray()
        self._unsent = bytearray()
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

    # --- what httpcore asks -------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """b"" at the end. Raises httpcore.ReadError, httpcore.ReadTimeout."""
        self._flush()
        if not self._buffer and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._reader
            except TimeoutError:
                raise httpcore.ReadTimeout from None
            finally:
                self._reader = None
        if not self._buffer and self._error is not None:
            raise httpcore.ReadError(type(self._error).__name__) from self._error
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises httpcore.WriteError, httpcore.WriteTimeout.

        What is small leaves when the answer is read: head and body of a request in one piece.
        """
        if not buffer:
            return
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed")
        self._unsent += buffer
        if len(self._unsent) < UNSENT_BYTES:
            return
        self._flush()
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._writable.wait()
            except TimeoutError:
                raise httpcore.WriteTimeout from None
        if self._error is not None:
            raise httpcore.WriteError(type(self._error).__name__) from self._error

    def _flush(self) -> None:
        if self._unsent:
            self._transport.write(bytes(self._unsent))
            self._unsent.clear()

    async def aclose(self) -> None:
        self._transport.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Raises httpcore.ConnectError, httpcore.ConnectTimeout."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                self._transport = await loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError:
            self._transport.abort()
            raise httpcore.ConnectTimeout from None
        except OSError as error:  # ssl.SSLError is one
            self._transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # of an idle connection: the vendor has ended it, or says what nobody asked
            return self._ended or bool(self._buffer)
        if info == "ssl_object":
            return self._transport.get_extra_info("ssl_object")
        if info == "socket":
            return self._transport.get_extra_info("socket")
        return None
