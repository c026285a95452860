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

    with op.batch_alter_table("api_token") as batch_op:
        batch_op.alter_column("digest", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("name", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("assign_state") as batch_op:
        batch_op.alter_column("pool", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("assignment") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("delivery_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("user_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("attempt") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("delivery_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("outcome", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("audit_entry") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("actor", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("action", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("subject", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("call") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("key", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("console_user") as batch_op:
        batch_op.alter_column("login", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("password", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("locale", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("conversation") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("chat_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("channel", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("conversation_note") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("conversation_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("text", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("cursor") as batch_op:
        batch_op.alter_column("name", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("delivery") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lane", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("state", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("errand") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("key", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("state", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("event") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("key", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("follow_up") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("delivery_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("identity") as batch_op:
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("value", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("person_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("incident") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("key", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("acked_by", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("lead") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("person_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("lease") as batch_op:
        batch_op.alter_column("name", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("owner", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("hub", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("link") as batch_op:
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("our_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("vendor_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("note_duty") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("note_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("conversation_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("outgoing_message") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("conversation_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("kind", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("text", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("request_key", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("person") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("first_lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("raw_request") as batch_op:
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("method", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("refused_request") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("method", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("refused_tally") as batch_op:
        batch_op.alter_column("source", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("day", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("reason", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("token") as batch_op:
        batch_op.alter_column("connection", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("key_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)

    with op.batch_alter_table("touch") as batch_op:
        batch_op.alter_column("id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("person_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
        batch_op.alter_column("lead_id", existing_type=sa.TEXT(), type_=sa.Text(), existing_nullable=False)
