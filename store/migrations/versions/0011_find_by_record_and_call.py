"""Leads are found by the record that they made, calls by their vendor's id"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_delivery_record_id", "delivery", ["record_id"])
    op.create_index("ix_call_key", "call", ["key"])
