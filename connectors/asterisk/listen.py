"""Listening to the manager interface: log in, stay connected, come back."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from connectors.asterisk.ami import AmiParser, Block, action
from connectors.asterisk.fold import CallsOfChannels
from connectors.asterisk.settings import AmiSettings, AsteriskSettings
from connectors.errors import AuthError, ConnectorError, RetryableError
from connectors.events import ParsedCall
from leads.clock import Clock

CONNECT_S: Final = 10.0
LOGIN_S: Final = 10.0
QUIET_S: Final = 20.0  # after so much silence the PBX is asked whether it is there
ANSWER_S: Final = 10.0  # and has so long to say anything
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
READ_BYTES: Final = 64 * 1024
EVENTS: Final = "call,cdr,dialplan,agent"


@dataclass(frozen=True, slots=True)
class Connected:
    """Logged in; what happened before was not heard."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Not connected, because of `error` (AuthError: the login was refused); the next try is in `wait_s` seconds."""

    error: ConnectorError
    wait_s: float


Heard = ParsedCall | Connected | Lost


async def listen(settings: AsteriskSettings, clock: Clock, region: str) -> AsyncGenerator[Heard]:
    """Events of calls, for ever, and each time that the connection comes and goes. Needs `settings.ami`.

    Never raises for the PBX's sake: it is tried again after 1, 2, 4, … 60 s, always 60 s after a refused login, for a
    PBX locks out whom it must refuse too often. Close the generator to stop.
    """
    if settings.ami is None:
        raise ValueError("the source has no ami settings")
    calls = CallsOfChannels(settings, region)
    failures = 0
    while True:
        try:
            async with aclosing(_blocks(settings.ami)) as blocks:
                async for block in blocks:
                    if block is None:
                        failures = 0
                        yield Connected()
                    elif (told := calls.take(block, clock.now())) is not None:
                        yield told
        except ConnectorError as error:
            calls.gap()
            failures += 1
            longest = LONGEST_WAIT_S if isinstance(error, AuthError) else FIRST_WAIT_S * 2 ** min(failures - 1, 10)
            wait_s = min(longest, LONGEST_WAIT_S) * (0.75 + clock.random() / 4)
            yield Lost(error, wait_s)
            await clock.sleep(wait_s)


async def _blocks(ami: AmiSettings) -> AsyncGenerator[Block | None]:
    """None once logged in, then each block. Raises AuthError or RetryableError, whatever the network does."""
    reader, writer = await connect(ami)
    parser = AmiParser()
    try:
        early = await log_in(reader, writer, parser, ami)
        yield None
        for block in early:
            yield block
        while True:
            for block in parser.feed(await _read(reader, writer)):
                yield block
    except (OSError, TimeoutError) as error:
        raise RetryableError(f"connection lost: {type(error).__name__}", "asterisk.listen") from error
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()


async def connect(ami: AmiSettings) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if ami.tls else None
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_connection(ami.host, ami.port, ssl=context)
    except (OSError, TimeoutError, UnicodeError) as error:  # the last one: a host that cannot be a name
        raise RetryableError(f"no connection: {type(error).__name__}", "asterisk.connect") from error


async def log_in(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parser: AmiParser,
    ami: AmiSettings,
    events: str = EVENTS,
) -> list[Block]:
    """Events that came together with the answer, which may stand anywhere among them."""
    early: list[Block] = []
    async with asyncio.timeout(LOGIN_S):
        secret = ami.secret.get_secret_value()
        writer.write(action("Login", ActionID="login", Username=ami.username, Secret=secret, Events=events))
        await writer.drain()
        while True:
            blocks = parser.feed(await _some(reader))
            answer = next((block for block in blocks if "response" in block), None)
            early += [block for block in blocks if "event" in block]
            if answer is None:
                continue
            if answer["response"].casefold() != "success":
                raise AuthError("the PBX refused the login", "asterisk.login")
            return early


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The next bytes. A PBX that stays silent is asked for a sign of life. Raises TimeoutError if there is none."""
    with suppress(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            return await _some(reader)
    async with asyncio.timeout(ANSWER_S):
        writer.write(action("Ping", ActionID="ping"))
        await writer.drain()
        return await _some(reader)


async def _some(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(READ_BYTES)
    if not data:
        raise ConnectionResetError("the PBX closed the connection")
    return data
