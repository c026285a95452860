"""Refused requests to run again"""

import sqlalchemy as sa
from alembic import op


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("refused_request") as batch_op:
        batch_op.add_column(sa.Column("size_bytes", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("look", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("rerun_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("outcome", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("key_id", sa.Text(), server_default=sa.text("('')"), nullable=False))
        batch_op.add_column(sa.Column("sealed", sa.LargeBinary(), nullable=True))

    op.create_table(
        "refused_tally",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dropped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "day", "status", "reason"),
    )
