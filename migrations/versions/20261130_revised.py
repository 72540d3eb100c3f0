"""Find the items whose content was replaced after an answer: their earlier answers stand no more.

Safe while the previous release still runs: only an index is added, and hardly any item is in it.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_revised"
down_revision = "20261130_former_shares"
branch_labels = None
depends_on = None

REVISED = sa.text("revision > 1")


def upgrade() -> None:
    op.create_index("ix_items_revised", "items", ["project_id"], sqlite_where=REVISED, postgresql_where=REVISED)


def downgrade() -> None:
    op.drop_index("ix_items_revised", "items")
