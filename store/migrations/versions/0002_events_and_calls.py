"""Events and calls"""

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("waits_until", sa.BigInteger(), nullable=True),
        sa.Column("client", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("lead_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("data", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "key", name="uq_call_source_key"),
    )
    with op.batch_alter_table("call") as batch_op:
        batch_op.create_index("ix_call_client", ["client"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_received_at"), ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_waits_until"), ["waits_until"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedup_key"),
    )
    with op.batch_alter_table("event") as batch_op:
        batch_op.create_index("ix_event_subject", ["source", "kind", "key"], unique=False)
