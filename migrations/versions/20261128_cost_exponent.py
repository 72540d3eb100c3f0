"""Remember how strongly an item's expected seconds weigh in the order.

Safe while the previous release still runs: the column has a server default, which is what that release does.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_cost_exponent"
down_revision = "20261128_lease_revision"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("cost_exponent", sa.Double(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("projects", "cost_exponent")
