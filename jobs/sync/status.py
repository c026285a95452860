"""How a sync stands, for people and programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from jobs.config.syncs import SyncSettings
from jobs.sync.packing import plain
from jobs.sync.passes import looked_at
from jobs.sync.service import lease_of
from store import leases, sync_log, sync_pairs, sync_records, sync_shadow

SHOWN = 1000
"""Issues of one sync that are listed."""
WRITES = ("create", "update", "link", "archive", "delete", "tag", "restored")
"""What passes count by side, as `create_left`."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """`state`: never_ran, running, ok, waits (for a yes), failed, stopped (goes on with the next pass), shadow.

    `lag_s`: since both sides were looked at. `silent_s`: since the process of a running pass gave a sign of life; a
    killed one is known as such after `store.leases.TTL_S`.

    `asked`: a person wants a pass, and none has begun. `would`: by what and side, what the brake held back, or
    what a shadow would have done by now.
    """

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
    asked: bool = False
    noted: Mapping[str, int] = field(default_factory=dict)
    silent_s: float | None = None

    @property
    def would(self) -> Mapping[str, int]:
        if self.settings.shadow:
            return self.noted
        if self.state != "waits" or self.last_pass is None:
            return {}
        counts = self.last_pass["counts"].items()
        return {name.removeprefix("would_"): count for name, count in counts if name.startswith("would_")}

    @property
    def fine(self) -> bool:
        return self.state not in ("waits", "failed", "stopped") and not self.counted

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
            "silent_seconds": self.silent_s,
            "last_pass": self.last_pass,
            "shadow": self.settings.shadow,
            "asked": self.asked,
            "would": self.would,
            "due": self.due,
            "creating": self.creating,
            "records": self.records,
            "pairs": self.pairs,
            "issues": self.counted,
            **listed,
        }


def status(conn: Connection, name: str, settings: SyncSettings, now: datetime, *, issues: int = SHOWN) -> SyncStatus:
    """`issues`: at most so many are listed; `counted` has them all."""
    looked, _ = looked_at(conn, name)
    state, last = _stands(conn, name, settings, looked, now)
    pairs = sync_pairs.counts(conn, name)
    return SyncStatus(
        name,
        settings,
        state,
        lag_s=max(0.0, (now - looked).total_seconds()) if looked else None,
        last_pass=pass_json(last, now) if last is not None else None,
        due=sync_records.count_dirty(conn, name),
        creating=pairs.pop("creating", 0),
        records=sync_records.counts(conn, name),
        pairs=pairs,
        issues=tuple(issue_json(row) for row in sync_log.issues(conn, name, limit=issues)) if issues else (),
        counted=sync_log.count_issues(conn, name),
        asked=sync_log.asked(conn, name) is not None,
        noted=sync_shadow.noted(conn, name) if settings.shadow else {},
        silent_s=leases.silent_s(conn, lease_of(name), now) if state == "running" else None,
    )


def _stands(
    conn: Connection, name: str, settings: SyncSettings, looked: datetime | None, now: datetime
) -> tuple[str, Row[Any] | None]:
    """The state, and the pass that it comes from.

    A pass that was stopped or failed is told until one got further: one that has only begun says nothing yet.
    """
    newest = sync_log.passes(conn, name, 2)
    last = newest[0] if newest else None
    if last is None:
        return ("never_ran" if looked is None else "shadow" if settings.shadow else "ok"), None
    if last.state == "running":
        if not leases.held_by_another(conn, lease_of(name), now):
            return "stopped", last  # its process is gone
        before = newest[1] if len(newest) > 1 else None
        trouble = _trouble(before, looked)
        if before is None or not trouble or _got_further(conn, last, trouble):
            return "running", last
        return trouble, before
    return _trouble(last, looked) or ("shadow" if settings.shadow else "ok"), last


def _trouble(row: Row[Any] | None, looked: datetime | None) -> str:
    if row is None or row.state not in ("braked", "failed", "stopped"):
        return ""
    if looked is not None and row.ended_at is not None and looked > row.ended_at:
        return ""
    return "waits" if row.state == "braked" else str(row.state)


def _got_further(conn: Connection, running: Row[Any], trouble: str) -> bool:
    if trouble != "waits":
        return bool(running.counts) or trouble == "stopped"
    request = sync_log.request(conn, running.request_id) if running.request_id else None
    return written(running.counts) > 0 or (request is not None and request.yes)


def written(counts: Mapping[str, int]) -> int:
    """How many writes a pass has done, or would have."""
    return sum(counts.get(f"{op}_{side}", 0) for op in WRITES for side in ("left", "right"))


def pass_json(row: Row[Any], now: datetime) -> dict[str, Any]:
    """`per_second`: writes of this pass, None when it has none."""
    wrote = written(row.counts)
    took_s = max(0.0, ((row.ended_at or now) - row.started_at).total_seconds())
    return {
        "pass_id": row.id,
        "kind": row.kind,
        "state": row.state,
        "shadow": row.shadow,
        "started_at": row.started_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "took_seconds": round(took_s, 3),
        "written": wrote,
        "per_second": round(wrote / took_s, 2) if wrote and took_s else None,
        "counts": row.counts,
        "error": row.error,
    }


def issue_json(row: Row[Any]) -> dict[str, Any]:
    """`left_names`, `right_names`: record id -> how it is called, of those whose name is known."""
    names = row.data.get("names", {})
    return {
        "id": row.id,
        "kind": row.kind,
        "field": row.field,
        "left_ids": row.left_ids,
        "right_ids": row.right_ids,
        "left_names": names.get("left", {}),
        "right_names": names.get("right", {}),
        "since": row.opened_at.isoformat(),
        **{name: plain(value) for name, value in row.data.items() if name not in ("marks", "names")},
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
        "before": plain(before),
        "after": plain(dict(row.after)),
        **({"state": row.state, "error": row.error} if row.state not in ("planned", "shadow") else {}),
    }
