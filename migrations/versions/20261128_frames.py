"""Let clips of video say how many pictures a second they have.

Safe while the previous release still runs: the column may be empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_frames"
down_revision = "20261128_scorers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("frames_per_second", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("media", "frames_per_second")
