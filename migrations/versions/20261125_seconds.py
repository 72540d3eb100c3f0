"""Let files say how long they are: clips of sound.

Safe while the previous release still runs: the column may be empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_seconds"
down_revision = "20261124_fetching"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("media", "seconds")
