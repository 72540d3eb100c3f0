"""Remember which audit items the orders of a project were drawn from, and since when.

Safe while the previous release still runs: a table is added. Orders that the previous release deals are not in it; who
came in when is told of these by their newest items, as before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_audit_frames"
down_revision = "20261130_revised"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_frames",
        sa.Column("project_id", Id, nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.LargeBinary(), nullable=False),
        sa.Column("gone", Json, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_audit_frames_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_audit_frames"),
    )


def downgrade() -> None:
    op.drop_table("audit_frames")
