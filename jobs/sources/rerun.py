"""Requests that were refused run again, once what was wrong is mended: through proof, parsing and intake."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from connectors.doors import Inbound, Parsed, Refused, Unreadable, content_key
from jobs.intake.kept import raw_of
from jobs.intake.marking import marked
from jobs.intake.service import IntakeService
from jobs.intake.source import Source
from jobs.intake.spool_records import from_record
from jobs.sources.refusing import about
from leads.clock import Clock
from leads.records import Lead
from leads.sealed import CannotUnseal
from store import refused
from store.db import Database
from store.intake import lead_from_row
from store.operator import record_action
from store.sealing import Sealer

log = logging.getLogger(__name__)

AT_MOST = refused.ROOM.rows_of_source
FLAG = "rerun"

Outcome = Literal["accepted", "repeat", "nothing", "refused", "lost"]
"""`repeat`: what it says had arrived already; `nothing`: a test of the vendor's, without anything to take in;
`lost`: what was kept of it is not whole, or cannot be opened."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What became of one request. `status` and `reason` of what is still refused; `lead_ids` of what it made."""

    id: str
    at: datetime
    outcome: Outcome
    status: int = 0
    reason: str = ""
    lead_ids: tuple[str, ...] = ()
    events: int = 0


class Reruns:
    """Bound to the hub's intake: `run` may be called as often as one likes, what was let in stays so."""

    def __init__(self, intake: IntakeService, db: Database, sealer: Sealer, clock: Clock) -> None:
        self._intake = intake
        self._db = db
        self._sealer = sealer
        self._clock = clock

    async def run(
        self, source: Source, *, since: datetime | None = None, ids: Sequence[str] = (), actor: str
    ) -> list[Rerun]:
        """All that is kept of the source, oldest first, or of it what came `since` or has these ids.

        Raises StoreUnavailable; what was let in before stays let in.
        """
        rows = await self._db.read(
            refused.refused_requests, source=source.name, since=since, ids=ids, oldest_first=True, limit=AT_MOST
        )
        found: list[Rerun] = []
        for row in rows:
            one, due = await self._db.write(self._again, source, row.id, actor)
            self._intake.wake(due)
            if one is not None:
                found.append(one)
        if found:
            await self._db.write(self._remember, source.name, found, actor)
        log.info(
            "refused requests run again",
            extra={"event": "intake.rerun", "source": source.name, "count": len(found), "accepted": _accepted(found)},
        )
        return found

    def _again(
        self, conn: Connection, source: Source, request_id: str, actor: str
    ) -> tuple[Rerun | None, tuple[str, ...]]:
        """In one transaction: what it makes, and that it was let in. None: somebody else was quicker."""
        row = refused.sealed_request(conn, request_id, lock=True)
        if row is None:
            return None, ()
        if row.sealed is None:
            return Rerun(row.id, row.at, "lost", row.status, "it is not kept as a whole"), ()
        try:
            _, inbound, _, _ = from_record(self._sealer.open(row.key_id, row.sealed, about=about(row.id)))
        except CannotUnseal as error:
            return Rerun(row.id, row.at, "lost", row.status, str(error)), ()
        try:
            parsed = self._parsed(source, inbound)
        except Refused as refusal:
            refused.still_refused(conn, row.id, refusal.status, refusal.reason)
            return Rerun(row.id, row.at, "refused", refusal.status, refusal.reason), ()
        except Unreadable as problem:
            refused.still_refused(conn, row.id, 400, problem.reason)
            return Rerun(row.id, row.at, "refused", 400, problem.reason), ()
        return self._let_in(conn, source, inbound, parsed, row.id, actor)

    def _parsed(self, source: Source, inbound: Inbound) -> Parsed:
        """`received_at` is the time it came: a proof that is only good for minutes is checked against that."""
        if inbound.method == "GET" and "GET" not in source.door.methods:
            raise Refused("a test of the address: start it once more at the vendor", 403)
        source.door.verify(source.settings, inbound)
        return marked(source.door.parse(source.settings, inbound, self._intake.region), FLAG)

    def _let_in(
        self, conn: Connection, source: Source, inbound: Inbound, parsed: Parsed, request_id: str, actor: str
    ) -> tuple[Rerun, tuple[str, ...]]:
        taken = self._intake.take_in(
            conn,
            source,
            raw_of(inbound),
            parsed,
            at=inbound.received_at,
            known=lambda lead: _same_content(conn, source.name, lead, inbound.received_at),
        )
        for lead_id in taken.leads:
            record_action(conn, self._clock, actor=actor, action="lead.rerun", subject=lead_id)
        events = sum(map(len, (parsed.calls, parsed.messages, parsed.payments, parsed.errands, parsed.undelivered)))
        outcome: Outcome = "accepted" if taken.leads or events else "repeat" if parsed.leads else "nothing"
        refused.let_in(conn, request_id, self._clock.now(), outcome)
        return Rerun(request_id, inbound.received_at, outcome, lead_ids=taken.leads, events=events), taken.due

    def _remember(self, conn: Connection, source: str, found: Sequence[Rerun], actor: str) -> None:
        data = {"requests": len(found), "accepted": _accepted(found)}
        record_action(conn, self._clock, actor=actor, action="source.rerun", subject=source, data=data)


def _accepted(found: Sequence[Rerun]) -> int:
    return sum(one.outcome == "accepted" for one in found)


def _same_content(conn: Connection, source: str, lead: Lead, at: datetime) -> str:
    """The key of a lead without an id that says the same: vendors repeat what was refused, for hours."""
    content = content_key(source, lead)
    for row in refused.alike(conn, lead, at - refused.KEPT):
        if not row.lead_uid and content_key(source, lead_from_row(row)) == content:
            return str(row.dedup_key)
    return ""
