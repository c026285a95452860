"""Has the PBX call a colleague and then a client, over a manager connection of its own."""

import asyncio
import re
from contextlib import suppress
from typing import Final

from connectors.asterisk.ami import AmiParser, Block, action
from connectors.asterisk.listen import READ_BYTES, connect, log_in
from connectors.asterisk.settings import AmiSettings
from connectors.errors import AuthError, PermanentError, RetryableError, TooEarlyError, UnknownOutcomeError
from connectors.http import MAY_WRITE

OPERATION: Final = "asterisk.dial"
ANSWER_S: Final = 10.0
EARLY_S: Final = 3.0
"""So long a refusal of the colleague's phone is waited for; who rings longer is being called."""
RING_MS: Final = "30000"
_EXTENSION: Final = re.compile(r"[\w.+-]{1,40}")
_PHONE: Final = re.compile(r"\+?\d{3,20}", re.ASCII)
_REASONS: Final = {
    "0": "the PBX knows no phone of this extension, or it is not registered",
    "1": "the colleague's phone is not answered",
    "3": "the colleague's phone is not answered",
    "5": "the colleague's phone is busy",
    "8": "the colleague's phone cannot be reached",
}


async def originate(ami: AmiSettings, extension: str, phone: str, key: str) -> str:
    """Returns `key`, which becomes the id of the call's first channel, so that its events bear it as their Linkedid.

    manager.conf: the user needs `write = originate`. Raises PermanentError, said for people, when the colleague's
    phone refuses at once, UnknownOutcomeError when the connection went away in between.
    """
    if not _EXTENSION.fullmatch(extension) or not _PHONE.fullmatch(phone):
        raise PermanentError("the extension or the number is none that a PBX could call", OPERATION)
    command = action(
        "Originate",
        ActionID=key,
        ChannelId=key,
        Channel=ami.originate_channel.replace("{extension}", extension),
        Context=ami.originate_context,
        Exten=ami.originate_prefix + phone.lstrip("+"),
        Priority="1",
        CallerID=ami.originate_caller_id or extension,
        Timeout=RING_MS,
        Async="true",
        Variable=f"LEADHUB_KEY={key}",
    )
    reader, writer = await connect(ami)
    parser = AmiParser()
    sent = False
    try:
        try:
            early = await log_in(reader, writer, parser, ami, events="call")
        except (OSError, TimeoutError) as error:
            raise RetryableError(f"connection lost: {type(error).__name__}", OPERATION) from error
        if not MAY_WRITE.get()():
            raise TooEarlyError("not sent: another process may own the source", OPERATION)
        sent = True
        writer.write(command)
        await writer.drain()
        await _queued(reader, parser, early, key)
        with suppress(TimeoutError):
            async with asyncio.timeout(EARLY_S):
                await _refused(reader, parser, early, key)
    except (OSError, TimeoutError) as error:
        kind = UnknownOutcomeError if sent else RetryableError
        raise kind(f"connection lost: {type(error).__name__}", OPERATION) from error
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
    return key


async def _queued(reader: asyncio.StreamReader, parser: AmiParser, blocks: list[Block], key: str) -> None:
    """Waits for the answer to the command; events that came first are left in `blocks`."""
    async with asyncio.timeout(ANSWER_S):
        while True:
            for place, block in enumerate(blocks):
                if "response" in block and block.get("actionid") == key and "event" not in block:
                    del blocks[: place + 1]
                    return _judge(block)
            blocks += await _more(reader, parser)


def _judge(answer: Block) -> None:
    if answer["response"].casefold() == "success":
        return
    said = answer.get("message", "")
    if "permission" in said.casefold():
        raise AuthError("the user of manager.conf has no `write = originate`", OPERATION)
    raise PermanentError(f"the PBX refuses: {said[:100]}", OPERATION)


async def _refused(reader: asyncio.StreamReader, parser: AmiParser, blocks: list[Block], key: str) -> None:
    """Returns once the colleague has answered. Raises PermanentError when his phone refuses."""
    while True:
        for block in blocks:
            if block.get("event", "").casefold() == "originateresponse" and block.get("actionid") == key:
                if block.get("response", "").casefold() == "success":
                    return
                reason = block.get("reason", "")
                raise PermanentError(_REASONS.get(reason, f"the call failed (reason {reason})"), OPERATION)
        try:
            blocks[:] = await _more(reader, parser)
        except ConnectionResetError:
            return  # it was queued; only its fate is not told


async def _more(reader: asyncio.StreamReader, parser: AmiParser) -> list[Block]:
    data = await reader.read(READ_BYTES)
    if not data:
        raise ConnectionResetError("the PBX closed the connection")
    return parser.feed(data)
