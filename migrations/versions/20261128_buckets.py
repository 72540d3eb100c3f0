"""Files that stay in a bucket: where they are, and which project may read which bucket.

Safe while the previous release still runs: new columns that may be empty, and a table of its own.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "20261128_buckets"
down_revision = "20261128_selected"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = (("bucket", sa.String(64)), ("path", sa.Text()), ("version", sa.String(300)), ("lost", sa.Text()))


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("media", sa.Column(name, kind, nullable=True))
    op.create_table(
        "bucket_grants",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("bucket", sa.String(64), nullable=False),
        sa.Column("granted_by", ID, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_bucket_grants_project_id_projects"),
        sa.ForeignKeyConstraint(
            ["granted_by"], ["users.id"], name="fk_bucket_grants_granted_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("project_id", "bucket", name="pk_bucket_grants"),
    )


def downgrade() -> None:
    op.drop_table("bucket_grants")
    for name, _ in reversed(COLUMNS):
        op.drop_column("media", name)
