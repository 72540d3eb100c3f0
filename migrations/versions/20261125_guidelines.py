"""Keep every version of a project's guidelines.

Safe while the previous release still runs: a table of its own, which that release neither reads nor writes.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "20261125_guidelines"
down_revision = "20261125_search"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "guidelines",
        sa.Column("project_id", ID, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_guidelines_project_id_projects"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_guidelines_user_id_users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("project_id", "version", name="pk_guidelines"),
    )


def downgrade() -> None:
    op.drop_table("guidelines")
