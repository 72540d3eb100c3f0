"""Let many items be changed at once, and each be put back as it was.

Safe while the previous release still runs: only a table is added.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_edits"
down_revision = "20261125_guidelines"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "edits",
        sa.Column("job_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("before", Json, nullable=False),
        sa.Column("after", Json, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_edits_job_id_jobs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_edits_item_id_items", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "item_id", name="pk_edits"),
    )
    op.create_index("ix_edits_item_id", "edits", ["item_id"])


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'edit'")
    op.drop_table("edits")
