"""Remember how many audit items a manager asked for, and since which lease; index the leases on audit items.

Safe while the previous release still runs: two columns with server defaults and an index are added. That release gives
out items by the share alone, and the request waits until this one serves.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261129_audit_requests"
down_revision = "20261128_counting"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AUDIT = sa.text("kind = 'audit'")


def upgrade() -> None:
    op.add_column("serving", sa.Column("audit_asked", Id, nullable=False, server_default="0"))
    op.add_column("serving", sa.Column("audit_since", Id, nullable=False, server_default="0"))
    op.create_index("ix_leases_audit", "leases", ["project_id", "id"], sqlite_where=AUDIT, postgresql_where=AUDIT)


def downgrade() -> None:
    op.drop_index("ix_leases_audit", "leases")
    op.drop_column("serving", "audit_since")
    op.drop_column("serving", "audit_asked")
