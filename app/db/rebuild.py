"""How a migration changes a constraint on SQLite, which cannot do it in place."""

import re

from sqlalchemy import Connection


def rebuild(connection: Connection, table: str, before: str, after: str) -> None:
    """Put another text into the definition of a table: a new table, all rows, its indexes, its next id.

    Keys are off meanwhile (see app/db/migrate.py), so that no row of another table is touched. O(rows).
    """
    run = connection.exec_driver_sql
    made = run("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).scalar_one()
    indexes = run("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql != ''", (table,)).all()
    next_id = run("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).scalar()
    if before not in made:
        raise RuntimeError(f"the table {table} has not the constraint that is to be changed")
    changed = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_rebuilt", made.replace(before, after))
    run(changed)
    run(f"INSERT INTO {table}_rebuilt SELECT * FROM {table}")  # noqa: S608  # a name of a migration
    run(f"DROP TABLE {table}")
    run(f"ALTER TABLE {table}_rebuilt RENAME TO {table}")
    for (index,) in indexes:
        run(index)
    if next_id is not None:
        run("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (next_id, table))
