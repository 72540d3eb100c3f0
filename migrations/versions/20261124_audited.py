"""An index for the count of audit answers, which every lease asks for."""

import sqlalchemy as sa
from alembic import op

revision = "20261124_audited"
down_revision = "20261124_items_created"
branch_labels = None
depends_on = None

AUDITED = sa.text("kind = 'audit' AND version = 1")


def upgrade() -> None:
    op.create_index(
        "ix_annotations_audited", "annotations", ["project_id"], sqlite_where=AUDITED, postgresql_where=AUDITED
    )


def downgrade() -> None:
    op.drop_index("ix_annotations_audited", table_name="annotations")
