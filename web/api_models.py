"""The shapes of the JSON API: what `/api/openapi.json` promises is what is sent."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

LeadStatus = Literal["pending", "delivered", "failed", "discarded"]
DeliveryState = Literal["ready", "waiting", "claimed", "held", "delivered", "failed", "discarded"]
ConnectionState = Literal["ok", "degraded", "down", "unauthorized"]
LeadId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9a-zA-Z-]+$")]
Why = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")]
MAX_IDS = 500


def without_nul(text: str) -> str:
    """PostgreSQL knows no NUL in a text: nothing that was stored holds one."""
    return text.replace("\x00", "\ufffd")


def _json_number(value: Any) -> Any:
    """JSON knows one kind of number, so 60.0 is 60; a text or a truth value is none."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic reports ValueError
    return value


def _iso_day(value: Any) -> Any:
    """pydantic would also take seconds since 1970 for a day."""
    if isinstance(value, str) and not re.fullmatch(ISO_DAY, value, re.ASCII):
        raise ValueError("must be a day like 2026-11-24")
    return value


ISO_DAY = r"^\d{4}-\d{2}-\d{2}$"
Day = Annotated[date, BeforeValidator(_iso_day), Field(json_schema_extra={"pattern": ISO_DAY})] | SkipJsonSchema[None]
Word = Annotated[str, Field(max_length=200), AfterValidator(without_nul)]


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Detail(Shape):
    where: str = Field(description="what in the request, such as query.limit")
    message: str


class Problem(Shape):
    """Why the request was refused."""

    error: str
    details: list[Detail] = []


# --- what is asked ------------------------------------------------------------------------------------------


class Asked(BaseModel):
    """Parameters of a question; an unknown one is refused: a misspelt filter must not answer with everything."""

    model_config = ConfigDict(extra="forbid")


class StatusAsked(Asked):
    day: Day = Field(None, description="in the hub's time zone; default: today")


class LeadsAsked(Asked):
    day: Day = Field(None, description="received on that day, in the hub's time zone")
    source: Word = ""
    connection: Word = Field("", description="goes or went to that CRM")
    status: LeadStatus | SkipJsonSchema[None] = None
    flag: Word = ""
    q: Word = Field("", description="a name, phone in any spelling, e-mail, lead id or record id")
    limit: int = Field(50, ge=1, le=500)
    before: Word = Field("", description="`next_before` of the page before")


class IncidentsAsked(Asked):
    over: bool = Field(False, description="also those that are over, newest first, at most 200")


# --- status -----------------------------------------------------------------------------------------------


class LatencySeconds(Shape):
    """From receipt to the CRM's record; null while nothing was delivered."""

    p50: float | None
    p95: float | None
    p99: float | None


class Work(Shape):
    """Of any day, but `done`, which is of this one."""

    done: int
    pending: int
    failed: int


class ConnectionStatus(Shape):
    delivered: int
    pending: int
    failed: int
    discarded: int
    state: ConnectionState


class ErrandsStatus(Shape):
    """Errands that came on the day: enquiries that a request only named."""

    pending: int = Field(description="not read yet")
    failed: int = Field(description="given up; a person decides")
    done: int
    discarded: int


class Status(Shape):
    """How many leads of the day did not arrive."""

    day: date
    accepted: int
    delivered: int
    pending: int
    failed: int
    discarded: int
    oldest_pending_seconds: float = Field(
        description="age of the oldest pending lead, of any day; 0 when there is none"
    )
    latency_seconds: LatencySeconds
    looked_up: int = Field(description="delivered after an unknown outcome; not in the latency")
    spooled: int = Field(0, description="of the day, waiting in the spool beside the database")
    events_waiting: int = Field(0, description="calls and messages of the day, accepted and not worked on yet")
    recovered: int = Field(0, description="leads of the day that only the source's own list told of")
    errands: ErrandsStatus
    connections: dict[str, ConnectionStatus]
    notes: Work = Field(description="notes of conversations, on their way to the CRMs")
    replies: Work = Field(description="our messages to clients; those whose outcome is unknown count as failed")


# --- leads ------------------------------------------------------------------------------------------------


class Touch(Shape):
    """One contact of a person with a source."""

    at: datetime
    source: str = ""
    channel: str = ""
    utm: dict[str, str] = {}
    click_ids: dict[str, str] = {}
    referrer: str = ""
    landing_page: str = ""


