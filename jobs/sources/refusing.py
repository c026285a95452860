"""Says no to a request, and keeps it sealed for a week: what was merely misconfigured can be run again."""

import asyncio
import json
import logging
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import unquote_plus, urlencode

from connectors.doors import Inbound, Reply
from jobs.intake.spool_records import to_record
from jobs.sources.masking import Masks
from leads.clock import Clock
from leads.ids import new_id
from leads.masking import Mask
from leads.redact import redact
from store.db import BatchWork, Database, StoreUnavailable
from store.refused import RefusedRow, count_refused, keep_refused
from store.sealing import Sealer

log = logging.getLogger(__name__)

STORE_WAIT_S = 2.5
KEPT_BYTES = 256_000
"""A larger request is counted and shown, but not kept: enquiries are a hundredth of that."""
LOOK_CHARS = 300
READ_CHARS = 4_000
"""Of the body, from which the look is made."""


class Refusals:
    """Bound to the hub's database and key; `zone` is that of its days."""

    def __init__(self, db: Database, clock: Clock, sealer: Sealer, masks: Masks, zone: tzinfo) -> None:
        self._db = db
        self._clock = clock
        self._sealer = sealer
        self._masks = masks
        self._zone = zone
        self.count = 0

    async def refuse(self, source: str, inbound: Inbound, status: int, reason: str) -> Reply:
        """The answer. Whether the request could be kept changes nothing for its sender."""
        self._log(source, status, reason)
        row = self._row(source, inbound, status, reason)
        await self._write(source, keep_refused, row)
        return Reply(status, json.dumps({"error": reason}).encode())

    async def too_large(self, source: str, limit: int) -> None:
        """Counts a request whose body was not even read."""
        reason = f"larger than {limit} bytes"
        self._log(source, 413, reason)
        now = self._clock.now()
        await self._write(source, count_refused, RefusedRow("", source, now, self._day(now), 413, reason, "", "", 0))

    def _log(self, source: str, status: int, reason: str) -> None:
        self.count += 1
        log.warning(
            "request refused",
            extra={"event": "intake.refused", "source": source, "status": status, "reason": reason},
        )

    async def _write(self, source: str, work: BatchWork, row: RefusedRow) -> None:
        try:
            async with asyncio.timeout(STORE_WAIT_S):
                await self._db.write_in_batch(work, row, first=True)
        except (StoreUnavailable, TimeoutError):
            log.warning("refused request not kept", extra={"event": "intake.refused_lost", "source": source})

    def _row(self, source: str, inbound: Inbound, status: int, reason: str) -> RefusedRow:
        request_id = new_id(self._clock)
        record = to_record(source, inbound, with_proofs=True)
        key_id, sealed = "", None
        if len(inbound.body) <= KEPT_BYTES:
            key_id, sealed = self._sealer.seal(record, about=about(request_id))
        return RefusedRow(
            id=request_id,
            source=source,
            at=inbound.received_at,
            day=self._day(inbound.received_at),
            status=status,
            reason=reason,
            method=inbound.method,
            remote_ip=inbound.remote_ip,
            size_bytes=len(record) if sealed else 0,
            look=look_of(inbound, self._masks.of(source)),
            key_id=key_id,
            sealed=sealed,
        )

    def _day(self, at: datetime) -> str:
        return at.astimezone(self._zone).date().isoformat()


def about(request_id: str) -> str:
    """What a sealed request is bound to: it opens in no other row."""
    return f"refused:{request_id}"


def look_of(inbound: Inbound, mask: Mask) -> str:
    """The beginning of a request without secrets, phones and e-mails, in one line."""
    query = unquote_plus(mask.look(urlencode(inbound.query[:50])[:READ_CHARS]))
    body = inbound.body[:READ_CHARS].decode("utf-8", "replace")
    if not body.lstrip().startswith(("{", "[", "<")):
        body = unquote_plus(mask.look(body))
    text = " ".join(redact(mask.look(part)) for part in (query, body) if part)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LOOK_CHARS]


def refused_json(row: Any) -> dict[str, Any]:
    """A row of `store.refused.refused_requests` as CLI and API show it."""
    return {
        "id": row.id,
        "source": row.source,
        "at": row.at.isoformat(),
        "status": row.status,
        "reason": row.reason,
        "method": row.method,
        "remote_ip": row.remote_ip,
        "size_bytes": row.size_bytes,
        "kept": bool(row.is_kept),
        "look": row.look,
        "rerun_at": row.rerun_at.isoformat() if row.rerun_at else None,
        "outcome": row.outcome,
    }
