"""Let items wait for their files to be fetched, and let one file have several names.

Safe while the previous release still runs: it never writes the new state, and treats such items as not open. The
tables of SQLite are built anew, because it cannot change a constraint in place.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "20261124_fetching"
down_revision = "20261124_audited"
branch_labels = None
depends_on = None

FETCHING = sa.text("state = 'fetching'")
STATES = "state IN ('open', 'excluded', 'deleted', 'failed')"
MORE_STATES = "state IN ('open', 'excluded', 'deleted', 'failed', 'fetching')"
SAME = "uq_media_project_id_sha256", ("project_id", "sha256")
SAME_AND_NAMED = "uq_media_project_id_sha256_name", ("project_id", "sha256", "name")
FIRSTS = sa.text("""
    SELECT media.id, firsts.id AS first FROM media
    JOIN (SELECT min(id) AS id, project_id, sha256 FROM media GROUP BY project_id, sha256) AS firsts
    ON firsts.project_id = media.project_id AND firsts.sha256 = media.sha256 WHERE media.id != firsts.id
""")
REPOINT = {
    "sqlite": "UPDATE items SET payload = json_set(payload, '$.image.media', :first)"
    " WHERE json_extract(payload, '$.image.media') = :id",
    "postgresql": "UPDATE items SET payload = jsonb_set(payload, '{image,media}', to_jsonb(CAST(:first AS bigint)))"
    " WHERE payload #> '{image,media}' = to_jsonb(CAST(:id AS bigint))",
}


def upgrade() -> None:
    _states(STATES, MORE_STATES)
    op.create_index("ix_items_fetching", "items", ["project_id"], sqlite_where=FETCHING, postgresql_where=FETCHING)
    _unique(SAME, SAME_AND_NAMED)


def downgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(FIRSTS).all():
        connection.execute(sa.text(REPOINT[connection.dialect.name]), {"id": row.id, "first": row.first})
        connection.execute(sa.text("DELETE FROM media WHERE id = :id"), {"id": row.id})
    _unique(SAME_AND_NAMED, SAME)
    op.drop_index("ix_items_fetching", "items")
    op.execute("UPDATE items SET state = 'failed', reason = 'its file was not fetched' WHERE state = 'fetching'")
    _states(MORE_STATES, STATES)


def _states(before: str, after: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild("items", before, after)
    else:
        op.drop_constraint("ck_items_state", "items", type_="check")
        op.create_check_constraint("ck_items_state", "items", after)


def _unique(before: tuple[str, tuple[str, ...]], after: tuple[str, tuple[str, ...]]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        texts = [f"{name} UNIQUE ({', '.join(columns)})" for name, columns in (before, after)]
        _rebuild("media", *texts)
    else:
        op.drop_constraint(before[0], "media", type_="unique")
        op.create_unique_constraint(op.f(after[0]), "media", list(after[1]))


def _rebuild(table: str, before: str, after: str) -> None:
    """Put another text into the definition of a table: a new table, all rows, its indexes, its next id.

    Keys are off meanwhile (see app/db/migrate.py), so that no row of another table is touched.
    """
    run = op.get_bind().exec_driver_sql
    made = run("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).scalar_one()
    indexes = run("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql != ''", (table,)).all()
    next_id = run("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).scalar()
    if before not in made:
        raise RuntimeError(f"the table {table} has not the constraint that is to be changed")
    changed = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_rebuilt", made.replace(before, after))
    run(changed)
    run(f"INSERT INTO {table}_rebuilt SELECT * FROM {table}")  # noqa: S608  # a name of this file
    run(f"DROP TABLE {table}")
    run(f"ALTER TABLE {table}_rebuilt RENAME TO {table}")
    for (index,) in indexes:
        run(index)
    if next_id is not None:
        run("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (next_id, table))
