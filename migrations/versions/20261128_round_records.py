"""Keep what a round rests on and what came of it, so that it can be run again and held against another one.

Safe while the previous release still runs: it does not know the table, and its rounds have no record, which is said
where one is asked for. An item that the previous release erases stays named by its id in records of earlier rounds.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import Json

revision = "20261128_round_records"
down_revision = "20261128_audit_draws"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "round_records",
        sa.Column("round_id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("recipe", Json, nullable=False),
        sa.Column("left_out", sa.LargeBinary(), nullable=False),
        sa.Column("choice", Json, nullable=False),
        sa.Column("sample", Json, nullable=False),
        sa.Column("judged", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["round_id"], ["rounds.id"], name="fk_round_records_round_id_rounds", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_round_records_project_id_projects"),
        sa.PrimaryKeyConstraint("round_id", name="pk_round_records"),
    )
    op.create_index("ix_round_records_project_id", "round_records", ["project_id"])


def downgrade() -> None:
    op.drop_index("ix_round_records_project_id", "round_records")
    op.drop_table("round_records")
