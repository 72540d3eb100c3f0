"""Keep the predictions of outside models, version by version.

Safe while the previous release still runs: it knows nothing of the new tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.db.base import UtcDateTime

revision = "20261125_predictions"
down_revision = "20261125_seconds"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Moment = UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "prediction_sets",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=100), nullable=False),
        sa.Column("round_number", Id),
        sa.Column("use", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("folder", sa.String(length=64), nullable=False),
        sa.Column("class_ids", Json, nullable=False),
        sa.Column("width", Id),
        sa.Column("rows", Id, nullable=False),
        sa.Column("rejected", Id, nullable=False),
        sa.Column("completed_by", sa.String(length=64)),
        sa.Column("created_by", Id),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("completed_at", Moment),
        sa.CheckConstraint("state IN ('open', 'complete')", name="ck_prediction_sets_state"),
        sa.CheckConstraint("use IN ('rank', 'suggest', 'both')", name="ck_prediction_sets_use"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_prediction_sets_project_id_projects"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_prediction_sets_created_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_prediction_sets"),
        sa.UniqueConstraint("project_id", "model", "version", name="uq_prediction_sets_project_id_model_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "prediction_shards",
        sa.Column("id", Id, nullable=False),
        sa.Column("set_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("rows", Id, nullable=False),
        sa.Column("bytes", Id, nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["set_id"], ["prediction_sets.id"], name="fk_prediction_shards_set_id_prediction_sets", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_prediction_shards"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_prediction_shards_set_id", "prediction_shards", ["set_id"])


def downgrade() -> None:
    op.drop_table("prediction_shards")
    op.drop_table("prediction_sets")
