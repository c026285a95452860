"""An e-mail box: new letters as they come, and the last day's for those that a person read first."""

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from connectors.doors import Parsed, ParsedLead, Unreadable
from connectors.errors import AuthError, ConnectorError
from connectors.imap.letters import read_letter
from connectors.imap.session import ImapSession, opened
from connectors.imap.settings import ImapSettings
from connectors.links import LinkOpening

TAKEN: Final = "LeadhubTaken"
"""Our own mark of a letter, where the server takes such: it stays unread for people."""
FIRST_BACK: Final = timedelta(days=1)
IDLE_S: Final = 240.0  # servers end an IDLE after 29 minutes, routers sooner
LONGEST_WAIT_S: Final = 120.0
REMEMBERED: Final = 20_000
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

log = logging.getLogger(__name__)


class ImapLink:
    """`trouble` says why the box cannot be read now."""

    def __init__(self, opening: LinkOpening, settings: ImapSettings) -> None:
        self.trouble = "not connected yet"
        self._name, self._settings, self._clock, self._region = opening.name, settings, opening.clock, opening.region
        self._from = opening.clock.now() - FIRST_BACK
        self._looked_at: dict[tuple[str, int], None] = {}
        """Letters that a list showed before, the latest last: none is fetched for each reading anew."""

    @classmethod
    def open(cls, opening: LinkOpening) -> "ImapLink | None":
        return cls(opening, opening.settings) if isinstance(opening.settings, ImapSettings) else None

    async def listen(self) -> AsyncIterator[Parsed]:
        """Letters that are not marked as taken; each is marked when the next is asked for, so once it is stored."""
        failures = 0
        while True:
            try:
                async with opened(self._settings) as session:
                    self.trouble, failures = "", 0
                    while True:
                        async for parsed in self._new(session):
                            yield parsed
                        await self._wait(session)
            except ConnectorError as error:
                self.trouble = str(error)
                failures += 1
                wait_s = LONGEST_WAIT_S if isinstance(error, AuthError) else 2.0 ** min(failures, 10)
                extra = {"event": "imap.lost", "source": self._name, "error": self.trouble}
                log.warning("mailbox not read", extra=extra)
                await self._clock.sleep(min(wait_s, LONGEST_WAIT_S) * (0.75 + self._clock.random() / 4))

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Letters of the window's days, whoever read them; nothing is marked."""
        async with opened(self._settings) as session:
            days = f"SINCE {_day(since - timedelta(days=1))} BEFORE {_day(until + timedelta(days=2))}"
            for uid in await session.search(days):
                if (session.validity, uid) in self._looked_at:
                    continue
                found = await session.letter(uid)
                at = found[0] if found else None
                if found is None or (at is not None and at >= until):
                    continue
                if (at is None or at >= since) and (lead := self._lead(found[1])) is not None:
                    yield Parsed((lead,))
                self._remember(session.validity, uid)

    async def close(self) -> None:
        """Nothing is held open but what is listened to, and that ends with its listener."""

    async def _new(self, session: ImapSession) -> AsyncIterator[Parsed]:
        criterion, flag = (f"UNKEYWORD {TAKEN}", TAKEN) if session.takes_keywords else ("UNSEEN", "\\Seen")
        for uid in await session.search(f"{criterion} SINCE {_day(self._from)}"):
            found = await session.letter(uid)
            if found is not None and (lead := self._lead(found[1])) is not None:
                yield Parsed((lead,))
            self._remember(session.validity, uid)
            await session.mark(uid, flag)

    def _remember(self, validity: str, uid: int) -> None:
        self._looked_at[validity, uid] = None
        if len(self._looked_at) > REMEMBERED:
            del self._looked_at[next(iter(self._looked_at))]

    async def _wait(self, session: ImapSession) -> None:
        if "IDLE" in session.capabilities:
            await session.wait(IDLE_S)
        else:
            await self._clock.sleep(self._settings.poll)
            await session.command("NOOP")

    def _lead(self, raw: bytes) -> ParsedLead | None:
        """A letter that cannot be understood is kept as a lead without contact: it may be an enquiry."""
        with suppress(Unreadable):
            return read_letter(raw, self._settings, self._region, self._clock.now())
        uid = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        return ParsedLead(lead_uid=uid, comment="a letter that cannot be read", flags=("no_contact",))


def _day(at: datetime) -> str:
    """`5-Jan-2026`, in English whatever the machine's locale is."""
    return f"{at.day}-{_MONTHS[at.month - 1]}-{at.year}"
