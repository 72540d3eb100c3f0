"""What PostgreSQL plans its queries by: the sizes of its tables and what is in them."""

import logging

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.session import Database

log = logging.getLogger("labelwise.database")

# Tables that loops walk while people wait, where they have grown by a quarter since they were looked at, or where
# nothing was found: what another transaction is just writing has its pages already and does not count yet.
GROWN = text("""
    SELECT relname FROM pg_class
    WHERE relname IN ('items', 'queue', 'leases', 'annotations', 'predictions', 'client_features')
    AND relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
    AND pg_relation_size(oid) > CASE WHEN reltuples < 1 THEN 0 ELSE 1.25 END
        * relpages * CAST(current_setting('block_size') AS bigint)
""")


def count_anew(db: Database) -> None:
    """Let PostgreSQL look at the tables that have grown since it last did; milliseconds where none has.

    By itself it looks once a minute. Until then it plans by what a table held before: on 100,000 items that had just
    been pushed a lease walked all of them for each place of the order and took a second. Nothing depends on it, so
    nothing fails for it.
    """
    if db.is_sqlite:
        return
    try:
        with db.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in connection.execute(GROWN).scalars().all():
                connection.execute(text(f"ANALYZE {table}"))
    except DBAPIError as error:
        log.warning("could not analyse the tables that have grown: %s", error.orig)
