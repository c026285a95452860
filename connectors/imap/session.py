"""A small IMAP4rev1 client over asyncio: log in, search, fetch, mark, wait (RFC 3501, RFC 2177).

The standard library's imaplib blocks, so it would need a thread that cannot be cancelled.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.imap.settings import ImapSettings

CONNECT_S: Final = 15.0
ANSWER_S: Final = 60.0
LETTER_MAX: Final = 5_000_000  # bytes of one letter that are read; attachments beyond it are cut off
_LITERAL: Final = re.compile(rb"\{(\d+)\+?\}\r\n$")
_LINE_MAX: Final = 1_000_000


class ImapSession:
    """One connection. Methods raise AuthError, PermanentError for a folder that is not there, RetryableError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._count = 0
        self.capabilities: frozenset[str] = frozenset()
        self.takes_keywords = False
        self.validity = ""
        """UIDs mean the same letters as long as this is the same."""

    async def greet(self) -> None:
        async with asyncio.timeout(ANSWER_S):
            line = await self._response()
        if not line.upper().startswith((b"* OK", b"* PREAUTH")):
            raise RetryableError("the server does not want us now", "imap.connect")

    async def log_in(self, user: str, password: str) -> None:
        """Both as literals: they may hold any character."""
        try:
            await self.command("LOGIN", literals=(user.encode(), password.encode()))
        except PermanentError as error:
            raise AuthError("the login is refused", "imap.login") from error
        told = b" ".join(await self.command("CAPABILITY"))
        self.capabilities = frozenset(told.decode("ascii", "replace").upper().split())

    async def select(self, folder: str) -> None:
        told = await self.command("SELECT", literals=(mailbox_name(folder),))
        valid = re.search(rb"UIDVALIDITY (\d+)", b" ".join(told))
        self.validity = valid.group(1).decode() if valid else ""
        permanent = next((line for line in told if b"PERMANENTFLAGS" in line.upper()), b"")
        self.takes_keywords = rb"\*" in permanent

    async def search(self, criteria: str) -> list[int]:
        """UIDs, ascending."""
        found: set[int] = set()
        for line in await self.command(f"UID SEARCH {criteria}"):
            if line.upper().startswith(b"* SEARCH"):
                found.update(int(word) for word in line.split()[2:] if word.isdigit())
        return sorted(found)

    async def letter(self, uid: int) -> tuple[datetime | None, bytes] | None:
        """When it came into the box and its bytes, left unread; None when it is not there any more."""
        for line in await self.command(f"UID FETCH {uid} (UID INTERNALDATE BODY.PEEK[]<0.{LETTER_MAX}>)"):
            head, separator, rest = line.partition(b"}\r\n")
            size = re.search(rb"\{(\d+)$", head)
            if separator and size and b"BODY[" in head.upper():
                length = int(size.group(1))
                return _came_at(head + rest[length:]), rest[:length]
        return None

    async def mark(self, uid: int, flag: str) -> None:
        await self.command(f"UID STORE {uid} +FLAGS.SILENT ({flag})")

    async def wait(self, seconds: float) -> None:
        """Until the server tells of something new, at most so long; of one without IDLE it is asked."""
        if "IDLE" not in self.capabilities:
            raise ValueError("the server knows no IDLE")
        tag = self._next()
        await self._send(f"{tag} IDLE\r\n".encode())
        told = False
        try:
            async with asyncio.timeout(ANSWER_S):
                while not (await self._response()).startswith(b"+"):
                    pass
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not told:
                        told = (await self._response()).upper().rstrip().endswith(b"EXISTS")
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise _lost(error) from error
        await self._send(b"DONE\r\n")
        await self._until(tag, "IDLE")

    async def log_out(self) -> None:
        with suppress(ConnectorError):
            await self.command("LOGOUT")

    async def command(self, text: str, *, literals: Sequence[bytes] = ()) -> list[bytes]:
        """Untagged responses, literals included in their lines."""
        tag = self._next()
        line = f"{tag} {text}".encode()
        for one in literals:
            await self._send(line + f" {{{len(one)}}}\r\n".encode())
            await self._go_ahead(tag, text)
            line = one
        await self._send(line + b"\r\n")
        return await self._until(tag, text)

    def _next(self) -> str:
        self._count += 1
        return f"A{self._count}"

    async def _send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _lost(error) from error

    async def _go_ahead(self, tag: str, text: str) -> None:
        """A literal may follow once the server says so."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while not (line := await self._response()).startswith(b"+"):
                    if line.startswith(f"{tag} ".encode()):
                        raise PermanentError("the server refuses the command", _operation(text))
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise _lost(error) from error

    async def _until(self, tag: str, text: str) -> list[bytes]:
        told: list[bytes] = []
        mark = f"{tag} ".encode()
        try:
            async with asyncio.timeout(ANSWER_S):
                while not (line := await self._response()).startswith(mark):
                    told.append(line)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise _lost(error) from error
        status = line[len(mark) :].split(b" ", 1)[0].strip().upper()
        if status == b"OK":
            return told
        if b"UNAVAILABLE" in line.upper() or status == b"BYE":
            raise RetryableError("the server is not available now", _operation(text))
        raise PermanentError("the server refuses the command", _operation(text))

    async def _response(self) -> bytes:
        """One line with the literals that belong to it."""
        whole = b""
        while True:
            line = await self._reader.readline()
            if not line:
                raise ConnectionResetError("the server closed the connection")
            whole += line
            literal = _LITERAL.search(line)
            if literal is None:
                return whole
            whole += await self._reader.readexactly(int(literal.group(1)))


def mailbox_name(folder: str) -> bytes:
    """Modified UTF-7 (RFC 3501, section 5.1.3): how a folder beyond ASCII is named."""
    parts = re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", folder)
    return b"".join(
        part.replace("&", "&-").encode()
        if part.isascii() and part.isprintable()
        else b"&" + base64.b64encode(part.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",") + b"-"
        for part in parts
    )


def _came_at(head: bytes) -> datetime | None:
    told = re.search(rb'INTERNALDATE "([^"]+)"', head)
    if told is None:
        return None
    try:
        return parsedate_to_datetime(told.group(1).decode("ascii", "replace").replace("-", " ", 2).strip())
    except (ValueError, TypeError):
        return None


def _operation(text: str) -> str:
    words = text.split()
    return f"imap.{words[1 if words[0] == 'UID' else 0].lower()}"


def _lost(error: BaseException) -> RetryableError:
    return RetryableError(f"connection lost: {type(error).__name__}", "imap")


@asynccontextmanager
async def opened(settings: ImapSettings) -> AsyncIterator[ImapSession]:
    """Logged in, with the folder selected. Raises AuthError, RetryableError, PermanentError."""
    context = ssl.create_default_context() if settings.tls else None
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                settings.host, settings.port, ssl=context, limit=_LINE_MAX + LETTER_MAX
            )
    except (OSError, TimeoutError, UnicodeError) as error:
        raise RetryableError(f"no connection: {type(error).__name__}", "imap.connect") from error
    session = ImapSession(reader, writer)
    try:
        await session.greet()
        await session.log_in(settings.user, settings.password.get_secret_value())
        await session.select(settings.folder)
        yield session
        await session.log_out()
    except (OSError, TimeoutError) as error:
        raise _lost(error) from error
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
