"""Named data sets that stay as they were.

Safe while the previous release still runs: a table of its own.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import Json, UtcDateTime

revision = "20261125_snapshots"
down_revision = "20261125_predictions"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("splits", Json, nullable=True),
        sa.Column("group_by", sa.String(1000), nullable=True),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("created_by", ID, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("file", sa.String(200), nullable=True),
        sa.Column("bytes", ID, nullable=True),
        sa.Column("items", ID, nullable=True),
        sa.Column("erased", ID, nullable=False),
        sa.Column("report", Json, nullable=True),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_snapshots_project_id_projects"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_snapshots_job_id_jobs"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_snapshots_created_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
        sa.UniqueConstraint("project_id", "name", name="uq_snapshots_project_id_name"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("snapshots")
