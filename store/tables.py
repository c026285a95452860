"""The tables. What each row means is said here; who may change it, in the module that writes it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ConfigDict
from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, Table, Text, UniqueConstraint, false, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime as integer microseconds: the same order, precision and bytes in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


def to_us(value: datetime) -> int:
    """Microseconds since 1970; raises ValueError for a naive datetime."""
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_us(value: int) -> datetime:
    return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Words(TypeDecorator[tuple[str, ...]]):
    """A few short texts without blanks (phones, e-mails, flags) as one text: cheap to write, easy to search."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        return " ".join(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:
        return tuple((value or "").split())


class Row(SQLModel):
    """A row of any table. Rows are read and written, not validated: the validators, slow to make, are not made."""

    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]  # SQLModel adds keys of its own


def _instant(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(
        default=None if nullable else ...,
        sa_type=Instant,
        nullable=nullable,
        index=index,
    )


def _json(empty: str = "{}") -> Any:
    factory = dict if empty == "{}" else list
    return Field(
        default_factory=factory, sa_type=JSON, nullable=False, sa_column_kwargs={"server_default": text(f"'{empty}'")}
    )


def _text(default: str = "") -> Any:
    return Field(
        default=default, sa_type=Text, nullable=False, sa_column_kwargs={"server_default": text(f"'{default}'")}
    )


def _words() -> Any:
    return Field(default=(), sa_type=Words, nullable=False, sa_column_kwargs={"server_default": text("''")})


def _number(default: int = 0) -> Any:
    return Field(default=default, nullable=False, sa_column_kwargs={"server_default": text(str(default))})


def _no() -> Any:
    return Field(default=False, nullable=False, sa_column_kwargs={"server_default": false()})


class Lead(Row, table=True):
    """One accepted enquiry. Written once at intake; only `status`, `flags` and `duplicates` change.

    `dedup_key` is unique: "u:<source>:<lead_uid>" or "c:<source>:<content hash>:<window number>".
    `data` is everything understood that has no column (see store.intake.lead_from_row).
    `status`: pending, delivered, failed, discarded.
    """

    id: str = Field(primary_key=True)
    source: str
    received_at: datetime = _instant(index=True)
    lead_uid: str = _text()
    dedup_key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    person_id: str = Field(index=True)
    name: str = _text()
    phones: tuple[str, ...] = _words()
    emails: tuple[str, ...] = _words()
    flags: tuple[str, ...] = _words()
    data: dict[str, Any] = _json()
    status: str = _text("pending")
    status_why: str = _text()
    status_at: datetime | None = _instant(nullable=True)
    route: str = _text()
    duplicates: int = _number()
    spooled: bool = _no()

    __table_args__ = (
        Index(
            "ix_lead_not_arrived",
            "received_at",
            sqlite_where=text("status IN ('pending', 'failed')"),
            postgresql_where=text("status IN ('pending', 'failed')"),
        ),
    )


class RawRequest(Row, table=True):
    """What came in, byte for byte. `headers` are those that matter, secrets masked."""

    __tablename__ = "raw_request"
    lead_id: str = Field(primary_key=True)
    method: str
    url: str = _text()
    headers: dict[str, Any] = _json()
    body: bytes = Field(sa_type=LargeBinary, nullable=False)
    remote_ip: str = _text()


class RefusedRequest(Row, table=True):
    """A request that was not let in, kept for a week: forged or misconfigured is visible, not lost."""

    __tablename__ = "refused_request"
    id: str = Field(primary_key=True)
    source: str = Field(index=True)
    at: datetime = _instant(index=True)
    status: int
    reason: str = _text()
    method: str
    url: str = _text()
    headers: dict[str, Any] = _json()
    body: bytes = Field(sa_type=LargeBinary, nullable=False)
    remote_ip: str = _text()


class Person(Row, table=True):
    """Who wrote. `first_touch` is written once, with the row."""

    id: str = Field(primary_key=True)
    created_at: datetime = _instant()
    name: str = _text()
    first_touch: dict[str, Any] = _json()
    first_lead_id: str


class Identity(Row, table=True):
    """A match key of a person: kind is phone, email, messenger:<vendor> or external."""

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    since: datetime = _instant()


class Touch(Row, table=True):
    """One contact of a person with a source: the journey."""

    id: str = Field(primary_key=True)
    person_id: str = Field(index=True)
    lead_id: str
    at: datetime = _instant()
    data: dict[str, Any] = _json()


class Delivery(Row, table=True):
    """The duty to bring one lead to one connection.

    state: `ready` (may be claimed once due), `waiting` (an earlier delivery of the same
    person to this connection is not settled), `claimed` (a worker with `fence` is at it),
    `held` (a person decides first), `delivered`, `dead` (gave up: a person decides),
    `discarded`. `lane` is the person. `priority` 0 fresh, 1 backlog and retries, 2 bulk.
    `progress` says what is done and what was being sent (jobs.progress).
    `incomplete` lists what the CRM refused and the note carries instead.
    """

    id: str = Field(primary_key=True)
    lead_id: str = Field(index=True)
    connection: str
    lane: str
    place: int
    """Order in the lane, from 1: that of the commits, whatever the clock said."""
    state: str
    priority: int = _number()
    created_at: datetime = _instant()
    due_at: datetime = _instant()
    age_from: datetime = _instant()
    """From here its age counts towards giving up: intake, or a person's retry."""
    attempts: int = _number()
    fence: int = _number()
    claimed_at: datetime | None = _instant(nullable=True)
    progress: dict[str, Any] = _json()
    route: str = _text()
    record_id: str = _text()
    contact_id: str = _text()
    company_id: str = _text()
    outcome: str = _text()
    assigned_to: str = _text()
    incomplete: list[Any] = _json("[]")
    error_kind: str = _text()
    last_error: str = _text()
    looked_up: bool = _no()
    """Its outcome was unknown at least once: its latency is counted apart."""
    fallback_at: datetime | None = _instant(nullable=True)
    arrived_at: datetime | None = _instant(nullable=True)
    """When a manager could see it in the CRM: the deal, or the note on an open one; task and rest come after."""
    settled_at: datetime | None = _instant(nullable=True)

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
        Index(
            "ix_delivery_owed",
            "connection",
            "state",
            "created_at",
            sqlite_where=text("state NOT IN ('delivered', 'discarded')"),
            postgresql_where=text("state NOT IN ('delivered', 'discarded')"),
        ),
        Index(
            "ix_delivery_incomplete",
            "connection",
            sqlite_where=text("error_kind = 'incomplete'"),
            postgresql_where=text("error_kind = 'incomplete'"),
        ),
    )