class Delivery(Shape):
    id: str
    connection: str
    state: DeliveryState
    record_id: str
    contact_id: str
    company_id: str
    attempts: int
    assigned_to: str
    outcome: str
    route: str
    due_at: datetime
    arrived_at: datetime | None
    settled_at: datetime | None
    error_kind: str
    last_error: str
    incomplete: list[dict[str, Any]]
    looked_up: bool


class Lead(Shape):
    id: str
    source: str
    received_at: datetime
    lead_uid: str
    name: str
    phones: list[str] = Field(description="E.164")
    emails: list[str]
    messengers: list[list[str]] = Field([], description="[vendor, sender id]")
    external_id: str = ""
    company: str
    comment: str
    form: str
    page_url: str
    referrer: str = ""
    utm: dict[str, str]
    click_ids: dict[str, str]
    extra: dict[str, str]
    first_touch: Touch | None
    last_touch: Touch | None
    person_id: str
    other_persons: list[str]
    flags: list[str]
    status: LeadStatus
    status_why: str
    route: str
    duplicates: int
    deliveries: list[Delivery]


class Leads(Shape):
    """`next_before`: give it as `before` for the page of older leads; null on the last page."""

    leads: list[Lead]
    next_before: str | None


class Raw(Shape):
    """The request as it came in; what is not UTF-8 in the body is replaced."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    size_bytes: int
    remote_ip: str


class Identity(Shape):
    kind: str
    value: str


class OtherLead(Shape):
    id: str
    source: str
    status: LeadStatus
    received_at: datetime


class Call(Shape):
    """One request to the CRM, redacted and cut."""

    operation: str
    method: str
    url: str
    request: str
    status: int
    answer: str
    at: datetime
    took_ms: int
    error: str


class Event(BaseModel):
    """Something that happened to the lead; which fields are there depends on `event`.

    `received`: source, spooled, route. `assigned`: connection, user, why, data.
    `attempt`: connection, number, outcome, error, took_ms, calls. `lead.sent_again`: data, the fields that differ
    when a known event came again. Others are actions of people: actor, why, data.
    """

    model_config = ConfigDict(extra="allow")
    at: datetime
    event: str
    source: str = ""
    spooled: bool = False
    route: str = ""
    connection: str = ""
    user: str = ""
    why: str = ""
    data: dict[str, Any] = {}
    number: int = 0
    outcome: str = ""
    error: str = ""
    took_ms: int = 0
    calls: list[Call] = []
    actor: str = ""


class Story(Lead):
    """A lead with everything that happened to it."""

    raw: Raw | None
    identities: list[Identity]
    touches: list[Touch]
    other_leads: list[OtherLead] = Field(description="of the same person, newest first, at most 50")
    timeline: list[Event]


# --- changes ----------------------------------------------------------------------------------------------


class RetrySome(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ids: list[LeadId] = Field(min_length=1, max_length=MAX_IDS)


class RetryAllFailed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    all_failed: Literal[True]


class Discard(BaseModel):
    model_config = ConfigDict(extra="forbid")
    why: Why = Field(description="shown with the lead for ever")


class Changed(Shape):
    """`refused`: lead id -> why nothing was done with it."""

    changed: list[str]
    refused: dict[str, str]


# --- errands ------------------------------------------------------------------------------------------------


class ErrandsAsked(Asked):
    source: Word = ""
    state: Literal["owed", "pending", "failed", "done", "discarded"] = Field(
        "owed", description="owed: pending or failed"
    )
    limit: int = Field(200, ge=1, le=500)


class Errand(Shape):
    """Something that a request named and that is read from the vendor."""

    id: str
    source: str
    kind: str
    key: str = Field(description="the vendor's id of it")
    data: dict[str, str]
    state: Literal["pending", "failed", "done", "discarded"]
    created_at: datetime
    due_at: datetime
    attempts: int
    error_kind: str
    last_error: str
    lead_ids: list[str] = Field(description="the leads that it made")
    settled_at: datetime | None


class Errands(Shape):
    errands: list[Errand]


# --- incidents --------------------------------------------------------------------------------------------


class Incident(Shape):
    id: str
    kind: str
    connection: str
    cause: str
    level: Literal["red", "yellow", "info"]
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    count: int = Field(description="leads concerned")
    oldest_at: datetime | None
    muted_until: datetime | None
    acked_by: str
    text: str = Field(description="what a person reads, in the hub's language")


class Incidents(Shape):
    incidents: list[Incident]


class Mute(BaseModel):
    model_config = ConfigDict(extra="forbid")
    minutes: Annotated[int, BeforeValidator(_json_number)] = Field(
        60, ge=0, le=10_080, description="0 ends the silence"
    )
