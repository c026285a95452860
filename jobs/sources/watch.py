"""Looks at what sources owe: errands, events not worked on, lists not read, recordings not copied."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from jobs.alerts.looking import Look
from store import cursors, errands, inbox, recordings

STUCK_AFTER = timedelta(minutes=2)
UNREAD_AFTER = timedelta(hours=1)
"""A list is read every few minutes: one reading that fails is no news."""
COPIES_OF = timedelta(days=1)
RECONCILED = "reconcile:"
"""Cursor of a source's list (jobs.sources.reconciling)."""


def look_at_errands(conn: Connection, look: Look, sources: Mapping[str, dict[str, Any]], late_after: timedelta) -> None:
    """Errands -> incidents, opened and closed. `sources`: what a text may show.

    An errand that is not read is an enquiry that did not arrive: it is told of as late leads are.
    """
    owed = errands.owed(conn)
    open_of = {one.connection for one in look.told.values() if one.kind in ("errand_late", "errand_failed")}
    for name in dict.fromkeys([*owed, *sorted(open_of)]):
        one = owed.get(name, errands.OwedErrands(name))
        about = sources.get(name, {})
        late = one.oldest_at is not None and one.oldest_at < look.now - late_after
        look.counted("errand_late", name, one.last_error, one.waiting if late else 0, one.oldest_at, about)
        look.counted("errand_failed", name, one.failed_error, one.failed, one.oldest_failed_at, about)
    waiting = errands.owed(conn, local=True)
    unclaimed = sorted(one.connection for one in look.told.values() if one.kind == "unclaimed")
    for name in dict.fromkeys([*waiting, *unclaimed]):
        one, about = waiting.get(name, errands.OwedErrands(name)), sources.get(name, {})
        look.counted("unclaimed", name, one.failed_error, one.failed, one.oldest_failed_at, about)


def look_at_events(conn: Connection, look: Look) -> None:
    """Accepted events that were tried in vain, or that wait although their turn comes at once."""
    found = inbox.backlog(conn)
    late = found.oldest_at is not None and found.oldest_at < look.now - STUCK_AFTER
    count = found.count if late else found.failed
    look.counted("events_stuck", "", found.error, count, found.oldest_at)


def look_at_lists(conn: Connection, look: Look, sources: Mapping[str, dict[str, Any]]) -> None:
    """Lists that cannot be read for hours, and recordings of the last days that could not be copied."""
    failed = recordings.failed_copies(conn, look.now - COPIES_OF)
    open_of = [one.connection for one in look.told.values() if one.kind in ("list_unread", "copies_failing")]
    for name in dict.fromkeys([*sources, *failed, *open_of]):
        about = sources.get(name, {})
        kept = (cursors.load(conn, RECONCILED + name) if name in sources else None) or {}
        since = datetime.fromisoformat(kept["failing_since"]) if kept.get("failing_since") else None
        unread = since is not None and look.now - since > UNREAD_AFTER
        look.counted("list_unread", name, kept.get("error", ""), int(unread), since, about)
        count, oldest_at, error = failed.get(name, (0, None, ""))
        look.counted("copies_failing", name, error, count, oldest_at, about)
