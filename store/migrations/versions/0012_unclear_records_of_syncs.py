"""Records of a sync that wait for a person are found at once: whether there are any is asked with each page"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waiting = sa.text("status = 'ambiguous'")
    op.create_index(
        "ix_sync_record_ambiguous", "sync_record", ["sync"], sqlite_where=waiting, postgresql_where=waiting
    )
