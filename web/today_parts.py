"""The parts of *Today* as the template gets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from jobs import reports
from web.reasons import Why

Tone = Literal["good", "calm", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Row:
    """One lead that one CRM does not have yet."""

    lead_id: str
    name: str
    contact: str
    origin: str
    since: datetime
    state: str
    why: Why
    next_try: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Group:
    """Leads that do not arrive for one reason. `kind`: failed, pending, later, held, unrouted."""

    kind: str
    title: str
    why: Why
    rows: Sequence[Row]
    count: int
    oldest: datetime
    next_try: str = ""
    todo: str = ""
    connection: str = ""
    quiet: bool = False
    """Nothing is wrong: they were taken in a moment ago."""

    @property
    def ids(self) -> list[str]:
        return [row.lead_id for row in self.rows]


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    name: str
    title: str
    state: str
    since: datetime | None
    delivered: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """An open incident: its headline and further lines, as HTML of ours."""

    id: str
    level: str
    head: Any
    lines: Sequence[Any]
    acked_by: str
    muted_until: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Today:
    day: date
    is_today: bool
    number: int
    tone: Tone
    parts: Sequence[str]
    status: reports.DayStatus
    groups: Sequence[Group]
    connections: Sequence[ConnectionLine]
    alarms: Sequence[Alarm]
    failed_any: int
