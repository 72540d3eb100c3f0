"""Remember whether audit answers teach or are kept apart.

Safe while the previous release still runs: the column has a server default, which is what that release does.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_audit_use"
down_revision = "20261128_append_only"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("audit_use", sa.String(16), nullable=False, server_default="taught"))


def downgrade() -> None:
    op.drop_column("projects", "audit_use")
