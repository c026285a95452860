"""A mail server small enough to read: takes mail, or fails at a chosen command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class MailServer:
    """`answers` is command -> reply instead of the usual one; "cut" ends the connection there.

    Several replies with | between them are given one after the other.
    """

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    readers: list[list[str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.answers.get('connect', '220 ready')}\r\n".encode())
        readers: list[str] = []
        while line := (await reader.readline()).decode().strip():
            command = line.split(" ")[0].split(":")[0].upper()
            self.commands.append(command)
            if command == "RCPT":
                readers.append(line)
            reply, _, later = self.answers.get(command, USUAL.get(command, "250 ok")).partition("|")
            if later:
                self.answers[command] = later
            if reply == "cut":
                return
            writer.write(f"{reply}\r\n".encode())
            if reply.startswith("354"):
                body = await reader.readuntil(b"\r\n.\r\n")
                end = self.answers.get("BODY", "250 kept")
                if end != "cut":
                    writer.write(f"{end}\r\n".encode())
                if end == "cut" or end.startswith("250"):
                    mail = message_from_bytes(body[:-5].replace(b"\r\n..", b"\r\n."), policy=policy.default)
                    self.mails.append(cast(EmailMessage, mail))
                    self.readers.append(readers)
                if end == "cut":
                    return
            if command == "QUIT":
                return


USUAL = {
    "EHLO": "250-mail.example.com\r\n250 AUTH PLAIN LOGIN",
    "DATA": "354 go on",
    "AUTH": "235 welcome",
    "QUIT": "221 bye",
}


@contextlib.asynccontextmanager
async def mail_server(**answers: str) -> AsyncIterator[MailServer]:
    server = MailServer(answers)
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
