"""Record sync"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_issue",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("pair_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("field", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("left_ids", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("right_ids", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("data", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("resolution", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sync_issue") as batch_op:
        batch_op.create_index(
            "ix_sync_issue_open",
            ["sync"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.create_index("ix_sync_issue_pair", ["pair_id"], unique=False)
        batch_op.create_index("ix_sync_issue_subject", ["sync", "kind", "subject"], unique=False)

    op.create_table(
        "sync_key",
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sync", "side", "record_id", "key"),
    )
    with op.batch_alter_table("sync_key") as batch_op:
        batch_op.create_index("ix_sync_key_key", ["sync", "key"], unique=False)

    op.create_table(
        "sync_link_wait",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("to_object", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "to_object", "to_id", "sync", "side", "record_id"),
    )
    op.create_table(
        "sync_pair",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'paired'"), nullable=False),
        sa.Column("left_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("right_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("key", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("base", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("flips", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sync_pair") as batch_op:
        batch_op.create_index(
            "ix_sync_pair_creating",
            ["sync"],
            unique=False,
            sqlite_where=sa.text("state = 'creating'"),
            postgresql_where=sa.text("state = 'creating'"),
        )
        batch_op.create_index("ix_sync_pair_left", ["sync", "left_id"], unique=False)
        batch_op.create_index("ix_sync_pair_right", ["sync", "right_id"], unique=False)

    op.create_table(
        "sync_pass",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("shadow", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("request_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sync_pass") as batch_op:
        batch_op.create_index("ix_sync_pass_sync", ["sync", "started_at"], unique=False)

    op.create_table(
        "sync_record",
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'alive'"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("dirty", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("mark", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("stale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("own_key", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=True),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("modified_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("links", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("hint", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("sync", "side", "record_id"),
    )
    with op.batch_alter_table("sync_record") as batch_op:
        batch_op.create_index(
            "ix_sync_record_dirty",
            ["sync", "side", "record_id"],
            unique=False,
            sqlite_where=sa.text("dirty > 0"),
            postgresql_where=sa.text("dirty > 0"),
        )
        batch_op.create_index("ix_sync_record_seen", ["sync", "side", "seen"], unique=False)

    op.create_table(
        "sync_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("full", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("yes", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("pass_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sync_request") as batch_op:
        batch_op.create_index(batch_op.f("ix_sync_request_sync"), ["sync"], unique=False)

    op.create_table(
        "sync_write",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pass_id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("pair_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("after", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'sent'"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sync_write") as batch_op:
        batch_op.create_index(batch_op.f("ix_sync_write_pass_id"), ["pass_id"], unique=False)
        batch_op.create_index("ix_sync_write_record", ["sync", "side", "record_id"], unique=False)
        batch_op.create_index(
            "ix_sync_write_sent",
            ["sync"],
            unique=False,
            sqlite_where=sa.text("state IN ('sent', 'shadow')"),
            postgresql_where=sa.text("state IN ('sent', 'shadow')"),
        )
