"""The tables. What each row means is said here; who may change it, in the module that writes it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from store.columns import Instant as Instant
from store.columns import (
    Row,
    instant,
    json_column,
    no_by_default,
    number_column,
    table_of,
    text_column,
    words_column,
)
from store.columns import from_us as from_us
from store.columns import to_us as to_us
from store.partial import INCOMPLETE, NOT_ARRIVED, OWED


class Lead(Row, table=True):
    """One accepted enquiry. Written once at intake; only `status`, `flags`, `duplicates` and `person_id` change.

    `dedup_key` is unique: "u:<source>:<lead_uid>" or "c:<source>:<content hash>:<window number>".
    `data` is everything understood that has no column (see store.intake.lead_from_row).
    `status`: pending, delivered, failed, discarded.
    """

    id: str = Field(primary_key=True)
    source: str
    received_at: datetime = instant(index=True)
    lead_uid: str = text_column()
    dedup_key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    person_id: str = Field(index=True)
    name: str = text_column()
    phones: tuple[str, ...] = words_column()
    emails: tuple[str, ...] = words_column()
    flags: tuple[str, ...] = words_column()
    data: dict[str, Any] = json_column()
    status: str = text_column("pending")
    status_why: str = text_column()
    status_at: datetime | None = instant(nullable=True)
    route: str = text_column()
    duplicates: int = number_column()
    spooled: bool = no_by_default()

    __table_args__ = (
        Index(
            "ix_lead_not_arrived",
            "received_at",
            sqlite_where=text(NOT_ARRIVED),
            postgresql_where=text(NOT_ARRIVED),
        ),
        Index("ix_lead_source", "source", "received_at"),
    )


class RawRequest(Row, table=True):
    """What came in, byte for byte. `headers` are those that matter, secrets masked."""

    __tablename__ = "raw_request"
    lead_id: str = Field(primary_key=True)
    method: str
    url: str = text_column()
    headers: dict[str, Any] = json_column()
    body: bytes = Field(sa_type=LargeBinary, nullable=False)
    remote_ip: str = text_column()


class Event(Row, table=True):
    """Something that came in and is no lead by itself: an event of a call, a message, a payment. Append-only.

    `kind`: call, message, payment, errand; `key`: which call, conversation or payment of the source; `dedup_key` is
    unique: "<source>:<kind>:<key>:<event id or content hash>". Its raw request is kept under the event's id.
    """

    id: str = Field(primary_key=True)
    source: str
    kind: str
    key: str
    dedup_key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    received_at: datetime = instant()
    data: dict[str, Any] = json_column()

    __table_args__ = (
        Index("ix_event_subject", "source", "kind", "key"),
        Index("ix_event_source", "source", "received_at"),
    )


class CallRow(Row, table=True):
    """One call as its events tell it so far. `data` is leads.calls.Call; `lead_id` the lead that it became.

    `waits_until`: when it is judged although its last event has not come.
    """

    __tablename__ = "call"
    id: str = Field(primary_key=True)
    source: str
    key: str
    received_at: datetime = instant(index=True)
    changed_at: datetime = instant()
    waits_until: datetime | None = instant(nullable=True, index=True)
    client: str = text_column()
    lead_id: str = text_column()
    data: dict[str, Any] = json_column()

    __table_args__ = (
        UniqueConstraint("source", "key", name="uq_call_source_key"),
        Index("ix_call_client", "client"),
        Index("ix_call_key", "key"),
    )


class Person(Row, table=True):
    """Who wrote. `first_touch` is written once, with the row.

    `merged_into`: the person whom he turned out to be, who has his keys, leads and conversations now (store.ties).
    """

    id: str = Field(primary_key=True)
    created_at: datetime = instant()
    name: str = text_column()
    first_touch: dict[str, Any] = json_column()
    first_lead_id: str
    merged_into: str = text_column()


class Identity(Row, table=True):
    """A match key of a person: kind is phone, email, messenger:<vendor> or external."""

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    since: datetime = instant()


class Touch(Row, table=True):
    """One contact of a person with a source: the journey."""

    id: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    lead_id: str
    at: datetime = instant()
    data: dict[str, Any] = json_column()


class Delivery(Row, table=True):
    """The duty to bring one lead to one connection.

    state: `ready` (may be claimed once due), `waiting` (an earlier delivery of the same
    person to this connection is not settled), `claimed` (a worker with `fence` is at it),
    `held` (a person decides first), `delivered`, `dead` (gave up: a person decides),
    `discarded`. `lane` is the person. `priority` 0 fresh, 1 backlog and retries, 2 bulk.
    `progress` says what is done and what was being sent (jobs.delivery.progress).
    `incomplete` lists what the CRM refused and the note carries instead.
    """

    id: str = Field(primary_key=True)
    lead_id: str = Field(index=True)
    connection: str
    lane: str
    place: int
    """Order in the lane, from 1: that of the commits, whatever the clock said."""
    state: str
    priority: int = number_column()
    created_at: datetime = instant()
    due_at: datetime = instant()
    age_from: datetime = instant()
    """From here its age counts towards giving up: intake, or a person's retry."""
    attempts: int = number_column()
    fence: int = number_column()
    claimed_at: datetime | None = instant(nullable=True)
    progress: dict[str, Any] = json_column()
    route: str = text_column()
    record_id: str = text_column()
    contact_id: str = text_column()
    company_id: str = text_column()
    outcome: str = text_column()
    assigned_to: str = text_column()
    incomplete: list[Any] = json_column("[]")
    error_kind: str = text_column()
    last_error: str = text_column()
    looked_up: bool = no_by_default()
    """Its outcome was unknown at least once: its latency is counted apart."""
    fallback_at: datetime | None = instant(nullable=True)
    arrived_at: datetime | None = instant(nullable=True)
    """When a manager could see it in the CRM: the deal, or the note on an open one; task and rest come after."""
    settled_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        UniqueConstraint("lead_id", "connection"),
        Index(
            "ix_delivery_ready",
            "connection",
            "priority",
            "due_at",
            sqlite_where=text("state = 'ready'"),
            postgresql_where=text("state = 'ready'"),
        ),
        Index("ix_delivery_lane", "lane", "connection"),
        Index("ix_delivery_record_id", "record_id"),
        Index(
            "ix_delivery_owed",
            "connection",
            "state",
            "created_at",
            sqlite_where=text(OWED),
            postgresql_where=text(OWED),
        ),
        Index(
            "ix_delivery_incomplete",
            "connection",
            sqlite_where=text(INCOMPLETE),
            postgresql_where=text(INCOMPLETE),
        ),
    )


