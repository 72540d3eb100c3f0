"""What an erasure leaves in the files of the database itself is overwritten: once for all erasures of a minute or so.

On SQLite changed and deleted rows are overwritten where they lay (`secure_delete`), but copies of old pages stay in the
log, and words stay in the segments of the full-text index until these are merged. On PostgreSQL old versions of rows
stay until VACUUM. A job does what people would forget, in steps that hold nobody up for long.
"""

import time
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from app.db import Database, Job, WriteSession
from app.db.search import FULL_TEXT
from app.db.session import is_busy
from app.services import jobs
from app.services.jobs import Done, Later, More, Running

KIND = "scrub"
WAIT_SECONDS = 20.0  # for more erasures that may share the work
SLICE_SECONDS = 1.0
BREATH_SECONDS = 0.01
PAGES = 200  # of the index that are merged in one transaction
AGAIN_SECONDS = 10.0  # until a log that somebody reads from is tried again
MERGE = text("INSERT INTO item_words (item_words, rank) VALUES ('merge', :pages)")
VACUUMED = ("items", "annotations", "leases", "media", "users", FULL_TEXT)


def request(session: WriteSession) -> None:
    """Ask for the job, unless one waits already."""
    waiting = select(Job.id).where(Job.kind == KIND, Job.state == "waiting", Job.attempt == 0).limit(1)
    if session.execute(waiting).first() is None:
        jobs.enqueue(session, KIND, None, delay_seconds=WAIT_SECONDS)


def run(running: Running) -> Done | More | Later:
    """Work one slice; the cursor says whether the index is merged."""
    if not running.db.is_sqlite:
        _vacuum(running.db)
        return Done({"vacuumed": len(VACUUMED)})
    if not (running.cursor or {}).get("merged"):
        merged = _merge(running)
        with running.db.write() as session:
            running.checkpoint(session, cursor={"begun": True, "merged": merged})
        if not merged:
            return More()
    if not truncate(running.db):
        return Later(AGAIN_SECONDS, "somebody reads from the database's log: tried again")
    return Done({"truncated": True})


def _merge(running: Running) -> bool:
    """Merge the segments of the full-text index into one, some pages at a time; whether nothing is left to do.

    FTS5 begins a merge of all segments with a negative number of pages and goes on with positive ones; a step that
    changes fewer than two rows had nothing to do.
    """
    pages = PAGES if (running.cursor or {}).get("begun") else -PAGES
    deadline = time.monotonic() + SLICE_SECONDS
    while time.monotonic() < deadline:
        with running.db.write() as session:
            running.checkpoint(session)
            before = _changes(session.connection())
            session.execute(MERGE, {"pages": pages})
            if _changes(session.connection()) - before < 2:
                return True
        pages = PAGES
        time.sleep(BREATH_SECONDS)
    return False


def _changes(connection: Connection) -> int:
    raw: Any = connection.connection.driver_connection
    return int(raw.total_changes)


def truncate(db: Database) -> bool:
    """Write SQLite's log into the file and cut it to nothing; False where somebody still reads from it."""
    with db.reading.connect() as connection:
        try:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        except OperationalError as error:
            if is_busy(error):
                return False
            raise
    return not busy


def _vacuum(db: Database) -> None:
    with db.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in VACUUMED:
            connection.exec_driver_sql(f"VACUUM {table}")
