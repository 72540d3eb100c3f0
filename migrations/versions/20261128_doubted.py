"""Keep beside a round's opinions whether it doubts the label that an item has.

Safe while the previous release still runs: it leaves the column out, and the database puts false there.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_doubted"
down_revision = "20261128_simulations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("predictions", sa.Column("doubted", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("predictions", "doubted")
