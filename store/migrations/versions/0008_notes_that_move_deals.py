"""Notes that move deals"""

import sqlalchemy as sa
from alembic import op


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("pipeline", "stage"):
        op.add_column("note_duty", sa.Column(name, sa.Text(), server_default=sa.text("('')"), nullable=False))
