"""Looks at what sources owe: errands that are late, errands that were given up."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import errands
from store import incidents as rows


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
