"""Index what the status and the overview count: answers by kind, versions after the first, answers by day.

Safe while the previous release still runs: only indexes are added.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_counting"
down_revision = "20261128_round_records"
branch_labels = None
depends_on = None

CHANGED = sa.text("version > 1")
GIVEN = sa.text("version = 1 AND origin = 'human'")


def upgrade() -> None:
    columns = ["project_id", "origin", "kind", "counted", "retracted"]
    op.create_index("ix_annotations_standing", "annotations", columns)
    op.create_index(
        "ix_annotations_changed", "annotations", ["project_id"], sqlite_where=CHANGED, postgresql_where=CHANGED
    )
    columns = ["project_id", "created_at", "annotator_id", "item_id", "answer_id"]
    op.create_index("ix_annotations_days", "annotations", columns, sqlite_where=GIVEN, postgresql_where=GIVEN)


def downgrade() -> None:
    op.drop_index("ix_annotations_days", "annotations")
    op.drop_index("ix_annotations_changed", "annotations")
    op.drop_index("ix_annotations_standing", "annotations")
