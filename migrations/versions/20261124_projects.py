"""People, projects, and what they are allowed.

The first release. Questions are a list and class ids are numbers of the project from the start, also where
only a part is used yet, because adding them later would rewrite every answer.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.db.base import UtcDateTime

revision = "20261124_projects"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Moment = UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=200), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("task", Json, nullable=False),
        sa.Column("task_version", Id, nullable=False),
        sa.Column("strategy", Json, nullable=False),
        sa.Column("learner", Json, nullable=False),
        sa.Column("featurizer", Json, nullable=False),
        sa.Column("round_size", Id),
        sa.Column("overlap", Id, nullable=False),
        sa.Column("audit_share", sa.Double(), nullable=False),
        sa.Column("blind_share", sa.Double(), nullable=False),
        sa.Column("guidelines", sa.Text(), nullable=False),
        sa.Column("guidelines_version", Id, nullable=False),
        sa.Column("goal", Json),
        sa.Column("stream", Json),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("seed", Id, nullable=False),
        sa.Column("version", Id, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("deleted_at", Moment),
        sa.CheckConstraint("state IN ('open', 'paused', 'closed', 'archived')", name="ck_projects_state"),
        sa.CheckConstraint("overlap BETWEEN 1 AND 50", name="ck_projects_overlap"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("slug", name="uq_projects_slug"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", Id, nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failures"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sign_in_failures_at", "sign_in_failures", ["at"])
    op.create_index("ix_sign_in_failures_subject", "sign_in_failures", ["subject"])
    op.create_table(
        "users",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("folded_name", sa.String(length=400), nullable=False),
        sa.Column("password_hash", sa.String(length=200)),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("folded_name", name="uq_users_folded_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "workers",
        sa.Column("id", Id, nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("pid", Id, nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("last_seen", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
        sa.UniqueConstraint("token", name="uq_workers_token"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "classes",
        sa.Column("project_id", Id, nullable=False),
        sa.Column("number", Id, nullable=False),
        sa.Column("question", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("folded_name", sa.String(length=400), nullable=False),
        sa.Column("aliases", Json, nullable=False),
        sa.Column("color", sa.String(length=16), nullable=False),
        sa.Column("hotkey", sa.String(length=16)),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("position", Id, nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("merged_into", Id),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_classes_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", "number", name="pk_classes"),
        sa.UniqueConstraint("project_id", "question", "folded_name", name="uq_classes_project_id_question_folded_name"),
    )
    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("user_id", Id),
        sa.Column("project_id", Id),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_events_project_id_projects"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_events_user_id_users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_at", "events", ["at"])
    op.create_index("ix_events_project_id", "events", ["project_id"])
    op.create_table(
        "jobs",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", Id, nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("cursor", Json),
        sa.Column("progress", Json),
        sa.Column("result", Json),
        sa.Column("reason", sa.Text()),
        sa.Column("attempt", Id, nullable=False),
        sa.Column("token", sa.Uuid()),
        sa.Column("lease_until", Moment),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created_by", Id),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name="ck_jobs_state"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name="fk_jobs_created_by_users", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_jobs_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_jobs_claimable",
        "jobs",
        ["state", "due_at"],
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_index("ix_jobs_project_id", "jobs", ["project_id"])
    op.create_index(
        "uq_jobs_running_round",
        "jobs",
        ["project_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'round' AND state = 'running'"),
        postgresql_where=sa.text("kind = 'round' AND state = 'running'"),
    )
    op.create_index(
        "uq_jobs_waiting_single",
        "jobs",
        ["project_id", "kind"],
        unique=True,
        sqlite_where=sa.text("kind IN ('round', 'featurize') AND state = 'waiting'"),
        postgresql_where=sa.text("kind IN ('round', 'featurize') AND state = 'waiting'"),
    )
    op.create_table(
        "keyed_requests",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", Id),
        sa.Column("answer", sa.Text()),
        sa.Column("created_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_keyed_requests_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name="pk_keyed_requests"),
    )
    op.create_index("ix_keyed_requests_created_at", "keyed_requests", ["created_at"])
    op.create_table(
        "members",
        sa.Column("project_id", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.CheckConstraint("role IN ('manager', 'reviewer', 'annotator')", name="ck_members_role"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_members_project_id_projects"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_members_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_members"),
    )
    op.create_index("ix_members_user_id", "members", ["user_id"])
    op.create_table(
        "one_time_links",
        sa.Column("id", Id, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project_id", Id),
        sa.Column("user_id", Id),
        sa.Column("role", sa.String(length=16)),
        sa.Column("uses_left", Id, nullable=False),
        sa.Column("created_by", Id),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.CheckConstraint("kind IN ('setup', 'invitation', 'sign_in')", name="ck_one_time_links_kind"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_one_time_links_created_by_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_one_time_links_project_id_projects", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_links_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_links"),
        sa.UniqueConstraint("code_hash", name="uq_one_time_links_code_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_one_time_links_project_id", "one_time_links", ["project_id"])
    op.create_table(
        "serving",
        sa.Column("project_id", Id, nullable=False),
        sa.Column("round_id", Id),
        sa.Column("slots_served", Id, nullable=False),
        sa.Column("snapshot_annotation_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_serving_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_serving"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", Id, nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("secret_hash", name="uq_sessions_secret_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "tokens",
        sa.Column("id", Id, nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("project_id", Id),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("last_used_at", Moment),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_tokens_project_id_projects", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_tokens_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "rejected_rows",
        sa.Column("job_id", Id, nullable=False),
        sa.Column("line", Id, nullable=False),
        sa.Column("key", sa.String(length=512)),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_rejected_rows_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "line", name="pk_rejected_rows"),
    )


def downgrade() -> None:
    op.drop_table("rejected_rows")
    op.drop_table("tokens")
    op.drop_table("sessions")
    op.drop_table("serving")
    op.drop_table("one_time_links")
    op.drop_table("members")
    op.drop_table("keyed_requests")
    op.drop_table("jobs")
    op.drop_table("events")
    op.drop_table("classes")
    op.drop_table("workers")
    op.drop_table("users")
    op.drop_table("sign_in_failures")
    op.drop_table("projects")
