"""Tables of conversations: what is gathered, the notes made of it, and what we write to the client."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from store.columns import Row, instant, json_column, number_column, table_of, text_column


class Conversation(Row, table=True):
    """One conversation with one person in one channel. Its messages are rows of `event`.

    `lead_id` is "" until the client wrote. `told`: keys of messages that the lead itself tells of. `due_at`: when
    what was said since `unnoted_since` becomes a note; None when nothing waits. `last_client_at` is the vendor's
    time of the client's last message.
    """

    id: str = Field(primary_key=True)
    source: str
    chat_id: str
    channel: str
    person_id: str = text_column()
    lead_id: str = text_column()
    started_at: datetime = instant()
    last_at: datetime = instant(index=True)
    unnoted_since: datetime | None = instant(nullable=True)
    due_at: datetime | None = instant(nullable=True, index=True)
    told: list[Any] = json_column("[]")
    last_client_at: datetime | None = instant(nullable=True)
    auto_replied_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        UniqueConstraint("source", "chat_id", name="uq_conversation_source_chat"),
        Index("ix_conversation_lead", "lead_id"),
        Index("ix_conversation_person", "person_id"),
    )


class ConversationNote(Row, table=True):
    """What was said since the note before, made once: `message_keys` are those of the messages that `text` tells of.

    Also what is told of a payment (`conversation_id` is "payment:<source>:<payment id>", `message_keys` the states)
    or of a call ("call:<id of ours>"). "" as `text`: there is nothing to write, the deal only moves.
    """

    __tablename__ = "conversation_note"
    id: str = Field(primary_key=True)
    conversation_id: str
    number: int
    made_at: datetime = instant()
    text: str
    message_keys: list[Any] = json_column("[]")

    __table_args__ = (UniqueConstraint("conversation_id", "number", name="uq_conversation_note_number"),)


class NoteDuty(Row, table=True):
    """The duty to write one note to one connection.

    state: `ready`, `written`, `dead` (a person decides), `discarded`. With `sent_at` and no `record_id` its outcome is
    unknown; `deal_id` is the deal that it was sent to.
    """

    __tablename__ = "note_duty"
    id: str = Field(primary_key=True)
    note_id: str
    conversation_id: str = Field(index=True)
    number: int
    lead_id: str
    connection: str
    state: str = text_column("ready")
    created_at: datetime = instant()
    due_at: datetime = instant()
    age_from: datetime = instant()
    attempts: int = number_column()
    sent_at: datetime | None = instant(nullable=True)
    deal_id: str = text_column()
    record_id: str = text_column()
    pipeline: str = text_column()
    stage: str = text_column()
    """Where the deal moves with the note, as the settings name it; "": nowhere."""
    error_kind: str = text_column()
    last_error: str = text_column()
    settled_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        UniqueConstraint("note_id", "connection", name="uq_note_duty_connection"),
        Index("ix_note_duty_owed", "connection", "state", "due_at"),
    )


class OutgoingMessage(Row, table=True):
    """The duty to send one message of ours to a client, once.

    kind: `reply` (a person wrote it) or `auto`. state: `ready`, `sending` (its outcome is unknown until it is settled),
    `sent`, `failed` (refused, nothing was sent), `unknown` (nobody can say; a person decides), `discarded`.
    """

    __tablename__ = "outgoing_message"
    id: str = Field(primary_key=True)
    conversation_id: str = Field(index=True)
    source: str
    kind: str
    text: str
    author: str = text_column()
    request_key: str
    state: str = text_column("ready")
    created_at: datetime = instant()
    due_at: datetime = instant()
    attempts: int = number_column()
    fence: int = number_column()
    sent_at: datetime | None = instant(nullable=True)
    vendor_id: str = text_column()
    error_kind: str = text_column()
    last_error: str = text_column()
    settled_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        UniqueConstraint("conversation_id", "request_key", name="uq_outgoing_message_request"),
        Index("ix_outgoing_message_owed", "source", "state", "due_at"),
    )


t_conversation = table_of(Conversation)
t_conversation_note = table_of(ConversationNote)
t_note_duty = table_of(NoteDuty)
t_outgoing = table_of(OutgoingMessage)
