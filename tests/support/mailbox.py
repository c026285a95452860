"""An IMAP server on loopback with one box: letters come, are fetched, marked; it can refuse and cut."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PASSWORD = 'p"a\\ss слово'  # invented, and hard to quote
CAME = '"05-Jan-2026 10:00:00 +0000"'


@dataclass
class Mailbox:
    letters: list[bytes] = field(default_factory=list)
    flags: dict[int, set[str]] = field(default_factory=dict)
    keywords: bool = True
    idles: bool = True
    cut_after: int = -1
    """Fetches until the connection is cut."""
    logins: int = 0
    folder: str = ""
    port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, letter: str) -> None:
        self.letters.append(letter.replace("\n", "\r\n").encode())
        self._news.set()

    def marked(self, flag: str) -> list[int]:
        return sorted(uid for uid, flags in self.flags.items() if flag in flags)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        say("* OK ready")
        try:
            while line := await reader.readline():
                tag, _, rest = line.decode().rstrip("\r\n").partition(" ")
                given: list[str] = []
                while size := re.search(r"\{(\d+)\}$", rest):
                    say("+ go ahead")
                    given.append((await reader.readexactly(int(size.group(1)))).decode())
                    rest = rest[: size.start()] + "?" + (await reader.readline()).decode().rstrip("\r\n")
                if not await self._answer(say, tag, rest, given, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, say, tag, rest, given, reader, writer) -> bool:  # type: ignore[no-untyped-def]  # one place
        word = rest.split()[0].upper()
        if word == "LOGIN":
            self.logins += 1
            say(f"{tag} OK" if given == ["box@example.ru", PASSWORD] else f"{tag} NO [AUTHENTICATIONFAILED] no")
        elif word == "CAPABILITY":
            say("* CAPABILITY IMAP4rev1" + (" IDLE" if self.idles else ""))
            say(f"{tag} OK")
        elif word == "SELECT":
            self.folder = given[0]
            say("* OK [UIDVALIDITY 7] ok")
            any_word = " \\*" if self.keywords else ""
            say(f"* OK [PERMANENTFLAGS (\\Seen{any_word})] ok")
            say(f"{tag} OK [READ-WRITE]")
        elif "SEARCH" in rest:
            unwanted = "LeadhubTaken" if "UNKEYWORD" in rest else "\\Seen" if "UNSEEN" in rest else "-"
            uids = [uid for uid in range(1, len(self.letters) + 1) if unwanted not in self.flags.get(uid, set())]
            say("* SEARCH " + " ".join(map(str, uids)))
            say(f"{tag} OK")
        elif "FETCH" in rest:
            if self.cut_after == 0:
                self.cut_after = -1
                return False
            self.cut_after -= self.cut_after > 0
            uid = int(rest.split()[2])
            raw = self.letters[uid - 1]
            writer.write(f"* {uid} FETCH (UID {uid} INTERNALDATE {CAME} BODY[]<0> {{{len(raw)}}}\r\n".encode() + raw)
            say(")")
            say(f"{tag} OK")
        elif "STORE" in rest:
            flag = rest[rest.index("(") + 1 : rest.index(")")]
            self.flags.setdefault(int(rest.split()[2]), set()).add(flag)
            say(f"{tag} OK")
        elif word == "IDLE":
            say("+ idling")
            self._news.clear()
            done = asyncio.ensure_future(reader.readline())
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                say(f"* {len(self.letters)} EXISTS")
                await done
            news.cancel()
            say(f"{tag} OK")
        elif word == "LOGOUT":
            say("* BYE")
            say(f"{tag} OK")
            return False
        else:
            say(f"{tag} OK")
        return True


@asynccontextmanager
async def mailbox(**how: object) -> AsyncIterator[Mailbox]:
    box = Mailbox(**how)  # type: ignore[arg-type]  # its fields
    async with await asyncio.start_server(box.serve, "127.0.0.1", 0) as server:
        box.port = server.sockets[0].getsockname()[1]
        yield box
