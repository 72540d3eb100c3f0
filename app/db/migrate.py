"""Brings a database to the newest schema, safely: own engine, keys off, a copy before, a check after."""

import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = next(folder for folder in (ROOT / "_web" / "migrations", ROOT.parent / "migrations") if folder.is_dir())


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


def migrate(url: str, target: str = "head") -> None:
    """Move a database to a revision.

    On SQLite foreign keys are off while tables are rebuilt (a rebuild with keys on deletes children), they are
    checked afterwards, and the file is copied to `<name>.before-<revision>` first.
    """
    address = make_url(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    if is_sqlite and address.database:
        _copy_before(Path(address.database), current(url))
    engine = create_engine(url, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
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


def _copy_before(file: Path, revision: str | None) -> None:
    if file.exists() and revision is not None and revision != newest():
        shutil.copy2(file, file.with_name(f"{file.name}.before-{newest()}"))
