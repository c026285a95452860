"""Tables around calls: which missed ones wait to be called back, which we were asked to dial, where recordings are."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field

from store.columns import Row, instant, number_column, table_of, text_column


class MissedCall(Row, table=True):
    """A call of a client that nobody took; `id` is the call's. `closed_at`: somebody talked to him, or tried to."""

    __tablename__ = "missed_call"
    id: str = Field(primary_key=True)
    client: str = Field(index=True)
    missed_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)
    closed_by: str = text_column()
    """The call by which."""
    talked_by: str = text_column()
    """The first later call in which somebody talked to him."""

    __table_args__ = (
        Index(
            "ix_missed_call_open",
            "missed_at",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )


class DialledCall(Row, table=True):
    """A call that a person asked us for: the vendor rings the colleague and then the client.

    `state`: queued, sending (handed to the vendor and not answered yet), accepted, failed, unknown. `command_id` is the
    vendor's, by which its events of the call are known; `call_id` is our call then.
    """

    __tablename__ = "dialled_call"
    id: str = Field(primary_key=True)
    connection: str
    source: str
    user_id: str
    extension: str
    phone: str
    actor: str
    state: str
    created_at: datetime = instant(index=True)
    due_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)
    settled_at: datetime | None = instant(nullable=True)
    tries: int = number_column()
    command_id: str = text_column()
    call_id: str = text_column()
    error: str = text_column()

    __table_args__ = (
        Index(
            "ix_dialled_call_owed",
            "due_at",
            sqlite_where=text("state IN ('queued', 'sending')"),
            postgresql_where=text("state IN ('queued', 'sending')"),
        ),
        Index("ix_dialled_call_command", "source", "command_id"),
    )


class CallRecording(Row, table=True):
    """The recording of a call; `id` is the call's. Written once, when the first event tells of one.

    `url` is the vendor's, or "" where it only gives an id. `copy_state`: "" (no copy wanted), owed, copied, gone,
    too_large, failed. `copy_place`: path below the folder, or key below the prefix.
    """

    __tablename__ = "call_recording"
    id: str = Field(primary_key=True)
    source: str
    recording_id: str = text_column()
    url: str = text_column()
    at: datetime = instant()
    copy_state: str = text_column()
    copy_due_at: datetime | None = instant(nullable=True)
    copy_tries: int = number_column()
    copy_place: str = text_column()
    copy_type: str = text_column()
    copy_bytes: int = number_column()
    copy_error: str = text_column()

    __table_args__ = (
        Index(
            "ix_call_recording_owed",
            "copy_due_at",
            sqlite_where=text("copy_state = 'owed'"),
            postgresql_where=text("copy_state = 'owed'"),
        ),
    )


t_missed_call = table_of(MissedCall)
t_dialled_call = table_of(DialledCall)
t_call_recording = table_of(CallRecording)
