"""What passes between the outbox and who delivers: claims, intents, settlements."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from leads.records import Lead
from store.leases import Held


@dataclass(frozen=True, slots=True)
class PersonView:
    """What a delivery needs to know of its person.

    `contact_id` as remembered for this connection; `last_deal_id` and `last_lead_at` of the
    person's last lead that was delivered there.
    """

    id: str
    name: str
    first_touch: dict[str, Any]
    contact_id: str = ""
    last_deal_id: str = ""
    last_lead_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that we hold until it is settled."""

    id: str
    connection: str
    lead: Lead
    person: PersonView
    route: str
    priority: int
    attempt: int
    """Counts from 1, this one included."""
    created_at: datetime
    age_from: datetime
    progress: dict[str, Any]
    looked_up: bool
    assigned_to: str = ""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    claimed: list[Claimed]
    next_due: datetime | None
    """When the next delivery that is ready but not due becomes due."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    id: str
    number: int
    started_at: datetime
    took_ms: int
    outcome: str
    error: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NewFollowUp:
    id: str
    kind: Literal["recheck", "complete", "enrich"]
    due_at: datetime
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one claimed delivery ended this time.

    `state` delivered, ready (try again at `due_at`), dead, or held. `links`: (kind, our id, vendor id).
    """

    held: Held
    delivery_id: str
    lead_id: str
    lane: str
    state: Literal["delivered", "ready", "dead", "held"]
    now: datetime
    attempt: AttemptRecord | None = None
    due_at: datetime | None = None
    count_attempt: bool = True
    progress: dict[str, Any] = field(default_factory=dict)
    record_id: str = ""
    contact_id: str = ""
    company_id: str = ""
    assigned_to: str = ""
    """Of the deal that was joined; "" leaves what was decided for a new one."""
    outcome: str = ""
    incomplete: list[dict[str, Any]] = field(default_factory=list)
    error_kind: str = ""
    last_error: str = ""
    looked_up: bool = False
    arrived_at: datetime | None = None
    links: tuple[tuple[str, str, str], ...] = ()
    follow_ups: tuple[NewFollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be written, stored before the first byte leaves."""

    held: Held
    delivery_id: str
    progress: dict[str, Any]
