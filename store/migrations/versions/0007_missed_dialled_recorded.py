"""Missed calls, calls that were dialled for somebody, recordings"""

import sqlalchemy as sa
from alembic import op


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _empty(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text("('')"), nullable=False)


def _zero(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "missed_call",
        _text("id"),
        _text("client"),
        _at("missed_at"),
        _at("closed_at", nullable=True),
        _empty("closed_by"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("missed_call") as batch_op:
        batch_op.create_index(batch_op.f("ix_missed_call_client"), ["client"], unique=False)
        where = sa.text("closed_at IS NULL")
        batch_op.create_index(
            "ix_missed_call_open", ["missed_at"], unique=False, sqlite_where=where, postgresql_where=where
        )

    op.create_table(
        "dialled_call",
        *(_text(name) for name in ("id", "connection", "source", "user_id", "extension", "phone", "actor", "state")),
        _at("created_at"),
        _at("due_at"),
        _at("sent_at", nullable=True),
        _at("settled_at", nullable=True),
        _zero("tries"),
        *(_empty(name) for name in ("command_id", "call_id", "error")),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dialled_call") as batch_op:
        batch_op.create_index(batch_op.f("ix_dialled_call_created_at"), ["created_at"], unique=False)
        batch_op.create_index("ix_dialled_call_command", ["source", "command_id"], unique=False)
        where = sa.text("state IN ('queued', 'sending')")
        batch_op.create_index(
            "ix_dialled_call_owed", ["due_at"], unique=False, sqlite_where=where, postgresql_where=where
        )

    op.create_table(
        "call_recording",
        _text("id"),
        _text("source"),
        _empty("recording_id"),
        _empty("url"),
        _at("at"),
        _empty("copy_state"),
        _at("copy_due_at", nullable=True),
        _zero("copy_tries"),
        _empty("copy_place"),
        _empty("copy_type"),
        _zero("copy_bytes"),
        _empty("copy_error"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("call_recording") as batch_op:
        where = sa.text("copy_state = 'owed'")
        batch_op.create_index(
            "ix_call_recording_owed", ["copy_due_at"], unique=False, sqlite_where=where, postgresql_where=where
        )
