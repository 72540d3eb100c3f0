"""The secrets of scorers that the service asks over HTTP.

Safe while the previous release still runs: it knows nothing of the new table, and of the learner `http` only that it
is none that it has, so the rounds of such a project fail there and are run again here.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import Id, UtcDateTime

revision = "20261128_scorers"
down_revision = "20261128_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scorer_secrets",
        sa.Column("project_id", Id, nullable=False),
        sa.Column("secret", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_scorer_secrets_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_scorer_secrets"),
    )


def downgrade() -> None:
    op.drop_table("scorer_secrets")
