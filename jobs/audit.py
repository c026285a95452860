"""Reads every delivered lead of a day back from the CRMs, in bulk, and says what is not as it should be."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel

from connectors.base import Connector, FoundDeal
from connectors.errors import ConnectorError
from connectors.limits import BULK, PRIORITY
from connectors.registry import CONNECTORS
from jobs.config.loading import Settings
from jobs.opening import Transport, no_transport, opened, opening_of, patiently
from jobs.reports import day_window
from leads.clock import Clock
from store import reading
from store.db import Database

SHARE = 5
"""The audit takes one part in so many of the vendor's rate: leads go on meanwhile."""
CLOCKS_APART = timedelta(minutes=5)
LANDS_WITHIN = timedelta(hours=1)
"""A repeated write that lands after its lead was settled is looked for so long afterwards."""

Problem = Literal["absent", "doubled", "no_contact", "no_source", "no_responsible"]
PROBLEMS: tuple[Problem, ...] = ("absent", "doubled", "no_contact", "no_source", "no_responsible")


@dataclass(frozen=True, slots=True)
class Finding:
    """`others`: further records that bear the lead's key."""

    problem: Problem
    lead_id: str
    connection: str
    record_id: str
    others: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "problem": self.problem,
            "lead_id": self.lead_id,
            "connection": self.connection,
            "record_id": self.record_id,
            "others": list(self.others),
        }


@dataclass(frozen=True, slots=True)
class ConnectionAudit:
    """`checked`: leads read back. `error` says why the connection could not be asked; then nothing was checked."""

    name: str
    delivered: int
    checked: int = 0
    findings: tuple[Finding, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class DayAudit:
    day: date
    connections: tuple[ConnectionAudit, ...]

    @property
    def findings(self) -> list[Finding]:
        return [finding for one in self.connections for finding in one.findings]

    @property
    def asked(self) -> bool:
        """At least one connection answered, or none had anything to be asked."""
        return not self.connections or any(not one.error for one in self.connections)

    @property
    def fine(self) -> bool:
        """All was read and nothing is wrong."""
        return not self.findings and not any(one.error for one in self.connections)

    def to_json(self) -> dict[str, Any]:
        counts: dict[str, int] = {one: sum(one == found.problem for found in self.findings) for one in PROBLEMS}
        return {
            "day": self.day.isoformat(),
            "fine": self.fine,
            "delivered": sum(one.delivered for one in self.connections),
            "checked": sum(one.checked for one in self.connections),
            **counts,
            "findings": [one.to_json() for one in self.findings],
            "connections": {
                one.name: {
                    "delivered": one.delivered,
                    "checked": one.checked,
                    "findings": len(one.findings),
                    "error": one.error,
                }
                for one in self.connections
            },
        }


async def audit(
    settings: Settings,
    db: Database,
    clock: Clock,
    day: date,
    transport: Transport = no_transport,
) -> DayAudit:
    """`day` in the hub's zone: leads received on it. Raises StoreUnavailable."""
    since, until = day_window(day, settings.hub.zone)
    rows = await db.read(reading.delivered_between, since, until)
    delivered: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if row.state == "delivered":
            delivered[row.connection].append(row)
    window = (since - CLOCKS_APART, _end(rows, until))
    asked = [
        _audit_one(settings, db, clock, name, delivered[name], window, transport)
        for name in sorted(delivered, key=lambda name: (name not in settings.connections, name))
    ]
    return DayAudit(day, tuple(await asyncio.gather(*asked)))


def _end(rows: Sequence[Any], until: datetime) -> datetime:
    settled: list[datetime] = [row.settled_at for row in rows if row.settled_at is not None]
    return max([until, *(at + LANDS_WITHIN for at in settled)]) + CLOCKS_APART


async def _audit_one(
    settings: Settings,
    db: Database,
    clock: Clock,
    name: str,
    rows: Sequence[Any],
    window: tuple[datetime, datetime],
    transport: Transport,
) -> ConnectionAudit:
    configured = settings.connections.get(name)
    if configured is None:
        return ConnectionAudit(name, len(rows), error="not in the configuration any more")
    connector = CONNECTORS[configured.type]
    own = slowed(connector, configured.settings)
    opening = opening_of(settings, name, db, clock, own=own, transport=transport(configured.type))
    PRIORITY.set(BULK)
    try:
        async with opened(configured.type, opening) as target:
            deal_ids = tuple(dict.fromkeys(row.record_id for row in rows))
            found = await patiently(lambda: target.read_back(deal_ids, *window), clock, silences=2)
    except ConnectorError as error:
        return ConnectionAudit(name, len(rows), error=str(error))
    always = connector.capabilities(configured.settings).always_responsible
    return ConnectionAudit(name, len(rows), len(rows), compare(rows, found, always_responsible=always))


def slowed(connector: Connector, settings: BaseModel) -> BaseModel:
    """The same settings at a fifth of the pace, where the connector lets the pace be set."""
    if "rate" not in type(settings).model_fields:
        return settings
    pace = connector.capabilities(settings).max_rate
    calls = max(1, pace.calls // SHARE)
    rate: dict[str, Any] = {"calls": calls, "per_s": pace.per_s * SHARE * calls / pace.calls}
    if pace.leak_per_s:
        rate = {"calls": calls, "leak_per_s": pace.leak_per_s / SHARE}
    return type(settings).model_validate({**dict(settings), "rate": rate})


def compare(rows: Sequence[Any], found: Sequence[FoundDeal], *, always_responsible: bool) -> tuple[Finding, ...]:
    """`rows`: what was delivered (lead_id, connection, record_id, outcome, assigned_to); `found`: what the CRM has."""
    by_id = {deal.id: deal for deal in found}
    by_key: dict[str, list[str]] = defaultdict(list)
    for each in found:
        if each.key and each.id not in by_key[each.key]:
            by_key[each.key].append(each.id)
    findings: list[Finding] = []
    for row in rows:
        others = tuple(deal_id for deal_id in by_key.get(row.lead_id, ()) if deal_id != row.record_id)
        deal = by_id.get(row.record_id)
        problems = _problems(row, deal, others, always_responsible=always_responsible)
        findings += [Finding(problem, row.lead_id, row.connection, row.record_id, others) for problem in problems]
    return tuple(findings)


def _problems(row: Any, deal: FoundDeal | None, others: tuple[str, ...], *, always_responsible: bool) -> list[Problem]:
    problems: list[Problem] = []
    if deal is None:
        problems.append("absent")
    if others and (deal is not None or len(others) > 1):
        problems.append("doubled")
    if deal is None:
        return problems
    if not deal.has_contact:
        problems.append("no_contact")
    # A deal that the lead joined was made by somebody else: its source is not ours to fill.
    if not deal.has_source and row.outcome != "joined":
        problems.append("no_source")
    if not deal.responsible and (always_responsible or row.assigned_to):
        problems.append("no_responsible")
    return problems
