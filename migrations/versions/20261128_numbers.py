"""Compare numbers in metadata without a pass over all items.

Safe while the previous release still runs: it knows nothing of the numbers. What it changes of an item's metadata
meanwhile is compared by its old numbers until the item's metadata change again. Jobs for what is stored already are
asked for here.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_numbers"
down_revision = "20261125_edits"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ASK = """
    INSERT INTO jobs (project_id, kind, state, priority, payload, attempt, due_at, cancel_requested, created_at,
                      updated_at)
    SELECT id, 'index', 'waiting', 1, '{}', 0, created_at, false, created_at, created_at FROM projects
    WHERE deleted_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE jobs.project_id = projects.id AND jobs.kind = 'index' AND jobs.state = 'waiting')
"""


def upgrade() -> None:
    op.add_column("search_indexes", sa.Column("numbers_to", Id, nullable=False, server_default="0"))
    op.create_table(
        "item_numbers",
        sa.Column("field", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("item_id", Id, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("field", "value", "item_id", name="pk_item_numbers"),
        sqlite_with_rowid=False,
    )
    op.execute(ASK)


def downgrade() -> None:
    op.drop_table("item_numbers")
    op.drop_column("search_indexes", "numbers_to")
