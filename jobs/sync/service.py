"""Syncs inside the running hub: each under a lease of its own, by the clock, by webhooks and when a person asks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from connectors.errors import ConnectorError
from connectors.http import MAY_WRITE
from connectors.records import RecordHint
from jobs.config.syncs import SyncSettings
from jobs.leasing import LeaseKeeper
from jobs.pace import NORMAL, Pace
from jobs.sync.model import Sync
from jobs.sync.opening import CannotSync
from jobs.sync.passes import PassResult, Wish, looked_at, run_pass
from jobs.sync.undoing import undo
from jobs.waking import woken
from leads.clock import Clock
from leads.ids import new_id
from mappings.problems import MappingError
from store import sync_log, sync_records
from store.db import Database
from store.leases import Held
from store.outbox import tell_due

log = logging.getLogger(__name__)

ASK_EVERY_S: Final = 1.0
"""How soon a person's request from another process is seen."""
OPEN_FOR_S: Final = 900.0
"""Fields, stages and users of the accounts are read anew after this long."""
RETRY_S: Final = 60.0
REFUSED: Final = "-refused"
"""How ids of passes end that could not begin."""
Report = Callable[[str, str, str, int], Awaitable[None]]
"""(sync, state of its last pass, error, records that the brake held): what people may have to be told of."""


async def unreported(_sync: str, _state: str, _error: str, _held: int) -> None:
    """Nobody is told."""


@dataclass(slots=True)
class SyncService:
    """One sync. `run` until `stop`; `wake` when a webhook told of something."""

    name: str
    settings: SyncSettings
    db: Database
    clock: Clock
    open: Callable[[], Awaitable[Sync]]
    pace: Pace = NORMAL
    hub_id: str = ""
    report: Report = unreported
    _keeper: LeaseKeeper = field(init=False)
    _stopping: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _sync: Sync | None = None
    _opened_at: float = float("-inf")
    _failed_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._keeper = LeaseKeeper(lease_of(self.name), self.db, self.clock, self.pace, self.hub_id)

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._keeper.stop()
        self._wake.set()

    async def run(self) -> None:
        await self._keeper.run(self._own)

    async def _own(self, held: Held) -> None:
        MAY_WRITE.set(self._keeper.surely_ours)
        while not self._stopping:
            wish = await self._due()
            if wish is not None:
                await self._pass(held, wish)
            else:
                await self._pause()

    async def _due(self) -> Wish | None:
        """What is to be done now: what a person asked for goes first."""
        asked = await self.db.read(sync_log.asked, self.name)
        if asked is not None:
            return Wish(full=asked.full, yes=asked.yes, request_id=asked.id, undo=asked.undo)
        if self.clock.monotonic() - self._failed_at < RETRY_S:
            return None
        looked, full = await self.db.read(looked_at, self.name)
        now = self.clock.now()
        if _over(full, now, self.settings.full):
            return Wish(full=True)
        if _over(looked, now, self.settings.poll):
            return Wish()
        if self._wake.is_set():
            self._wake.clear()
            return Wish(hints=True)
        return None

    async def _pause(self) -> None:
        await woken(self._wake, min(ASK_EVERY_S, self.settings.poll.total_seconds()))

    async def _pass(self, held: Held, wish: Wish) -> None:
        try:
            sync = await self._ready(anew=bool(wish.request_id))
            if wish.undo:
                result = await undo(sync, self.db, self.clock, held, wish.undo, request_id=wish.request_id)
            else:
                result = await run_pass(sync, self.db, self.clock, held, wish, stopping=lambda: self._stopping)
        except (CannotSync, ConnectorError, MappingError) as error:
            self._failed_at = self.clock.monotonic()
            await self._refuse(wish, str(error))
            await self.report(self.name, "failed", str(error), 0)
            return
        self._failed_at = self.clock.monotonic() if result.state == "failed" else float("-inf")
        self._log(result)
        if not (wish.hints and result.state == "done"):
            await self.report(self.name, result.state, result.error, held_of(result))

    async def _ready(self, *, anew: bool) -> Sync:
        """`anew`: a person asks, perhaps because the mapping was mended."""
        if anew or self._sync is None or self.clock.monotonic() - self._opened_at > OPEN_FOR_S:
            self._sync = await self.open()
            self._opened_at = self.clock.monotonic()
        return self._sync

    async def _refuse(self, wish: Wish, error: str) -> None:
        """The pass could not even begin: it stands in `status`, and whoever asked for it learns why."""
        now = self.clock.now()
        pass_id = f"{wish.request_id or new_id(self.clock)}{REFUSED}"

        def work(conn: Connection) -> None:
            last = sync_log.last_pass(conn, self.name)
            if not wish.request_id and last is not None and last.id.endswith(REFUSED) and last.error == error:
                sync_log.change_pass(conn, last.id, ended_at=now)  # once a minute
                return
            values = {"id": pass_id, "sync": self.name, "kind": "quick", "state": "failed", "started_at": now}
            sync_log.begin_pass(
                conn, **values, ended_at=now, request_id=wish.request_id, counts={}, error=error, shadow=False
            )
            if wish.request_id:
                sync_log.answer(conn, wish.request_id, pass_id)

        await self.db.write(work)

    def _log(self, result: PassResult) -> None:
        extra = {
            "event": "sync.pass",
            "sync": self.name,
            "pass_id": result.id,
            "state": result.state,
            "error": result.error,
            **{name: count for name, count in result.counts.items() if count},
        }
        level = logging.INFO if result.state in ("done", "stopped") else logging.WARNING
        log.log(level, "sync pass ended", extra=extra)


def held_of(result: PassResult) -> int:
    """How many records the brake kept from being touched."""
    return sum(count for name, count in result.counts.items() if name.startswith("would_"))


def lease_of(sync: str) -> str:
    return f"sync:{sync}"


def _over(at: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether it is time again; a time in the future was written before the clock was set back."""
    return at is None or not timedelta(0) <= now - at < every


@dataclass(frozen=True, slots=True)
class Hints:
    """What CRMs' webhooks told of, stored for every sync that it concerns, before they are answered."""

    syncs: dict[str, SyncSettings]
    db: Database
    wake: Callable[[str], None]

    async def take(self, connection: str, hints: Collection[RecordHint]) -> int:
        """How many reasons to look were kept. Raises StoreUnavailable: then the sender has to send again."""
        kept = [
            (name, "left" if sync.left == connection else "right", hint)
            for name, sync in self.syncs.items()
            for hint in dict.fromkeys(hints)
            if connection in (sync.left, sync.right) and hint.object == sync.object
        ]
        if not kept:
            return 0

        def work(conn: Connection) -> None:
            for name, side, hint in kept:
                said = f"merged:{hint.merged_into}" if hint.merged_into else "gone" if hint.deleted else ""
                sync_records.hint(conn, name, side, hint.id, said)
            tell_due(conn, {lease_of(name) for name, _, _ in kept})  # another process may own the sync

        await self.db.write(work)
        for name in {name for name, _, _ in kept}:
            self.wake(name)
        return len(kept)
