"""Remember which content of its item a lease was given for: an answer to earlier content is never one to the new.

Safe while the previous release still runs: it leaves the column out, and a lease without it counts for what its item
holds by now, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_lease_revision"
down_revision = "20261128_audit_use"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("leases", sa.Column("item_revision", Id, nullable=True))


def downgrade() -> None:
    op.drop_column("leases", "item_revision")
