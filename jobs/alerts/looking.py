"""One look at what the database tells: read beside the writer, and what is found is written at once afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from leads.clock import Clock
from leads.ids import new_id
from leads.incidents import Incident, Observation, incident_key
from store import incidents


@dataclass(slots=True)
class Look:
    """`told`: the open incidents by their keys, as they were when it began at `now`."""

    now: datetime
    told: Mapping[str, Incident]
    _seen: list[Observation] = field(default_factory=list)
    _over: list[tuple[Incident, Mapping[str, Any] | None]] = field(default_factory=list)

    @classmethod
    def begin(cls, conn: Connection, now: datetime) -> "Look":
        return cls(now, {one.key: one for one in incidents.open_incidents(conn)})

    def observe(self, seen: Observation) -> None:
        self._seen.append(seen)

    def over(self, kind: str, connection: str = "", data: Mapping[str, Any] | None = None) -> None:
        """It is not seen any more; nothing if it was not told of. `data` is added to what is known of it."""
        if (one := self.told.get(incident_key(kind, connection))) is not None:
            self.end(one, data)

    def end(self, one: Incident, data: Mapping[str, Any] | None = None) -> None:
        """As `over`, of an incident with a cause in its key."""
        self._over.append((one, data))

    def counted(
        self,
        kind: str,
        connection: str,
        cause: str,
        count: int,
        oldest_at: datetime | None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Seen so many times, or over when there is none."""
        if count:
            self.observe(Observation(kind, connection, cause, count, oldest_at, dict(about or {})))
        else:
            self.over(kind, connection)

    def write(self, conn: Connection, clock: Clock) -> None:
        """What changed since the look began is left as it is: the next look sees it."""
        for seen in self._seen:
            incidents.observe(conn, seen, self.now, new_id(clock))
        for one, data in self._over:
            current = incidents.find(conn, one.id)
            if current is not None and current.updated_at == one.updated_at:
                incidents.resolve(conn, one.key, self.now, data)