class Attempt(Row, table=True):
    """One try of one delivery; append-only. `calls` are redacted and size-capped (connectors.http.CallRecord)."""

    id: str = Field(primary_key=True)
    delivery_id: str = Field(index=True)
    lead_id: str
    connection: str
    number: int
    started_at: datetime = _instant()
    took_ms: int
    outcome: str
    error: str = _text()
    calls: list[Any] = _json("[]")


class Assignment(Row, table=True):
    """Who was chosen as responsible, and why."""

    id: str = Field(primary_key=True)
    lead_id: str = Field(index=True)
    delivery_id: str
    connection: str
    user_id: str
    at: datetime = _instant()
    reason: str = _text()
    data: dict[str, Any] = _json()

    __table_args__ = (Index("ix_assignment_load", "connection", "user_id", "at"),)


class AssignState(Row, table=True):
    """Where a queue of people stands; changed in the transaction that stores the assignment."""

    __tablename__ = "assign_state"
    pool: str = Field(primary_key=True)
    state: dict[str, Any] = _json()


class Link(Row, table=True):
    """Our record <-> a vendor's id. `kind`: contact, company, deal; `our_id`: a person or a lead."""

    connection: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    our_id: str = Field(primary_key=True)
    vendor_id: str
    created_at: datetime = _instant()

    __table_args__ = (Index("ix_link_vendor", "connection", "kind", "vendor_id"),)


