"""Search items by their words through a full-text index, and list those changed last without sorting all.

Safe while the previous release still runs: it knows nothing of the index, which a job brings up to date; only what it
changes of an indexed item's words or metadata would be found by the old ones. Jobs for what is stored already are asked
for here.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_search"
down_revision = "20261125_webhooks"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SINGLE = sa.text("kind IN ('round', 'featurize') AND state = 'waiting'")
SINGLE_AND_INDEX = sa.text("kind IN ('round', 'featurize', 'index') AND state = 'waiting'")
WORDS = """
    CREATE VIRTUAL TABLE item_words
    USING fts5(words, content='', detail=none, columnsize=0, tokenize="ascii tokenchars '_'")
"""
ASK = """
    INSERT INTO jobs (project_id, kind, state, priority, payload, attempt, due_at, cancel_requested, created_at,
                      updated_at)
    SELECT id, 'index', 'waiting', 1, '{}', 0, created_at, false, created_at, created_at FROM projects
    WHERE deleted_at IS NULL
"""


def upgrade() -> None:
    op.create_table(
        "search_indexes",
        sa.Column("project_id", Id, nullable=False, autoincrement=False),
        sa.Column("indexed_to", Id, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_search_indexes_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_search_indexes"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(WORDS)
    else:
        op.execute("CREATE TABLE item_words (item_id bigint PRIMARY KEY REFERENCES items, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_item_words_words ON item_words USING gin (words)")
    op.create_index("ix_items_updated", "items", ["project_id", "updated_at", "id"])
    _single(SINGLE_AND_INDEX)
    op.execute(ASK)


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'index'")
    _single(SINGLE)
    op.drop_index("ix_items_updated", "items")
    op.execute("DROP TABLE item_words")
    op.drop_table("search_indexes")


def _single(kinds: sa.TextClause) -> None:
    """Let jobs of these kinds wait at most once a project."""
    op.drop_index("uq_jobs_waiting_single", "jobs")
    op.create_index(
        "uq_jobs_waiting_single",
        "jobs",
        ["project_id", "kind"],
        unique=True,
        sqlite_where=kinds,
        postgresql_where=kinds,
    )
