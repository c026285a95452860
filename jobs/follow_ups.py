"""What is owed after a delivery was settled: looking for doubles, writing what the CRM had refused."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Target
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.limits import BULK, PRIORITY
from jobs.metadata import MetadataCache
from jobs.reporting import Reporter
from leads.clock import Clock
from store import follow_ups
from store.db import Database
from store.follow_ups import FollowUp
from store.leases import Held

log = logging.getLogger(__name__)

AT_ONCE = 20
WINDOW = timedelta(hours=2)
POSTPONE_S = 3600.0
GIVE_UP_TRIES = 24 * 30
"""An incomplete record is tried every hour for a month; the button in the console tries at once."""


@dataclass(slots=True)
class ConnectionFollowUps:
    """Keeps `jobs.owner.FollowUps` for one connection."""

    name: str
    target: Target
    db: Database
    clock: Clock
    reporter: Reporter
    metadata: MetadataCache

    async def run_due(self, held: Held) -> datetime | None:
        now = self.clock.now()
        due = await self.db.read(lambda conn: follow_ups.due_follow_ups(conn, self.name, now, limit=AT_ONCE))
        PRIORITY.set(BULK)
        for one in due:
            try:
                finished = await (self._complete(held, one) if one.kind == "complete" else self._recheck(held, one))
            except AuthError:
                return None
            except ConnectorError as error:
                log.info("follow-up postponed", extra={**_fields(one), "error": str(error)})
                finished = False
            await self._store(held, one, finished=finished)
        return None

    async def _store(self, held: Held, one: FollowUp, *, finished: bool) -> None:
        if finished or (one.tries >= GIVE_UP_TRIES and one.kind != "doubled"):
            await self.db.write(lambda conn: follow_ups.finish_follow_up(conn, held, one.id))
            return
        due_at = self.clock.now() + timedelta(seconds=POSTPONE_S)
        await self.db.write(lambda conn: follow_ups.postpone_follow_up(conn, held, one.id, due_at))

    async def _recheck(self, held: Held, one: FollowUp) -> bool:
        """After a repeated write: is there a second record with the same key? If so, until a person removed it."""
        found = await self.target.read_back((one.record_id,), one.created_at - WINDOW, self.clock.now() + WINDOW)
        ids = sorted({deal.id for deal in found if deal.key == one.lead_id}, key=lambda record: (len(record), record))
        if len(ids) < 2:
            return True
        if one.data.get("records") != ids:
            log.warning("doubled record found", extra={**_fields(one), "records": ids})
            await self.db.write(lambda conn: follow_ups.mark_doubled(conn, held, one.id, ids))
        return False

    async def _complete(self, held: Held, one: FollowUp) -> bool:
        """Writes the values that the deal could not take, by the account as it is now."""
        self.metadata.expire()
        _, directory = await self.metadata.get()
        wanted: dict[str, Any] = {}
        left = []
        for entry in one.incomplete:
            info = directory.field("deal", entry["field"]) if entry["value"] else None
            if info is None or info.read_only:
                left.append(entry)
            else:
                wanted[info.id] = info.enums.get(entry["value"], entry["value"])
        if not wanted:
            return False
        try:
            await self.target.update_deal(one.record_id, wanted)
        except PermanentError as error:
            return error.gone
        if left:
            return False
        await self.db.write(lambda conn: follow_ups.completed(conn, held, one.delivery_id))
        log.info("record completed", extra=_fields(one))
        return True


def _fields(one: FollowUp) -> dict[str, Any]:
    return {"event": f"follow_up.{one.kind}", "lead_id": one.lead_id, "delivery_id": one.delivery_id}
