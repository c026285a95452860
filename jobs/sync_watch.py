"""Looks at what record syncs ask of people: questions that wait, pairs that were stopped, passes that never end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jobs.alerts.looking import Look
from jobs.config.syncs import SyncSettings
from jobs.sync.passes import looked_at
from leads.incidents import Incident, Observation, incident_key
from store import sync_log

QUESTIONS = ("conflict", "ambiguous")
POLLS_MISSED = 3
"""A pass that is due less often than `late_after` is late after so many of them."""


def look_at_syncs(conn: Connection, look: Look, syncs: Mapping[str, SyncSettings], since: datetime) -> None:
    """Of every sync that is configured, and of those that no longer are. `since`: when this process began to look."""
    kept = {one.connection for one in look.told.values() if one.kind.startswith("sync_")}
    if not syncs and not kept:
        return
    open_issues = sync_log.waiting(conn, (*QUESTIONS, "loop"))
    for name in dict.fromkeys([*syncs, *sorted(kept)]):
        settings, counted = syncs.get(name), open_issues.get(name, {})
        seen = _seen(conn, name, settings, counted, look.told, since, look.now) if settings is not None else {}
        for kind in ("sync_waiting", "sync_loop", "sync_late"):
            if kind in seen:
                look.observe(seen[kind])
            else:
                look.over(kind, name)
        if settings is None:  # nobody runs it any more
            for kind in ("sync_braked", "sync_failed"):
                look.over(kind, name)


def _seen(
    conn: Connection,
    name: str,
    settings: SyncSettings,
    counted: Mapping[str, tuple[int, datetime]],
    told: Mapping[str, Incident],
    since: datetime,
    now: datetime,
) -> dict[str, Observation]:
    """By kind, what is wrong with one sync."""
    found: dict[str, Observation] = {}
    about = {"title": name, "path": "/syncs"}
    asked = {kind: counted[kind] for kind in QUESTIONS if kind in counted}
    oldest = min((at for _, at in asked.values()), default=None)
    if oldest is not None and now - oldest >= settings.ask_after:
        numbers = {kind: asked[kind][0] if kind in asked else 0 for kind in QUESTIONS}
        total = sum(numbers.values())
        found["sync_waiting"] = Observation("sync_waiting", name, "", total, oldest, {**about, **numbers})
    if "loop" in counted:
        stopped, at = counted["loop"]
        found["sync_loop"] = Observation("sync_loop", name, "", stopped, at, about)
    if incident_key("sync_failed", name) not in told and (late := _late(conn, name, settings, since, now)) is not None:
        found["sync_late"] = Observation("sync_late", name, "", 0, late[0], {**about, "began_at": late[1]})
    return found


def _late(
    conn: Connection, name: str, settings: SyncSettings, since: datetime, now: datetime
) -> tuple[datetime, Any] | None:
    """Since when no pass has come to its end, and when the one that runs began."""
    looked, _ = looked_at(conn, name)
    ended = max(looked or since, since)
    if now - ended < max(settings.late_after, POLLS_MISSED * settings.poll):
        return None
    last = sync_log.last_pass(conn, name)
    running = last is not None and last.state == "running"
    return ended, last.started_at.isoformat() if last is not None and running else None
