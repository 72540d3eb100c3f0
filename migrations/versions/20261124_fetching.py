"""Let items wait for their files to be fetched, and let one file have several names.

Safe while the previous release still runs: it never writes the new state, and treats such items as not open. The
tables of SQLite are built anew, because it cannot change a constraint in place.
"""

import sqlalchemy as sa
from alembic import op

from app.db.rebuild import rebuild

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
        rebuild(op.get_bind(), "items", before, after)
    else:
        op.drop_constraint("ck_items_state", "items", type_="check")
        op.create_check_constraint("ck_items_state", "items", after)


def _unique(before: tuple[str, tuple[str, ...]], after: tuple[str, tuple[str, ...]]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        texts = [f"{name} UNIQUE ({', '.join(columns)})" for name, columns in (before, after)]
        rebuild(op.get_bind(), "media", *texts)
    else:
        op.drop_constraint(before[0], "media", type_="unique")
        op.create_unique_constraint(op.f(after[0]), "media", list(after[1]))
