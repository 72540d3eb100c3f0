"""Which errors of a database are for later, and which are ours."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from app.db.session import is_busy


@pytest.mark.parametrize(
    ("error", "later"),
    [
        (OperationalError("", {}, sqlite3.OperationalError("database is locked")), True),
        (OperationalError("", {}, sqlite3.OperationalError("no such table: items")), False),
        (OperationalError("", {}, psycopg.OperationalError("insufficient data left in message")), True),
        (OperationalError("", {}, psycopg.errors.QueryCanceled("canceling statement")), True),
        (OperationalError("", {}, psycopg.errors.TooManyConnections("sorry, too many clients already")), True),
        (DBAPIError("", {}, psycopg.errors.CrashShutdown("the system is in recovery mode")), True),
        (OperationalError("", {}, psycopg.errors.SerializationFailure("of concurrent update")), True),
        (ProgrammingError("", {}, psycopg.errors.UndefinedTable("relation does not exist")), False),
        (ProgrammingError("", {}, psycopg.ProgrammingError("no results to fetch")), False),
    ],
)
def test_what_passes_by_itself_is_told_from_a_fault(error: DBAPIError, later: bool) -> None:
    assert is_busy(error) is later
