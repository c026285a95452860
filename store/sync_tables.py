"""The tables of record sync. What each row means is said here; who may change it, in the module that writes it."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, Index, Table, text
from sqlmodel import Field, SQLModel

from store.columns import Row, instant, json_column, no_by_default, number_column, text_column


def _maybe_json() -> Any:
    return Field(default=None, sa_type=JSON(none_as_null=True), nullable=True)


class SyncRecord(Row, table=True):
    """One record of one side as it was last seen. `mark` is a digest of its synced values: an echo is known by it.

    `dirty`: it has to be looked at; `version` grows with each reason for that. `content`: its values, only while
    it is dirty and they are fresh; None: to be read. `links` as last seen, None: unknown. `hint`: what a webhook
    or a deletion feed said: "gone" or "merged:<id>". `seen`: the number of the last full listing that had it.
    `seen_at`: when `content` was read. `edited_at`: when it was last changed by anybody but us, by the CRM's clock.
    `stale`: the mark before our last write, which a lagging index may still show.
    `state`: alive, gone. `status`: why nothing is done with it: "", ambiguous, apart, filtered, kept, refused.
    """

    __tablename__ = "sync_record"
    sync: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    pair_id: str = text_column()
    state: str = text_column("alive")
    status: str = text_column()
    dirty: int = number_column()
    version: int = number_column()
    mark: str = text_column()
    stale: str = text_column()
    own_key: str = text_column()
    modified_at: datetime | None = instant(nullable=True)
    edited_at: datetime | None = instant(nullable=True)
    modified_by: str = text_column()
    content: dict[str, Any] | None = _maybe_json()
    links: dict[str, Any] | None = _maybe_json()
    hint: str = text_column()
    seen_at: datetime | None = instant(nullable=True)
    seen: int = number_column()

    __table_args__ = (
        Index(
            "ix_sync_record_dirty",
            "sync",
            "side",
            "record_id",
            sqlite_where=text("dirty > 0"),
            postgresql_where=text("dirty > 0"),
        ),
        Index("ix_sync_record_seen", "sync", "side", "seen"),
        Index(
            "ix_sync_record_ambiguous",
            "sync",
            sqlite_where=text("status = 'ambiguous'"),
            postgresql_where=text("status = 'ambiguous'"),
        ),
    )


class SyncKey(Row, table=True):
    """A match key of a living record: `<kind>:<digest of the value>`."""

    __tablename__ = "sync_key"
    sync: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)

    __table_args__ = (Index("ix_sync_key_key", "sync", "key"),)


class SyncPair(Row, table=True):
    """Two records that are kept equal. `base`: field -> [left, right] of their last agreement, as leads.merge marks it.

    `state`: paired; creating: one side is being made (`key` is our key in it, `sent_at` when it was last sent, None
    before); parted: one of them is gone; stopped: the loop breaker holds it. `flips`: field -> [[side, time], ...].
    """

    __tablename__ = "sync_pair"
    id: str = Field(primary_key=True)
    sync: str
    state: str = text_column("paired")
    left_id: str = text_column()
    right_id: str = text_column()
    key: str = text_column()
    sent_at: datetime | None = instant(nullable=True)
    looks: int = number_column()
    base: dict[str, Any] = json_column()
    flips: dict[str, Any] = json_column()
    made_at: datetime = instant()

    __table_args__ = (
        Index("ix_sync_pair_left", "sync", "left_id"),
        Index("ix_sync_pair_right", "sync", "right_id"),
        Index(
            "ix_sync_pair_creating",
            "sync",
            sqlite_where=text("state = 'creating'"),
            postgresql_where=text("state = 'creating'"),
        ),
    )


class SyncIssue(Row, table=True):
    """Something that a person decides or should know. `subject` tells it from others of its kind in the sync.

    `kind`: ambiguous, conflict, loop, refused, left_out, unknown, deleted, merged. `data`: values of both sides, who,
    when, why. `state`: open, resolved.
    """

    __tablename__ = "sync_issue"
    id: str = Field(primary_key=True)
    sync: str
    kind: str
    subject: str = text_column()
    pair_id: str = text_column()
    field: str = text_column()
    left_ids: list[str] = json_column("[]")
    right_ids: list[str] = json_column("[]")
    data: dict[str, Any] = json_column()
    state: str = text_column("open")
    opened_at: datetime = instant()
    changed_at: datetime = instant()
    resolution: str = text_column()

    __table_args__ = (
        Index("ix_sync_issue_subject", "sync", "kind", "subject"),
        Index(
            "ix_sync_issue_open", "sync", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")
        ),
        Index("ix_sync_issue_pair", "pair_id"),
    )


class SyncPass(Row, table=True):
    """One pass; `counts` grow as it goes.

    `kind`: quick, full, hints, undo. `state`: running, done, stopped, braked, failed.
    """

    __tablename__ = "sync_pass"
    id: str = Field(primary_key=True)
    sync: str
    kind: str
    state: str = text_column("running")
    shadow: bool = no_by_default()
    request_id: str = text_column()
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    counts: dict[str, Any] = json_column()
    error: str = text_column()

    __table_args__ = (Index("ix_sync_pass_sync", "sync", "started_at"),)


class SyncWrite(Row, table=True):
    """One write to a record: stored before it is sent, settled after. `before` and `after`: values that it changes.

    `op`: create, update, link, unlink, archive, delete, tag. `state`: sent (intent), done, unknown, failed; shadow or
    planned: it would have been.
    """

    __tablename__ = "sync_write"
    id: str = Field(primary_key=True)
    pass_id: str = Field(index=True)
    sync: str
    pair_id: str = text_column()
    side: str
    record_id: str = text_column()
    op: str
    before: dict[str, Any] = json_column()
    after: dict[str, Any] = json_column()
    state: str = text_column("sent")
    error: str = text_column()
    at: datetime = instant()

    __table_args__ = (
        Index(
            "ix_sync_write_sent",
            "sync",
            sqlite_where=text("state IN ('sent', 'shadow')"),
            postgresql_where=text("state IN ('sent', 'shadow')"),
        ),
        Index("ix_sync_write_record", "sync", "side", "record_id"),
    )


class SyncLinkWait(Row, table=True):
    """A record whose link leads to one that has no partner yet: looked at again when that one gets it."""

    __tablename__ = "sync_link_wait"
    connection: str = Field(primary_key=True)
    to_object: str = Field(primary_key=True)
    to_id: str = Field(primary_key=True)
    sync: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)


class SyncRequest(Row, table=True):
    """What a person asked of the running hub: a pass, or to take one back (`undo`). `pass_id`: which answers it."""

    __tablename__ = "sync_request"
    id: str = Field(primary_key=True)
    sync: str = Field(index=True)
    asked_at: datetime = instant()
    asked_by: str = text_column()
    full: bool = no_by_default()
    yes: bool = no_by_default()
    undo: str = text_column()
    pass_id: str = text_column()


def _table(model: type[SQLModel]) -> Table:
    return cast(Table, model.__table__)  # type: ignore[attr-defined]  # SQLModel sets it on table models


t_sync_record = _table(SyncRecord)
t_sync_key = _table(SyncKey)
t_sync_pair = _table(SyncPair)
t_sync_issue = _table(SyncIssue)
t_sync_pass = _table(SyncPass)
t_sync_write = _table(SyncWrite)
t_sync_link_wait = _table(SyncLinkWait)
t_sync_request = _table(SyncRequest)
