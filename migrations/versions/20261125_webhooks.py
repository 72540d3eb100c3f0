"""Webhooks and the outbox of their events.

Safe while the previous release still runs: it knows nothing of the new tables.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import Id, Json, UtcDateTime

revision = "20261125_webhooks"
down_revision = "20261125_snapshots"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("secret", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("last_seq", Id, nullable=False),
        sa.Column("last_annotation", Id, nullable=False),
        sa.Column("last_batch_at", UtcDateTime, nullable=False),
        sa.Column("failing_since", UtcDateTime, nullable=True),
        sa.Column("failures", Id, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("created_by", Id, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused')", name="state"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_webhooks_project_id_projects"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name="fk_webhooks_created_by_users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhooks_project_id", "webhooks", ["project_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("webhook_id", Id, nullable=False),
        sa.Column("seq", Id, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", Id, nullable=False),
        sa.Column("status", Id, nullable=True),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("delivered_at", UtcDateTime, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'delivered')", name="state"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_deliveries_webhook_id_webhooks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("webhook_id", "seq", name="uq_deliveries_webhook_id_seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_delivered_at", "deliveries", ["delivered_at"])
    op.create_index(
        "ix_deliveries_waiting", "deliveries", ["webhook_id", "seq"], sqlite_where=WAITING, postgresql_where=WAITING
    )


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("webhooks")
