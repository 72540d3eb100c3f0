"""Items, leases, answers, rounds and jobs.

The second half of the first release: units and versions stand in every table that may ask about a part of an
item, so that spans, regions and frames need no rewrite.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.db.base import UtcDateTime

revision = "20261124_loop"
down_revision = "20261124_projects"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Moment = UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feature_sets",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fitted_rows", Id, nullable=False),
        sa.Column("featurized_to", Id, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_feature_sets_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_feature_sets"),
        sa.UniqueConstraint("project_id", "version", name="uq_feature_sets_project_id_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("content_hash", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("revision", Id, nullable=False),
        sa.Column("split", sa.String(length=8), nullable=False),
        sa.Column("reserved", sa.Boolean(), nullable=False),
        sa.Column("draw", Id, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("priority", Id, nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("skips", Id, nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.CheckConstraint(
            "origin = 'real' OR (split = 'pool' AND NOT reserved)", name="ck_items_synthetic_never_audit"
        ),
        sa.CheckConstraint("split IN ('pool', 'audit')", name="ck_items_split"),
        sa.CheckConstraint("state IN ('open', 'excluded', 'deleted', 'failed')", name="ck_items_state"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_items_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_items_counts", "items", ["project_id", "state", "split", "done", "reserved"])
    op.create_index(
        "ix_items_first",
        "items",
        ["project_id", "priority"],
        sqlite_where=sa.text("priority > 0 AND state = 'open' AND NOT done"),
        postgresql_where=sa.text("priority > 0 AND state = 'open' AND NOT done"),
    )
    op.create_index(
        "ix_items_open",
        "items",
        ["project_id", "reserved", "draw"],
        sqlite_where=sa.text("state = 'open' AND NOT done AND split = 'pool'"),
        postgresql_where=sa.text("state = 'open' AND NOT done AND split = 'pool'"),
    )
    op.create_index(
        "uq_items_key",
        "items",
        ["project_id", "key"],
        unique=True,
        sqlite_where=sa.text("state != 'deleted'"),
        postgresql_where=sa.text("state != 'deleted'"),
    )
    op.create_table(
        "media",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("size", Id, nullable=False),
        sa.Column("width", Id),
        sa.Column("height", Id),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_media_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
        sa.UniqueConstraint("project_id", "sha256", name="uq_media_project_id_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_media_name", "media", ["project_id", "name"])
    op.create_table(
        "client_features",
        sa.Column("item_id", Id, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_client_features_item_id_items", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", name="pk_client_features"),
    )
    op.create_table(
        "feature_shards",
        sa.Column("id", Id, nullable=False),
        sa.Column("feature_set_id", Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("rows", Id, nullable=False),
        sa.Column("bytes", Id, nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("sparse", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["feature_set_id"],
            ["feature_sets.id"],
            name="fk_feature_shards_feature_set_id_feature_sets",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_feature_shards"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feature_shards_feature_set_id", "feature_shards", ["feature_set_id"])
    op.create_table(
        "flags",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reply", sa.Text()),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed')", name="ck_flags_state"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_flags_item_id_items"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_flags_project_id_projects"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_flags_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_flags_item_id", "flags", ["item_id"])
    op.create_index("ix_flags_project_id", "flags", ["project_id"])
    op.create_table(
        "pending_features",
        sa.Column("item_id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["items.id"], name="fk_pending_features_item_id_items", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_pending_features_project_id_projects"),
        sa.PrimaryKeyConstraint("item_id", name="pk_pending_features"),
    )
    op.create_index("ix_pending_features_project_id", "pending_features", ["project_id"])
    op.create_table(
        "rounds",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("number", Id, nullable=False),
        sa.Column("job_id", Id),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("fallback", sa.Text()),
        sa.Column("sentence", sa.Text()),
        sa.Column("strategy", Json, nullable=False),
        sa.Column("learner", Json, nullable=False),
        sa.Column("featurizer", sa.String(length=64), nullable=False),
        sa.Column("task_version", Id, nullable=False),
        sa.Column("seed", Id, nullable=False),
        sa.Column("class_ids", Json, nullable=False),
        sa.Column("labels", Json, nullable=False),
        sa.Column("labels_count", Id, nullable=False),
        sa.Column("warm_round_id", Id),
        sa.Column("model_file", sa.String(length=200)),
        sa.Column("queue_length", Id, nullable=False),
        sa.Column("metrics", Json),
        sa.Column("seconds", Json),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("published_at", Moment),
        sa.Column("finished_at", Moment),
        sa.CheckConstraint(
            "state IN ('waiting', 'waiting_for_predictions', 'running', 'published', 'done', 'failed', 'skipped')",
            name="ck_rounds_state",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_rounds_job_id_jobs"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_rounds_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_rounds"),
        sa.UniqueConstraint("project_id", "number", name="uq_rounds_project_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rounds_project_id", "rounds", ["project_id"])
    op.create_table(
        "leases",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("slot", Id, nullable=False),
        sa.Column("annotator_id", Id, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("round_id", Id),
        sa.Column("rank", Id),
        sa.Column("task_version", Id, nullable=False),
        sa.Column("guidelines_version", Id, nullable=False),
        sa.Column("suggestion", Json),
        sa.Column("reason", Json),
        sa.Column("skip_reason", sa.Text()),
        sa.Column("served_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("hold_hours", sa.Double()),
        sa.CheckConstraint("state IN ('live', 'answered', 'skipped', 'released', 'expired')", name="ck_leases_state"),
        sa.ForeignKeyConstraint(["annotator_id"], ["users.id"], name="fk_leases_annotator_id_users"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_leases_item_id_items"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_leases_project_id_projects"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_leases_round_id_rounds"),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_leases_live",
        "leases",
        ["project_id", "expires_at"],
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(
        "ix_leases_mine",
        "leases",
        ["annotator_id", "project_id"],
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(
        "uq_leases_annotator",
        "leases",
        ["item_id", "unit", "annotator_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('live', 'answered', 'skipped')"),
        postgresql_where=sa.text("state IN ('live', 'answered', 'skipped')"),
    )
    op.create_index(
        "uq_leases_slot",
        "leases",
        ["item_id", "unit", "slot"],
        unique=True,
        sqlite_where=sa.text("state IN ('live', 'answered')"),
        postgresql_where=sa.text("state IN ('live', 'answered')"),
    )
    op.create_table(
        "predictions",
        sa.Column("round_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("probabilities", Json, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_predictions_item_id_items"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_predictions_round_id_rounds", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("round_id", "item_id", "unit", name="pk_predictions"),
    )
    op.create_table(
        "queue",
        sa.Column("round_id", Id, nullable=False),
        sa.Column("rank", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("probabilities", Json),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_queue_item_id_items"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_queue_project_id_projects"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_queue_round_id_rounds", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("round_id", "rank", name="pk_queue"),
    )
    op.create_index("ix_queue_item", "queue", ["item_id"])
    op.create_index(
        "ix_queue_next",
        "queue",
        ["round_id", "rank"],
        sqlite_where=sa.text("NOT done"),
        postgresql_where=sa.text("NOT done"),
    )
    op.create_table(
        "annotations",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("answer_id", sa.Uuid(), nullable=False),
        sa.Column("version", Id, nullable=False),
        sa.Column("item_id", Id, nullable=False),
        sa.Column("item_revision", Id, nullable=False),
        sa.Column("unit", Id, nullable=False),
        sa.Column("task_version", Id, nullable=False),
        sa.Column("guidelines_version", Id, nullable=False),
        sa.Column("annotator_id", Id),
        sa.Column("annotator_name", sa.String(length=200)),
        sa.Column("lease_id", Id),
        sa.Column("request_id", sa.Uuid()),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("label", Json, nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.Column("decisive", sa.Boolean(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("round_id", Id),
        sa.Column("probability", sa.Double()),
        sa.Column("seconds_spent", sa.Double(), nullable=False),
        sa.Column("seconds_elapsed", sa.Double()),
        sa.Column("created_at", Moment, nullable=False),
        sa.CheckConstraint("origin IN ('human', 'import', 'program', 'synthetic')", name="ck_annotations_origin"),
        sa.ForeignKeyConstraint(["annotator_id"], ["users.id"], name="fk_annotations_annotator_id_users"),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="fk_annotations_item_id_items"),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.id"], name="fk_annotations_lease_id_leases"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_annotations_project_id_projects"),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name="fk_annotations_round_id_rounds"),
        sa.PrimaryKeyConstraint("id", name="pk_annotations"),
        sa.UniqueConstraint("answer_id", "version", name="uq_annotations_answer_id_version"),
        sa.UniqueConstraint("project_id", "request_id", name="uq_annotations_project_id_request_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_annotations_annotator", "annotations", ["project_id", "annotator_id", "id"])
    op.create_index("ix_annotations_annotator_id", "annotations", ["annotator_id"])
    op.create_index("ix_annotations_feed", "annotations", ["project_id", "id"])
    op.create_index("ix_annotations_item_id", "annotations", ["item_id"])
    op.create_index("ix_annotations_lease_id", "annotations", ["lease_id"])


def downgrade() -> None:
    op.drop_table("annotations")
    op.drop_table("queue")
    op.drop_table("predictions")
    op.drop_table("leases")
    op.drop_table("rounds")
    op.drop_table("pending_features")
    op.drop_table("flags")
    op.drop_table("feature_shards")
    op.drop_table("client_features")
    op.drop_table("media")
    op.drop_table("items")
    op.drop_table("feature_sets")
