"""How far the answers had come, kept beside SQLite's file, so that a database that went back is noticed.

A log that was cut, or an older copy put in the file's place, gives a whole database of an earlier moment: nothing in it
says that answers are missing. The mark is written after the commit that it tells of, by the worker every few seconds.
"""

import contextlib
import os
from pathlib import Path

from sqlalchemy import text

from app.core.settings import Settings
from app.db import Database

FILE = "labelwise.mark"
HIGHEST = text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'annotations'")  # never goes back


def keep(db: Database, settings: Settings) -> None:
    """Write how many answers there ever were; a disk without room keeps the earlier mark."""
    if not db.is_sqlite:
        return
    reached, file = _reached(db), settings.data / FILE
    if reached <= _marked(file):
        return
    aside = file.with_name(f"{FILE}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        aside.write_text(str(reached))
        aside.replace(file)


def missing(db: Database, settings: Settings) -> int:
    """How many versions of answers the database once had and does not know of any more."""
    if not db.is_sqlite:
        return 0
    return max(0, _marked(settings.data / FILE) - _reached(db))


def check(db: Database, settings: Settings) -> None:
    """Raise RuntimeError where answers are missing, with what to do."""
    if count := missing(db, settings):
        raise RuntimeError(
            f"the database went back: it lacks {count:,} answers that it had. Its log (labelwise.db-wal) was cut or "
            "left behind, or an older copy stands in its place. Put the newest files back, or restore a backup; to go "
            f"on without those answers, remove {settings.data / FILE}"
        )


def _reached(db: Database) -> int:
    with db.read() as session:
        return int(session.execute(HIGHEST).scalar_one())


def _marked(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
