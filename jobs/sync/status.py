"""How a sync stands, for people and programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from jobs.config_syncs import SyncSettings
from jobs.sync.passes import looked_at
from store import sync_log, sync_pairs, sync_records

SHOWN = 1000
"""Issues of one sync that are listed."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state`: never_ran, running, ok, waits (for a yes), failed, shadow. `lag_s`: since both sides were looked at."""

    name: str
    settings: SyncSettings
    state: str
    lag_s: float | None = None
    last_pass: Mapping[str, Any] | None = None
    due: int = 0
    creating: int = 0
    records: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    pairs: Mapping[str, int] = field(default_factory=dict)
    issues: tuple[Mapping[str, Any], ...] = ()
    counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def fine(self) -> bool:
        return self.state not in ("waits", "failed") and not self.counted

    def to_json(self) -> dict[str, Any]:
        listed: dict[str, list[Mapping[str, Any]]] = {"ambiguous": [], "conflicts": [], "problems": []}
        for issue in self.issues:
            listed[{"ambiguous": "ambiguous", "conflict": "conflicts"}.get(issue["kind"], "problems")].append(issue)
        return {
            "sync": self.name,
            "left": self.settings.left,
            "right": self.settings.right,
            "object": self.settings.object,
            "direction": self.settings.direction,
            "state": self.state,
            "lag_seconds": self.lag_s,
            "last_pass": self.last_pass,
            "due": self.due,
            "creating": self.creating,
            "records": self.records,
            "pairs": self.pairs,
            "issues": self.counted,
            **listed,
        }


def status(conn: Connection, name: str, settings: SyncSettings, now: datetime) -> SyncStatus:
    last = sync_log.last_pass(conn, name)
    looked, _ = looked_at(conn, name)
    pairs = sync_pairs.counts(conn, name)
    return SyncStatus(
        name,
        settings,
        _state(settings, last, looked),
        lag_s=max(0.0, (now - looked).total_seconds()) if looked else None,
        last_pass=pass_json(last) if last is not None else None,
        due=sync_records.count_dirty(conn, name),
        creating=pairs.pop("creating", 0),
        records=sync_records.counts(conn, name),
        pairs=pairs,
        issues=tuple(issue_json(row) for row in sync_log.issues(conn, name, limit=SHOWN)),
        counted=sync_log.count_issues(conn, name),
    )


def _state(settings: SyncSettings, last: Row[Any] | None, looked: datetime | None) -> str:
    if last is None and looked is None:
        return "never_ran"
    if last is not None and last.state in ("running", "braked", "failed"):
        later = looked is not None and last.ended_at is not None and looked > last.ended_at
        if not later:
            return {"running": "running", "braked": "waits", "failed": "failed"}[last.state]
    return "shadow" if settings.shadow else "ok"


def pass_json(row: Row[Any]) -> dict[str, Any]:
    return {
        "pass_id": row.id,
        "kind": row.kind,
        "state": row.state,
        "shadow": row.shadow,
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "counts": row.counts,
        "error": row.error,
    }


def issue_json(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "field": row.field,
        "left_ids": row.left_ids,
        "right_ids": row.right_ids,
        "since": row.opened_at.isoformat(),
        **{name: value for name, value in row.data.items() if name != "marks"},
    }


def write_json(row: Row[Any]) -> dict[str, Any]:
    """One write as a plan or a log shows it. `of`: the record that a new one is made of."""
    before = dict(row.before)
    of = before.pop("of", "")
    return {
        "op": "unlink" if row.op == "link" and row.after.get("remove") else row.op,
        "side": row.side,
        "record_id": row.record_id,
        "of": of,
        "before": before,
        "after": row.after,
        **({"state": row.state, "error": row.error} if row.state not in ("planned", "shadow") else {}),
    }
