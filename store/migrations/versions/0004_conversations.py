"""Conversations, their notes, and what we write to clients"""

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _text(name: str, default: str = "") -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), server_default=sa.text(f"('{default}')"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        _text("person_id"),
        _text("lead_id"),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("unnoted_since", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("last_client_at", sa.BigInteger(), nullable=True),
        sa.Column("auto_replied_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "chat_id", name="uq_conversation_source_chat"),
    )
    with op.batch_alter_table("conversation") as batch_op:
        batch_op.create_index("ix_conversation_lead", ["lead_id"], unique=False)
        batch_op.create_index("ix_conversation_person", ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversation_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_conversation_last_at"), ["last_at"], unique=False)

    op.create_table(
        "conversation_note",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message_keys", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "number", name="uq_conversation_note_number"),
    )

    op.create_table(
        "note_duty",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("note_id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        _text("state", "ready"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("age_from", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        _text("deal_id"),
        _text("record_id"),
        _text("error_kind"),
        _text("last_error"),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("note_id", "connection", name="uq_note_duty_connection"),
    )
    with op.batch_alter_table("note_duty") as batch_op:
        batch_op.create_index(batch_op.f("ix_note_duty_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index("ix_note_duty_owed", ["connection", "state", "due_at"], unique=False)

    op.create_table(
        "outgoing_message",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _text("author"),
        sa.Column("request_key", sa.Text(), nullable=False),
        _text("state", "ready"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        _text("vendor_id"),
        _text("error_kind"),
        _text("last_error"),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "request_key", name="uq_outgoing_message_request"),
    )
    with op.batch_alter_table("outgoing_message") as batch_op:
        batch_op.create_index(batch_op.f("ix_outgoing_message_conversation_id"), ["conversation_id"], unique=False)
        batch_op.create_index("ix_outgoing_message_owed", ["source", "state", "due_at"], unique=False)