class Attempt(Row, table=True):
    """One try of one delivery; append-only. `calls` are redacted and size-capped (connectors.http.CallRecord)."""

    id: str = Field(primary_key=True)
    delivery_id: str = Field(index=True)
    lead_id: str
    connection: str
    number: int
    started_at: datetime = instant()
    took_ms: int
    outcome: str
    error: str = text_column()
    calls: list[Any] = json_column("[]")


class Assignment(Row, table=True):
    """Who was chosen as responsible, and why."""

    id: str = Field(primary_key=True)
    lead_id: str = Field(index=True)
    delivery_id: str
    connection: str
    user_id: str
    at: datetime = instant()
    reason: str = text_column()
    data: dict[str, Any] = json_column()

    __table_args__ = (Index("ix_assignment_since", "connection", "at", "user_id"),)


class AssignState(Row, table=True):
    """Where a queue of people stands; changed in the transaction that stores the assignment."""

    __tablename__ = "assign_state"
    pool: str = Field(primary_key=True)
    state: dict[str, Any] = json_column()


class Link(Row, table=True):
    """Our record <-> a vendor's id. `kind`: contact, company, deal; `our_id`: a person or a lead."""

    connection: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    our_id: str = Field(primary_key=True)
    vendor_id: str
    created_at: datetime = instant()

    __table_args__ = (Index("ix_link_vendor", "connection", "kind", "vendor_id"),)


class FollowUp(Row, table=True):
    """Something owed after a delivery was settled.

    kind: `recheck` (look for doubles after a repeated write), `doubled` (some were found: `data` has the `records`;
    looked at until one is left), `complete` (write the fields that were refused), `called_back` (the task of a missed
    call is done: `data` has the `call` in which; owed as soon as that is known, also before the delivery is settled).
    """

    __tablename__ = "follow_up"
    id: str = Field(primary_key=True)
    connection: str
    kind: str
    delivery_id: str
    due_at: datetime = instant()
    tries: int = 0
    data: dict[str, Any] = json_column()

    __table_args__ = (Index("ix_follow_up_due", "connection", "due_at"),)


class Incident(Row, table=True):
    """Something that a person should hear of once, from opening to end. `key` names it while it is open."""

    id: str = Field(primary_key=True)
    key: str = Field(index=True)
    kind: str
    connection: str = ""
    cause: str = text_column()
    opened_at: datetime = instant()
    updated_at: datetime = instant()
    resolved_at: datetime | None = instant(nullable=True)
    count: int = 0
    oldest_at: datetime | None = instant(nullable=True)
    muted_until: datetime | None = instant(nullable=True)
    acked_by: str = ""
    sent: dict[str, Any] = json_column()
    """Channel name -> what it shows (leads.incidents.Sent)."""
    data: dict[str, Any] = json_column()

    __table_args__ = (
        Index(
            "ix_incident_open",
            "key",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )


class AuditEntry(Row, table=True):
    """One action of a person, or what the sender of a lead said otherwise later (store.repeats)."""

    __tablename__ = "audit_entry"
    id: str = Field(primary_key=True)
    at: datetime = instant(index=True)
    actor: str
    action: str
    subject: str = Field(index=True)
    why: str = text_column()
    data: dict[str, Any] = json_column()


class Token(Row, table=True):
    """A vendor's OAuth tokens, AES-GCM under hub.secret_key; `key_id` tells which key of the list."""

    connection: str = Field(primary_key=True)
    key_id: str
    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)
    updated_at: datetime = instant()


class Lease(Row, table=True):
    """Who owns a connection (or another single-owner job) until when. `fence` grows with every change of owner."""

    name: str = Field(primary_key=True)
    owner: str
    fence: int
    expires_at: datetime = instant()
    hub: str = ""


class Cursor(Row, table=True):
    """A small named value that survives: where a pass stopped, when the hub was last alive."""

    name: str = Field(primary_key=True)
    value: dict[str, Any] = json_column()


t_lead = table_of(Lead)
t_raw_request = table_of(RawRequest)
t_event = table_of(Event)
t_call = table_of(CallRow)
t_person = table_of(Person)
t_identity = table_of(Identity)
t_touch = table_of(Touch)
t_delivery = table_of(Delivery)
t_attempt = table_of(Attempt)
t_assignment = table_of(Assignment)
t_assign_state = table_of(AssignState)
t_link = table_of(Link)
t_follow_up = table_of(FollowUp)
t_incident = table_of(Incident)
t_audit_entry = table_of(AuditEntry)
t_token = table_of(Token)
t_lease = table_of(Lease)
t_cursor = table_of(Cursor)
