"""Count each project's items as they change, so that nobody walks a million of them to say how many are left.

Triggers do it, so it is safe while the previous release still runs: what that writes is counted too. Only the purge of
a deleted project waits for a worker of this release, for the earlier one leaves the project's counts behind. A later
migration that rebuilds the table of items on SQLite must make the triggers again.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261129_tallies"
down_revision = "20261129_passwords"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PARTS = ("project_id", "state", "split", "done")
COLUMNS = ", ".join(PARTS)
EVENTS = ("INSERT", "UPDATE", "DELETE")


def upgrade() -> None:
    op.create_table(
        "item_tallies",
        sa.Column("id", Id, primary_key=True),
        sa.Column("project_id", Id, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("count", Id, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_item_tallies_counts", "item_tallies", list(PARTS))
    (_on_sqlite if op.get_bind().dialect.name == "sqlite" else _on_postgresql)()
    counted = f"SELECT {COLUMNS}, count(*) FROM items GROUP BY {COLUMNS}"  # noqa: S608  # constants of this file
    op.execute(f"INSERT INTO item_tallies ({COLUMNS}, count) {counted}")


def _on_sqlite() -> None:
    """A row of an item at a time: one is taken from the count that it leaves and added to the one that it joins."""
    changed = " OR ".join(f"NEW.{part} <> OLD.{part}" for part in PARTS)
    for event, when, steps in (
        ("INSERT", "", [("NEW", 1)]),
        ("DELETE", "", [("OLD", -1)]),
        (f"UPDATE OF {COLUMNS}", f"WHEN {changed}", [("OLD", -1), ("NEW", 1)]),
    ):
        name = f"item_tallies_{event.split()[0].lower()}"
        body = "".join(_added(row, by) for row, by in steps)
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON items {when} BEGIN {body} END")


def _added(row: str, by: int) -> str:
    same = " AND ".join(f"{part} = {row}.{part}" for part in PARTS)
    values = ", ".join(f"{row}.{part}" for part in PARTS)
    return f"""
        INSERT INTO item_tallies ({COLUMNS}, count)
        SELECT {values}, 0 WHERE NOT EXISTS (SELECT 1 FROM item_tallies WHERE {same});
        UPDATE item_tallies SET count = count + ({by}) WHERE {same};
    """  # noqa: S608  # constants of this file


def _on_postgresql() -> None:
    """A statement at a time, whatever number of items it changed; a lock keeps writers away until all are counted."""
    op.execute(f"""
        CREATE FUNCTION item_tallies_follow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO item_tallies ({COLUMNS}, count)
                SELECT {COLUMNS}, count(*) FROM joined GROUP BY {COLUMNS};
            ELSIF TG_OP = 'DELETE' THEN
                INSERT INTO item_tallies ({COLUMNS}, count)
                SELECT {COLUMNS}, -count(*) FROM gone GROUP BY {COLUMNS};
            ELSE
                INSERT INTO item_tallies ({COLUMNS}, count)
                SELECT {COLUMNS}, sum(one) FROM (
                    SELECT {COLUMNS}, 1 AS one FROM joined UNION ALL SELECT {COLUMNS}, -1 FROM gone
                ) AS moved GROUP BY {COLUMNS} HAVING sum(one) <> 0;
            END IF;
            RETURN NULL;
        END $$
    """)  # noqa: S608  # constants of this file
    tables = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}
    names = {"NEW": "NEW TABLE AS joined", "OLD": "OLD TABLE AS gone"}
    for event in EVENTS:
        of = " ".join(names[each] for each in tables[event])
        op.execute(
            f"CREATE TRIGGER item_tallies_{event.lower()} AFTER {event} ON items REFERENCING {of} "
            "FOR EACH STATEMENT EXECUTE FUNCTION item_tallies_follow()"
        )


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for event in EVENTS:
        op.execute(f"DROP TRIGGER item_tallies_{event.lower()}" + (" ON items" if postgresql else ""))
    if postgresql:
        op.execute("DROP FUNCTION item_tallies_follow()")
    op.drop_table("item_tallies")
