"""Keep simulations: which strategies were compared on which labelled items, and each finished run.

Safe while the previous release still runs: it does not know the tables. A job of the new kind waits until a worker of
the new release is there.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import Json, UtcDateTime

revision = "20261128_simulations"
down_revision = "20261128_buckets"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "simulations",
        sa.Column("id", Id, nullable=False),
        sa.Column("project_id", Id, nullable=False),
        sa.Column("job_id", Id, nullable=False),
        sa.Column("design", Json, nullable=False),
        sa.Column("items", Json, nullable=False),
        sa.Column("classes", Json, nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("judged_by", sa.String(16), nullable=False),
        sa.Column("pool_rows", Id, nullable=False),
        sa.Column("test_rows", Id, nullable=False),
        sa.Column("full_accuracy", sa.Double(), nullable=True),
        sa.Column("created_by", Id, nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("applied", Json, nullable=True),
        sa.Column("applied_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_simulations_project_id_projects"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_simulations_job_id_jobs"),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_simulations_created_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_simulations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_simulations_project_id", "simulations", ["project_id"])
    op.create_index("ix_simulations_job_id", "simulations", ["job_id"])
    op.create_table(
        "simulation_runs",
        sa.Column("simulation_id", Id, nullable=False),
        sa.Column("place", Id, nullable=False),
        sa.Column("seed", Id, nullable=False),
        sa.Column("result", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["simulation_id"],
            ["simulations.id"],
            name="fk_simulation_runs_simulation_id_simulations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("simulation_id", "place", "seed", name="pk_simulation_runs"),
    )


def downgrade() -> None:
    op.drop_table("simulation_runs")
    op.drop_index("ix_simulations_job_id", "simulations")
    op.drop_index("ix_simulations_project_id", "simulations")
    op.drop_table("simulations")
    op.execute("DELETE FROM jobs WHERE kind = 'compare'")
