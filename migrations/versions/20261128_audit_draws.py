"""Choose audit items, remember with which chance each was drawn, and say how the accuracy is estimated.

Safe while the previous release still runs: a table and two columns with server defaults are added, and the defaults are
what that release does. Audit items that it gives out are draws by chance, and are taken in as such by the next round.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "20261128_audit_draws"
down_revision = "20261128_cost_exponent"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("projects", sa.Column("audit_choice", sa.String(16), nullable=False, server_default="random"))
    op.add_column("projects", sa.Column("audit_estimate", sa.String(24), nullable=False, server_default="counted"))
    op.create_table(
        "audit_draws",
        sa.Column("item_id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("round_id", Id, nullable=True),
        sa.Column("place", Id, nullable=False),
        sa.Column("chance", sa.Double(), nullable=False),
        sa.Column("remaining", Id, nullable=False),
        sa.Column("newest_item", Id, nullable=False),
        sa.Column("drawn_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_audit_draws_item_id_items", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_audit_draws_project_id_projects"),
        sa.ForeignKeyConstraint(
            ["round_id"], ["rounds.id"], name="fk_audit_draws_round_id_rounds", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("item_id", name="pk_audit_draws"),
    )
    op.create_index("ix_audit_draws_project", "audit_draws", ["project_id", "place"])
    listed = sa.text("listed")
    op.create_index(
        "ix_audit_draws_listed",
        "audit_draws",
        ["project_id", "place"],
        sqlite_where=listed,
        postgresql_where=listed,
    )


def downgrade() -> None:
    op.drop_table("audit_draws")
    op.drop_column("projects", "audit_estimate")
    op.drop_column("projects", "audit_choice")
