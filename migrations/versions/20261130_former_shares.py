"""Remember with which audit shares the items of a project came in, where the share was changed.

Safe while the previous release still runs: one column that may be empty is added. A change that the previous release
makes meanwhile is not remembered, and neither are those of before this one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_former_shares"
down_revision = "20261129_tallies"
branch_labels = None
depends_on = None

Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("projects", sa.Column("former_shares", Json, nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "former_shares")
