"""Connections to a vendor: kept, replaced when the vendor closed them, encrypted, and ended with the right error."""

import asyncio
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors import transport as transports
from connectors.errors import NO_SUCH_HOST, NOT_TRUSTED
from connectors.http import classify_exception
from connectors.transport import StackedTransport
from connectors.wire import Network, Wire
from leads.clock import SystemClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TIMES = {"connect": 2.0, "read": 0.3, "write": 2.0, "pool": None}
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def vendor(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that speaks as `talk` does on each connection; yields its address."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """One request, its body included; b"" when the other end closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
    return head + (await reader.readexactly(length) if length else b"")


@asynccontextmanager
async def opened(verify: ssl.SSLContext | None = None) -> AsyncIterator[StackedTransport]:
    one = StackedTransport(SystemClock(), verify or httpx.create_ssl_context())
    try:
        yield one
    finally:
        await one.aclose()


async def asked(one: StackedTransport, url: str, **kwargs: Any) -> httpx.Response:
    return await one.handle_async_request(httpx.Request("POST", url, extensions={"timeout": TIMES}, **kwargs))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> "asyncio.Queue[None]":
    """Tells of each piece that arrives at our end."""
    pieces: asyncio.Queue[None] = asyncio.Queue()
    real = Wire.data_received

    def received(self: Wire, data: bytes) -> None:
        real(self, data)
        pieces.put_nowait(None)

    monkeypatch.setattr(Wire, "data_received", received)
    return pieces


class Answering:
    """Answers every request; counts connections and keeps what was asked."""

    def __init__(self, answer: bytes = OK, *, then_close: bool = False, wait: asyncio.Event | None = None) -> None:
        self.answer, self.then_close, self.wait = answer, then_close, wait
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while request := await request_of(reader):
            self.requests.append(request)
            if self.wait is not None:
                await self.wait.wait()
            writer.write(self.answer)
            await writer.drain()
            if self.then_close:
                return


async def test_calls_one_after_the_other_share_a_connection() -> None:
    there = Answering()
    async with vendor(there) as url, opened() as one:
        for number in range(3):
            answer = await asked(one, f"{url}/{number}", json={"number": number})
            assert (answer.status_code, answer.json()) == (200, {})
    assert there.connections == 1
    assert [request.partition(b" HTTP")[0] for request in there.requests] == [b"POST /0", b"POST /1", b"POST /2"]
    assert there.requests[2].endswith(b'{"number":2}')


async def test_calls_at_the_same_time_have_a_connection_each_and_the_last_used_is_taken_next() -> None:
    there = Answering(wait=asyncio.Event())
    async with vendor(there) as url, opened() as one:
        calls = [asyncio.create_task(asked(one, url)) for _ in range(5)]
        while len(there.requests) < 5:
            await asyncio.sleep(0.001)
        there.wait.set()  # type: ignore[union-attr]  # it was given
        await asyncio.gather(*calls)
        for _ in range(5):
            await asked(one, url)
    assert there.connections == 5


async def test_a_connection_that_the_vendor_closed_is_replaced_without_an_error() -> None:
    there = Answering(then_close=True)
    async with vendor(there) as url, opened() as one:
        for _ in range(3):
            assert (await asked(one, url)).status_code == 200
            await asyncio.sleep(0.02)  # its end arrives
    assert there.connections == 3


async def test_a_connection_that_was_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "IDLE_S", 0.0)
    there = Answering()
    async with vendor(there) as url, opened() as one:
        await asked(one, url)
        await asyncio.sleep(0.01)
        await asked(one, url)
    assert there.connections == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", httpx.RemoteProtocolError),
        (b"what is this\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\n\r\n0123456789", httpx.DecodingError),
    ],
)
async def test_an_answer_that_is_cut_short_or_garbled_is_an_error_and_its_connection_is_not_used_again(
    answer: bytes, error: type[Exception]
) -> None:
    there = Answering(answer, then_close=True)
    async with vendor(there) as url, opened() as one:
        with pytest.raises(error):
            await asked(one, url)
        there.answer = OK
        assert (await asked(one, url)).status_code == 200


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    async with vendor(Answering(b"HTTP/1.1 200 OK\r\n\r\n<html>", then_close=True)) as url, opened() as one:
        assert (await asked(one, url)).text == "<html>"


