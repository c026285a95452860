"""Errands"""

import sqlalchemy as sa
from alembic import op


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "errand",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("age_from", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_kind", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("last_error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("lead_ids", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "kind", "key", name="uq_errand_source_kind_key"),
    )
    with op.batch_alter_table("errand") as batch_op:
        batch_op.create_index(batch_op.f("ix_errand_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            "ix_errand_owed",
            ["source", "state", "due_at"],
            unique=False,
            sqlite_where=sa.text("state NOT IN ('done', 'discarded')"),
            postgresql_where=sa.text("state NOT IN ('done', 'discarded')"),
        )
