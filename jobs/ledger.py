"""Where every lead of a day ended, by source: nothing that came in is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from jobs.intake.spooled import SpooledLead
from jobs.reports import day_window, not_taken_in
from store import reading, refused


@dataclass(slots=True)
class LedgerLine:
    """One source on one day. Lists hold JSON objects, each with the `lead_id` (but for `turned_away`).

    `in_crm` and `merged` (joined to an open deal): connection, record_id. `waiting`: connection,
    why, since. `refused`: connection, reason. `discarded`: reason. `turned_away`: requests that
    never became a lead (reason, status). `repeats`: the same event sent again.
    """

    day: date
    source: str
    received: int = 0
    repeats: int = 0
    in_crm: list[dict[str, str]] = field(default_factory=list)
    merged: list[dict[str, str]] = field(default_factory=list)
    waiting: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    discarded: list[dict[str, str]] = field(default_factory=list)
    turned_away: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "source": self.source,
            "received": self.received,
            "repeats": self.repeats,
            "in_crm": self.in_crm,
            "merged": self.merged,
            "waiting": self.waiting,
            "refused": self.refused,
            "discarded": self.discarded,
            "turned_away": self.turned_away,
        }


def ledger(
    conn: Connection, day: date, zone: ZoneInfo, sources: Sequence[str], spooled: Sequence[SpooledLead] = ()
) -> list[LedgerLine]:
    """A line for each configured source, and for each other that something came from."""
    since, until = day_window(day, zone)
    lines = {name: LedgerLine(day, name) for name in sources}

    def line(source: str) -> LedgerLine:
        return lines.setdefault(source, LedgerLine(day, source))

    for lead in reading.received_between(conn, since, until):
        line(lead.source).received += 1
        line(lead.source).repeats += lead.duplicates
        if lead.unrouted:
            entry = {"lead_id": lead.id, "connection": "", "reason": lead.status_why}
            (line(lead.source).discarded if lead.status == "discarded" else line(lead.source).refused).append(entry)
    for row in reading.delivered_between(conn, since, until):
        _add(line(row.source), row)
    for one in not_taken_in(conn, [one for one in spooled if since <= one.received_at < until]):
        line(one.source).received += 1
        why = {"why": "in the spool beside the database", "since": one.received_at.isoformat()}
        line(one.source).waiting.append({"lead_id": one.lead_id, "connection": "", **why})
    for row in refused.turned_away(conn, since, until):
        away = {"at": row.at.isoformat(), "status": row.status, "reason": row.reason}
        line(row.source).turned_away.append(away)
    return sorted(lines.values(), key=lambda one: one.source)


def _add(line: LedgerLine, row: Any) -> None:
    entry = {"lead_id": row.lead_id, "connection": row.connection}
    match row.state:
        case "delivered":
            kept = line.merged if row.outcome == "joined" else line.in_crm
            kept.append({**entry, "record_id": row.record_id})
        case "discarded":
            line.discarded.append({**entry, "reason": row.last_error})
        case "dead":
            line.refused.append({**entry, "reason": row.last_error})
        case _:
            why = _why(row)
            line.waiting.append({**entry, "why": why, "since": row.received_at.isoformat()})


def _why(row: Any) -> str:
    if row.last_error:
        return str(row.last_error)
    words = {"held": "held as spam", "waiting": "an earlier lead of this person goes first", "claimed": "under way"}
    return words.get(row.state, "not tried yet")
