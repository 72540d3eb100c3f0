"""Walk a project's items in the order they came, whatever the pool's size.

Pages of the list, exports and the pass of the featurizer go on behind an id; without this index each of their steps
sorted the project's items. Safe while the previous release still runs: only an index is added.
"""

from alembic import op

revision = "20261124_items_created"
down_revision = "20261124_loop"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_items_created", "items", ["project_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_items_created", "items")
