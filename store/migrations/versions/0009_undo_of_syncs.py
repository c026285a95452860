"""Undo of syncs"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sync_request") as batch_op:
        batch_op.add_column(sa.Column("undo", sa.Text(), server_default=sa.text("('')"), nullable=False))
