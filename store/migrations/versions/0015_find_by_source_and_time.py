"""What a source sent last, and who was given how much since when, are found at once"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_lead_source", "lead", ["source", "received_at"])
    op.create_index("ix_event_source", "event", ["source", "received_at"])
    op.create_index("ix_assignment_since", "assignment", ["connection", "at", "user_id"])
    op.drop_index("ix_assignment_load", table_name="assignment")
