"""Copies of recordings, made before the vendor deletes them; and the recording of a call for who wants to hear it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from connectors.base import Rate
from connectors.errors import AuthError, ConnectorError, PermanentError, RetryableError
from connectors.http import VendorHttp
from connectors.limits import Limiter
from connectors.links import Link, Records
from connectors.pbx import CopySettings
from connectors.recordings import download, origin
from jobs.calls.copy_store import CopyStore, TooLarge, file_name, open_store
from jobs.opening import Transport
from jobs.pace import NORMAL, Pace
from jobs.waking import in_rounds
from leads.clock import Clock
from store import recordings
from store.db import Database
from store.leases import Held
from store.recordings import CopySettlement

log = logging.getLogger(__name__)

COPY_S = 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 60.0, 6 * 3600.0
NOT_YET = timedelta(hours=1)
"""Younger than this a recording that is said not to exist may still come."""
GIVE_UP = timedelta(days=7)


class AnyAddress:
    """Fetches from the address that an event named, of a vendor whose API is not asked. Keeps `Records`."""

    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport | None, *, private: bool) -> None:
        """`private`: addresses of this network are allowed."""
        limiter = Limiter(Rate(5, 1.0), clock)
        self._http = VendorHttp(base_url="", clock=clock, limiter=limiter, interpret=_unread, transport=transport)
        self._clock = clock
        self._private = private
        self._resolves = transport is None

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        if not url:
            raise PermanentError("no address of the recording is known", "recording")
        own = (origin(url),) if self._private else ()
        return await download(self._http, "recording", url, own=own, resolves=self._resolves, clock=self._clock)

    async def close(self) -> None:
        await self._http.close()


def _unread(operation: str, response: httpx.Response, writes: bool) -> Any:
    return None


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording to be passed on: its bytes, or else an address."""

    content_type: str = ""
    content: AsyncIterator[bytes] | None = None
    url: str = ""


@dataclass(slots=True)
class Library:
    """All recordings. `stores`: source -> where its copies are; `records`: source -> how a recording is fetched."""

    db: Database
    clock: Clock
    stores: Mapping[str, CopyStore]
    records: Mapping[str, Records]
    rules: Mapping[str, CopySettings]
    addresses: tuple[AnyAddress, ...] = ()

    async def open(self, call_id: str) -> Heard | None:
        """The copy, else what the vendor has, else where it is. Raises ConnectorError, StoreUnavailable."""
        row = await self.db.read(recordings.find, call_id)
        if row is None:
            return None
        if row.copy_state == "copied" and row.source in self.stores:
            with contextlib.suppress(ConnectorError, OSError):
                return Heard(row.copy_type, await self.stores[row.source].get(row.copy_place, self.clock.now()))
        found = self.records.get(row.source)
        if row.recording_id and found is not None and not isinstance(found, AnyAddress):
            return Heard(*await found.recording(row.recording_id, row.url))
        return Heard(url=row.url) if row.url else None

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()
        for one in self.addresses:
            await one.close()


def open_library(
    rules: Mapping[str, CopySettings],
    links: Mapping[str, Link],
    db: Database,
    clock: Clock,
    base: Path,
    transport: Transport,
) -> Library:
    records = {name: link for name, link in links.items() if isinstance(link, Records)}
    own = {
        name: AnyAddress(clock, transport("recordings"), private=one.allow_private)
        for name, one in rules.items()
        if name not in records
    }
    stores = {name: open_store(one, base, transport("s3")) for name, one in rules.items()}
    return Library(db, clock, stores, {**records, **own}, rules, tuple(own.values()))


@dataclass(slots=True)
class CopyRuns:
    """Part of a source's worker: copies what is owed, one after the other."""

    source: str
    library: Library
    db: Database
    clock: Clock
    pace: Pace = NORMAL
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self._wake.set()

    def try_now(self) -> None:
        self._wake.set()

    async def run(self, held: Held) -> None:
        """Raises LostLease, StoreUnavailable. What an owner before us had begun is simply copied again."""
        await in_rounds(self._wake, partial(self._round, held))

    async def _round(self, held: Held) -> float:
        now = self.clock.now()
        row = await self.db.read(recordings.next_owed, source=self.source)
        if row is None or row.copy_due_at > now:
            return self.pace.until(None if row is None else row.copy_due_at, now)
        done = await self._copied(row)
        await self.db.write(recordings.settle_copy, held=held, call_id=row.id, done=done)
        return 0.0

    async def _copied(self, row: Any) -> CopySettlement:
        now = self.clock.now()
        try:
            async with asyncio.timeout(COPY_S):
                kind, content = await self.library.records[self.source].recording(row.recording_id, row.url)
                name = file_name(row.id, row.at, kind)
                copied = await self.library.stores[self.source].put(name, kind, content, now)
        except TooLarge:
            done = CopySettlement("too_large", error="larger than recordings.max_size")
        except Exception as error:  # one recording waits, whatever it was; the others go on
            done = self._after(row, error, now)
        else:
            done = CopySettlement("copied", place=copied.place, content_type=kind, size=copied.size)
        level = logging.INFO if done.state in ("copied", "owed") else logging.WARNING
        fields = {"event": f"recording.{done.state}", "source": self.source, "call_id": row.id, "error": done.error}
        log.log(level, "recording copied" if done.state == "copied" else "recording not copied", extra=fields)
        return done

    def _after(self, row: Any, error: Exception, now: datetime) -> CopySettlement:
        known = isinstance(error, ConnectorError | OSError | TimeoutError)
        if not known:
            log.error("copying failed inside the hub", exc_info=error, extra={"event": "recording.bug"})
        said = str(error) if isinstance(error, ConnectorError) else type(error).__name__
        age = now - row.at
        if age > GIVE_UP:
            return CopySettlement("failed", error=said)
        if isinstance(error, PermanentError) and not isinstance(error, (AuthError, RetryableError)) and age > NOT_YET:
            return CopySettlement("gone" if error.gone else "failed", error=said)
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(row.copy_tries, 10))
        return CopySettlement("owed", error=said, due_at=now + timedelta(seconds=wait_s))