async def test_what_stands_before_the_answer_is_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    there = Answering(early + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    async with vendor(there) as url, opened() as one:
        for _ in range(2):
            answer = await asked(one, url)
            assert (answer.status_code, answer.text, "link" in answer.headers) == (200, "abc", False)
    assert there.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + OK,
        OK + b"x",
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"/1.1", b"/1.0"),
    ],
)
async def test_a_connection_on_which_more_comes_or_nothing_will_is_not_used_again(answer: bytes) -> None:
    there = Answering(answer)
    async with vendor(there) as url, opened() as one:
        for _ in range(2):
            assert (await asked(one, url)).json() == {}
    assert there.connections == 2


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 1),
        (b"HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", 1),
        (b"HTTP/1.1 200 OK\r\nX-Odd: \x01\r\nContent-Length: 2\r\n\r\n{}", 1),
        (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n2  \r\n{}\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"Content-Length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 2),
    ],
)
async def test_what_old_servers_write_is_read(answer: bytes, connections: int) -> None:
    there = Answering(answer)
    async with vendor(there) as url, opened() as one:
        for _ in range(2):
            assert (await asked(one, url)).json() == {}
    assert there.connections == connections


async def test_what_comes_after_the_body_is_no_header_of_it() -> None:
    there = Answering(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nContent-Encoding: gzip\r\nX: 1\r\n\r\n")
    async with vendor(there) as url, opened() as one:
        for _ in range(2):
            assert (await asked(one, url)).json() == {}
    assert there.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_has_no_body_does_not_wait_for_one(status: bytes) -> None:
    there = Answering(b"HTTP/1.1 " + status + b"\r\nETag: 1\r\n\r\n")
    async with vendor(there) as url, opened() as one:
        for _ in range(2):
            assert (await asked(one, url)).content == b""
    assert there.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    async with vendor(Answering(answer, then_close=True)) as url, opened() as one:
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(one, url)


async def test_an_answer_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MAX_ANSWER", 1_000_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    async with vendor(talk) as url, opened() as one:
        with pytest.raises(httpx.RemoteProtocolError, match="longer"):
            await asked(one, url)


@pytest.mark.parametrize("value", ["a\r\nX-Forged: 1", "a\nX-Forged: 1", "a\0b"])
async def test_a_header_cannot_bring_another_along(value: str) -> None:
    there = Answering()
    async with vendor(there) as url, opened() as one:
        with pytest.raises(httpx.LocalProtocolError):
            await asked(one, url, headers={"X-Name": value})
    assert there.requests == []


async def test_an_answer_is_the_same_however_it_is_cut(heard: "asyncio.Queue[None]") -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    cuts = iter(range(1, len(answer)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request_of(reader):
            at = next(cuts)
            for part in (answer[:at], answer[at:]):
                writer.write(part)
                await heard.get()

    async with vendor(talk) as url, opened() as one:
        for _ in range(1, len(answer)):
            got = await asked(one, url)
            assert (got.text, got.headers["x-one"]) == ("abcde", "1")


async def test_a_packed_answer_is_unpacked() -> None:
    body = gzip.compress("привет".encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with vendor(Answering(head + body)) as url, opened() as one:
        assert (await asked(one, url)).text == "привет"


async def test_an_answer_that_never_comes_is_a_read_timeout() -> None:
    async with vendor(Answering(wait=asyncio.Event())) as url, opened() as one:
        with pytest.raises(httpx.ReadTimeout):
            await asked(one, url)


async def test_a_reset_connection_is_a_read_error() -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with vendor(resets) as url, opened() as one:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await asked(one, url)


async def test_nobody_there_is_a_connect_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with opened() as one:
        with pytest.raises(httpx.ConnectError):
            await asked(one, url)


async def test_a_name_that_nobody_knows_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_args: Any, **_kwargs: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    async with opened() as one:
        with pytest.raises(httpx.ConnectError) as caught:
            await asked(one, "http://crm.example")
    assert classify_exception(caught.value, "x", writes=True).message == NO_SUCH_HOST


async def test_a_call_that_was_given_up_does_not_leave_its_answer_to_the_next() -> None:
    wait = asyncio.Event()
    there = Answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold", wait=wait)
    async with vendor(there) as url, opened() as one:
        call = asyncio.create_task(asked(one, url))
        while not there.requests:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        wait.set()
        there.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"
        assert (await asked(one, url)).text == "new"
    assert there.connections == 2


async def test_an_address_that_does_not_answer_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Answering()
    async with vendor(there) as url, opened() as one:
        port = int(url.rpartition(":")[2])
        loop = asyncio.get_running_loop()

        async def two_addresses(host: str, *_args: Any, **_kwargs: Any) -> list[Any]:
            v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 9, 0, 0))  # nobody listens there
            return [v6, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(loop, "getaddrinfo", two_addresses)
        assert (await asked(one, f"http://crm.example:{port}")).status_code == 200


async def test_tls_checks_the_name_and_the_authority(tmp_path: Path) -> None:
    server_side, authority = certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority))
    there = Answering()
    async with vendor(there, server_side) as url:
        async with opened(trusting) as one:
            assert (await asked(one, url, content=b"x" * 300_000)).status_code == 200
            assert (await asked(one, url)).status_code == 200
            assert there.connections == 1
            assert len(there.requests[0]) > 300_000
            with pytest.raises(httpx.ConnectError) as caught:  # the certificate is for 127.0.0.1
                await asked(one, url.replace("127.0.0.1", "localhost"))
            assert classify_exception(caught.value, "x", writes=True).message == NOT_TRUSTED
        async with opened() as one:
            with pytest.raises(httpx.ConnectError):
                await asked(one, url)


async def test_large_answers_come_whole() -> None:
    body = bytes(range(256)) * 8192
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with vendor(Answering(head + body)) as url, opened() as one:
        assert (await asked(one, url)).content == body


async def test_the_network_below_knows_when_the_other_end_is_gone() -> None:
    async with vendor(Answering(then_close=True)) as url:
        wire = await Network().connect("127.0.0.1", int(url.rpartition(":")[2]), None, 2.0)
        assert wire.is_quiet()
        await wire.write(b"GET / HTTP/1.1\r\n\r\n", 1.0)
        assert await wire.read(1.0) == OK
        assert await wire.read(1.0) == b""
        assert not wire.is_quiet()
        wire.close()


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for 127.0.0.1 and the file with the authority that signed it (itself)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leadhub test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = folder / "certificate.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority


async def test_head_and_body_of_a_call_leave_in_one_piece() -> None:
    pieces: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            pieces.append(piece)
            writer.write(OK)

    async with vendor(talk) as url, opened() as transport:
        for body in (b'{"a": 1}', b""):
            request = httpx.Request("POST", url, content=body, extensions={"timeout": TIMES})
            assert (await transport.handle_async_request(request)).status_code == 200
    assert len(pieces) == 2
    assert pieces[0].endswith(b'\r\n\r\n{"a": 1}')


async def test_a_large_call_leaves_as_the_other_end_takes_it() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = len(await request_of(reader))
        body = str(length).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async with vendor(talk) as url, opened() as transport:
        many = [b"x" * 10_000] * 300
        request = httpx.Request("POST", url, content=b"".join(many), extensions={"timeout": TIMES})
        assert int((await transport.handle_async_request(request)).content) > 3_000_000


TOO_LARGE = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
LARGE = b"x" * 20_000_000


async def test_a_call_that_was_given_up_half_sent_does_not_leave_later() -> None:
    begun, given_up, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    taken = 0

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        try:
            await reader.readuntil(b"\r\n\r\n")
            begun.set()
            await given_up.wait()
            while piece := await reader.read(1_000_000):
                taken += len(piece)
        finally:
            ended.set()

    async with vendor(talk) as url, opened() as one:
        call = asyncio.create_task(asked(one, url, content=LARGE))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        given_up.set()
        await ended.wait()
    assert taken < len(LARGE)


async def test_an_answer_that_comes_before_all_is_sent_is_read() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TOO_LARGE)
        writer.write_eof()
        await asyncio.Event().wait()

    async with vendor(talk) as url, opened() as one:
        assert (await asked(one, url, content=LARGE)).status_code == 413


async def test_an_answer_that_came_before_the_connection_was_cut_is_read(heard: "asyncio.Queue[None]") -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TOO_LARGE)
        await heard.get()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with vendor(talk) as url, opened() as one:
        assert (await asked(one, url, content=LARGE)).status_code == 413


def test_what_is_said_in_the_clear_is_no_answer_of_an_encrypted_connection(tmp_path: Path) -> None:
    """On the loop that the hub runs on: there it arrives before the encryption begins, about every second time."""
    server_side, authority = certificates(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority))
    listening = socket.create_server(("127.0.0.1", 0))

    def forge() -> None:
        while True:
            try:
                conn, _ = listening.accept()
            except OSError:
                return
            try:
                conn.sendall(OK)
                with server_side.wrap_socket(conn, server_side=True) as real:
                    real.recv(1)
            except OSError:
                conn.close()

    async def ask() -> None:
        async with opened(trusting) as one:
            for _ in range(20):
                with pytest.raises(httpx.ConnectError):
                    await asked(one, f"https://127.0.0.1:{listening.getsockname()[1]}")

    thread = threading.Thread(target=forge)
    thread.start()
    try:
        uvloop.run(ask())
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