class FollowUp(Row, table=True):
    """Something owed after a delivery was settled.

    kind: `recheck` (look for doubles after a repeated write), `doubled` (some were found: `data` has the `records`;
    looked at until one is left), `complete` (write the fields that were refused).
    """

    __tablename__ = "follow_up"
    id: str = Field(primary_key=True)
    connection: str
    kind: str
    delivery_id: str
    due_at: datetime = _instant()
    tries: int = 0
    data: dict[str, Any] = _json()

    __table_args__ = (Index("ix_follow_up_due", "connection", "due_at"),)


class Incident(Row, table=True):
    """Something that a person should hear of once, from opening to end. `key` names it while it is open."""

    id: str = Field(primary_key=True)
    key: str = Field(index=True)
    kind: str
    connection: str = ""
    cause: str = _text()
    opened_at: datetime = _instant()
    updated_at: datetime = _instant()
    resolved_at: datetime | None = _instant(nullable=True)
    count: int = 0
    oldest_at: datetime | None = _instant(nullable=True)
    muted_until: datetime | None = _instant(nullable=True)
    acked_by: str = ""
    sent: dict[str, Any] = _json()
    """Channel name -> what it shows (leads.incidents.Sent)."""
    data: dict[str, Any] = _json()

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
    """One action of a person."""

    __tablename__ = "audit_entry"
    id: str = Field(primary_key=True)
    at: datetime = _instant(index=True)
    actor: str
    action: str
    subject: str = Field(index=True)
    why: str = _text()
    data: dict[str, Any] = _json()


class User(Row, table=True):
    """Who may sign in to the console. `password` is an Argon2id hash."""

    __tablename__ = "console_user"
    login: str = Field(primary_key=True)
    password: str
    created_at: datetime = _instant()
    session_epoch: int = 0
    """Raised to end all sessions of the user."""
    locale: str = ""


class ApiToken(Row, table=True):
    """A token of the JSON API; only its SHA-256 is kept."""

    __tablename__ = "api_token"
    digest: str = Field(primary_key=True)
    name: str
    created_at: datetime = _instant()
    last_used_at: datetime | None = _instant(nullable=True)


class Token(Row, table=True):
    """A vendor's OAuth tokens, AES-GCM under hub.secret_key; `key_id` tells which key of the list."""

    connection: str = Field(primary_key=True)
    key_id: str
    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)
    updated_at: datetime = _instant()


class Lease(Row, table=True):
    """Who owns a connection (or another single-owner job) until when. `fence` grows with every change of owner."""

    name: str = Field(primary_key=True)
    owner: str
    fence: int
    expires_at: datetime = _instant()
    hub: str = ""


class Cursor(Row, table=True):
    """A small named value that survives: where a pass stopped, when the hub was last alive."""

    name: str = Field(primary_key=True)
    value: dict[str, Any] = _json()


def _table(model: type[SQLModel]) -> Table:
    """The model's table, for Core statements: those are what the hot path is made of."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]  # SQLModel sets it on table models


t_lead = _table(Lead)
t_raw_request = _table(RawRequest)
t_refused_request = _table(RefusedRequest)
t_person = _table(Person)
t_identity = _table(Identity)
t_touch = _table(Touch)
t_delivery = _table(Delivery)
t_attempt = _table(Attempt)
t_assignment = _table(Assignment)
t_assign_state = _table(AssignState)
t_link = _table(Link)
t_follow_up = _table(FollowUp)
t_incident = _table(Incident)
t_audit_entry = _table(AuditEntry)
t_user = _table(User)
t_api_token = _table(ApiToken)
t_token = _table(Token)
t_lease = _table(Lease)
t_cursor = _table(Cursor)
