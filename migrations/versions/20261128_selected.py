"""Remember what selections handed out, which slice each member has, and remove items without long passes.

Safe while the previous release still runs: a table, two columns that may be null, and two indexes are added.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "20261128_selected"
down_revision = "20261128_frames"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "selected",
        sa.Column("item_id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("round_id", Id, nullable=True),
        sa.Column("selected_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_selected_item_id_items", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_selected_project_id_projects"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_selected_round_id_rounds", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("item_id", name="pk_selected"),
    )
    op.create_index("ix_selected_project_id", "selected", ["project_id"])
    op.add_column("members", sa.Column("slice", sa.Text(), nullable=True))
    op.add_column("one_time_links", sa.Column("slice", sa.Text(), nullable=True))
    op.create_index("ix_leases_item", "leases", ["item_id"])
    op.create_index("ix_predictions_item", "predictions", ["item_id"])


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'select'")
    op.drop_index("ix_predictions_item", "predictions")
    op.drop_index("ix_leases_item", "leases")
    op.drop_column("one_time_links", "slice")
    op.drop_column("members", "slice")
    op.drop_table("selected")
