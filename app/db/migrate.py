"""Brings a database to the newest schema, safely: own engine, keys off, a copy before, a check after.

Each step is one transaction with the line that says it was made, on SQLite too: killed anywhere, a migration leaves the
schema before a step or after it, and goes on from there.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = next(folder for folder in (ROOT / "_web" / "migrations", ROOT.parent / "migrations") if folder.is_dir())

LOCK = 4_914_310_118  # of PostgreSQL: one migration at a time


class NewerSchema(RuntimeError):
    """The database was written by a newer release."""


def newest() -> str:
    """The revision that this code expects."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError("the migrations folder is empty")
    return head


def current(url: str) -> str | None:
    """The revision of a database, or None where nothing was ever migrated."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def bring_up(url: str) -> None:
    """Let a service start on a database: SQLite is migrated, of PostgreSQL it is said what is to be done.

    Raises:
        NewerSchema: a newer release wrote the database; nothing is changed.
        RuntimeError: the PostgreSQL database is not at the newest schema.
    """
    revision = current(url)
    if revision == newest():
        return
    check_known(revision)
    if make_url(url).get_backend_name() != "sqlite":
        raise RuntimeError("the database is not at the newest schema: run `labelwise migrate`")
    migrate(url)


def check_known(revision: str | None) -> None:
    """Raise NewerSchema for a revision that this release does not know."""
    known = {each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerSchema(
            f"the database is at schema {revision}, which this release does not know: install the newer release that "
            "wrote it, or restore a backup from before; nothing was changed"
        )


def migrate(url: str, target: str = "head") -> None:
    """Move a database to a revision; a second process that wants the same waits until the first is done.

    On SQLite foreign keys are off while tables are rebuilt (a rebuild with keys on deletes children), they are
    checked afterwards, and the database is copied to `<name>.before-<revision>` first.

    Raises:
        NewerSchema: a newer release wrote the database; nothing is changed.
    """
    address = make_url(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    engine = _engine(url, is_sqlite)
    with _alone(address, engine, is_sqlite), engine.connect() as connection:
        before = current(url)
        check_known(before)
        if is_sqlite and address.database:
            _copy_before(Path(address.database), before)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        if target == "base" or target.startswith("-"):
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)
        connection.commit()
        if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"the migration left {len(broken)} rows that point to nothing: restore the copy")


def differences(url: str) -> None:
    """Raise when the tables in code and the migrated database differ."""
    engine = create_engine(url, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def _engine(url: str, is_sqlite: bool) -> Engine:
    """Connections whose transactions hold statements of the schema too: the driver of SQLite would leave them out."""
    if not is_sqlite:
        return create_engine(url, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None, "timeout": 60})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.execute("pragma foreign_keys=off")
        connection.execute("pragma synchronous=full")
        connection.execute("pragma fullfsync=on")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def _alone(address: URL, engine: Engine, is_sqlite: bool) -> Iterator[None]:
    """One migration of a database at a time, among all processes."""
    if not is_sqlite:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as held:
            held.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
            yield
        return
    if not address.database:
        yield
        return
    file = Path(f"{address.database}.lock")
    with os.fdopen(os.open(file, os.O_CREAT | os.O_RDWR, 0o600), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _copy_before(file: Path, revision: str | None) -> None:
    """A copy with what is in the log still; it has its name only when it is whole."""
    if not file.exists() or revision is None or revision == newest():
        return
    copy = file.with_name(f"{file.name}.before-{newest()}")
    aside = copy.with_name(f"{copy.name}.tmp")
    aside.unlink(missing_ok=True)
    os.close(os.open(aside, os.O_CREAT | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(aside)) as target:
        source.backup(target)
    aside.replace(copy)
