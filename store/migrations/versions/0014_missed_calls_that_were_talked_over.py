"""A missed call knows by which later one somebody talked to the client: its task in the CRM is done then"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("missed_call", sa.Column("talked_by", sa.Text(), server_default=sa.text("('')"), nullable=False))
