"""Remember when a person was erased, and which rounds learned from items that were erased since.

Safe while the previous release still runs: a column that may be null and one with a default are added. Who was erased
before has a name that nobody else can have had for long; the moment of that is not known, so the migration's is taken.
"""

import sqlalchemy as sa
from alembic import op

from app.db.base import UtcDateTime

revision = "20261128_erasure"
down_revision = "20261128_doubted"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("erased_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column("rounds", sa.Column("erased", Id, nullable=False, server_default="0"))
    op.execute(
        "UPDATE users SET erased_at = CURRENT_TIMESTAMP"
        " WHERE password_hash IS NULL AND folded_name LIKE 'person-%-erased'"
    )


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind IN ('scrub', 'retain') OR (kind = 'erase' AND project_id IS NULL)")
    op.drop_column("rounds", "erased")
    op.drop_column("users", "erased_at")
