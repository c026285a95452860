"""A person who turned out to be another one says whom"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("merged_into", sa.Text(), server_default=sa.text("('')"), nullable=False))
