"""Looks at what sources owe: errands, events not worked on, lists not read, recordings not copied."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import cursors, errands, inbox, recordings
from store import incidents as rows

STUCK_AFTER = timedelta(minutes=2)
UNREAD_AFTER = timedelta(hours=1)
"""A list is read every few minutes: one reading that fails is no news."""
COPIES_OF = timedelta(days=1)
RECONCILED = "reconcile:"
"""Cursor of a source's list (jobs.sources.reconciling)."""


def look_at_errands(
    conn: Connection,
    sources: Mapping[str, dict[str, Any]],
    told: Mapping[str, Incident],
    late_after: timedelta,
    clock: Clock,
) -> None:
    """Errands -> incidents, opened and closed. `told`: open incidents by their keys; `sources`: what a text may show.

    An errand that is not read is an enquiry that did not arrive: it is told of as late leads are.
    """
    now = clock.now()
    owed = errands.owed(conn)
    open_of = {one.connection for one in told.values() if one.kind in ("errand_late", "errand_failed")}
    for name in dict.fromkeys([*owed, *sorted(open_of)]):
        one = owed.get(name, errands.OwedErrands(name))
        about = sources.get(name, {})
        late = one.oldest_at is not None and one.oldest_at < now - late_after
        _tell(conn, "errand_late", name, one.last_error, one.waiting if late else 0, one.oldest_at, about, told, clock)
        _tell(conn, "errand_failed", name, one.failed_error, one.failed, one.oldest_failed_at, about, told, clock)
    waiting = errands.owed(conn, local=True)
    for name in dict.fromkeys([*waiting, *sorted(one.connection for one in told.values() if one.kind == "unclaimed")]):
        one, about = waiting.get(name, errands.OwedErrands(name)), sources.get(name, {})
        _tell(conn, "unclaimed", name, one.failed_error, one.failed, one.oldest_failed_at, about, told, clock)


def look_at_events(conn: Connection, told: Mapping[str, Incident], clock: Clock) -> None:
    """Accepted events that were tried in vain, or that wait although their turn comes at once."""
    found = inbox.backlog(conn)
    late = found.oldest_at is not None and found.oldest_at < clock.now() - STUCK_AFTER
    count = found.count if late else found.failed
    _tell(conn, "events_stuck", "", found.error, count, found.oldest_at, {}, told, clock)


def look_at_lists(
    conn: Connection, sources: Mapping[str, dict[str, Any]], told: Mapping[str, Incident], clock: Clock
) -> None:
    """Lists that cannot be read for hours, and recordings of the last days that could not be copied."""
    now = clock.now()
    failed = recordings.failed_copies(conn, now - COPIES_OF)
    open_of = [one.connection for one in told.values() if one.kind in ("list_unread", "copies_failing")]
    for name in dict.fromkeys([*sources, *failed, *open_of]):
        about = sources.get(name, {})
        kept = (cursors.load(conn, RECONCILED + name) if name in sources else None) or {}
        since = datetime.fromisoformat(kept["failing_since"]) if kept.get("failing_since") else None
        unread = since is not None and now - since > UNREAD_AFTER
        _tell(conn, "list_unread", name, kept.get("error", ""), int(unread), since, about, told, clock)
        count, oldest_at, error = failed.get(name, (0, None, ""))
        _tell(conn, "copies_failing", name, error, count, oldest_at, about, told, clock)


def _tell(
    conn: Connection,
    kind: str,
    name: str,
    cause: str,
    count: int,
    oldest_at: datetime | None,
    about: dict[str, Any],
    told: Mapping[str, Incident],
    clock: Clock,
) -> None:
    if count:
        rows.observe(conn, Observation(kind, name, cause, count, oldest_at, about), clock.now(), new_id(clock))
    elif (key := incident_key(kind, name)) in told:
        rows.resolve(conn, key, clock.now())
