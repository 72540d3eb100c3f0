"""What is left of a deleted project goes for good once its deletion cannot be undone: every row, then every file.

A job does it in slices of at most two seconds. Which rows belong to a project is read from the foreign keys, so a table
that is added later is purged too. The project's own row is the last: whoever resumes after a death finds it there.
"""

import contextlib
import os
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select, tuple_, update
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import Base, Database, Job, Project, WriteSession
from app.db.session import now
from app.services import audit, ingestion, jobs, search
from app.services.deleting import PURGE, SPARE_SECONDS, UNDO_DAYS, gone_at
from app.services.jobs import Done, More, Running

SLICE_SECONDS = 2.0
LOOK_SECONDS = 0.2
FIRST_ROWS, MOST_ROWS = 200, 5_000  # of a transaction: as many as take a tenth of a second or so
QUICK_SECONDS, SLOW_SECONDS = 0.05, 0.2
BREATH_SECONDS = 0.002  # between two transactions, so that people who label get their turn
FOLDERS = ("features", "media", "models", "predictions", "snapshots", "thumbnails")  # each with one a project
LAST = ("item_tallies", "search_indexes", "jobs")  # what is told of each item that goes, and what brought us here
KEPT = ("events", "projects")  # the log keeps its lines, without the project


def request_missing(db: Database) -> int:
    """Ask for the purge of every deleted project that none is asked for, as of before there was one; how many."""
    with db.write() as session:
        asked = select(Job.project_id).where(Job.kind == PURGE, Job.state.in_(("waiting", "running")))
        deleted = select(Project).where(
            Project.deleted_at.is_not(None), Project.id.not_in(asked.where(Job.project_id.is_not(None)))
        )
        found = session.execute(deleted).scalars().all()
        for project in found:
            until = gone_at(project)
            assert until is not None
            wait = max(0.0, (until - now(session)).total_seconds()) + SPARE_SECONDS
            jobs.enqueue(session, PURGE, project.id, {"project": project.id}, delay_seconds=wait)
    return len(found)


def run(running: Running) -> Done | More:
    """Work one slice; nothing happens to a project that was brought back or may be still."""
    if running.project_id is None:  # another attempt died between its last commit and the job's end
        return Done({"purged": running.payload["project"]})
    deadline = time.monotonic() + SLICE_SECONDS
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "rows"})
        project = session.get_one(Project, running.project_id)
        until = gone_at(project)
        if until is None or now(session) <= until:
            return Done({"skipped": "the project can be brought back, or was"})
        busy = _stop_others(session, running)
    if busy:
        time.sleep(LOOK_SECONDS)
        return More()
    if not _rows(running, deadline) or not _files(running, running.project_id, deadline):
        return More()
    _finish(running, running.project_id)
    return Done({"purged": running.project_id})


def left_over(db: Database, settings: Settings) -> list[str]:
    """What no project stands behind any more, or should not by now: folders of files, and overdue projects."""
    with db.read() as session:
        known = set(session.execute(select(Project.id)).scalars())
        overdue = _overdue(session, db.now())
    found = [f"project {number} was to be purged" for number in overdue]
    for folder in (settings.data / name for name in FOLDERS):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        found += [str(each) for each in inside if each.name.isdigit() and int(each.name) not in known]
    return found


def _overdue(session: Session, moment: datetime) -> list[int]:
    since = moment - timedelta(days=UNDO_DAYS, hours=1)
    return list(session.execute(select(Project.id).where(Project.deleted_at < since).order_by(Project.id)).scalars())


def _stop_others(session: WriteSession, running: Running) -> bool:
    """Cancel the project's other jobs; whether a worker is at one still."""
    moment = now(session)
    others = (Job.project_id == running.project_id, Job.id != running.id)
    session.execute(update(Job).where(*others, Job.state == "waiting").values(state="cancelled", updated_at=moment))
    session.execute(update(Job).where(*others, Job.state == "running").values(cancel_requested=True))
    alive = select(Job.id).where(*others, Job.state == "running", Job.lease_until > moment).limit(1)
    return session.execute(alive).first() is not None


def tables() -> list[Table]:
    """Every table with rows of projects that are to go, in an order in which nothing refers to what is gone."""
    found = [table for table in reversed(Base.metadata.sorted_tables) if of_project(table, 0) is not None]
    first = [table for table in found if table.name not in (*LAST, *KEPT)]
    return first + [table for table in found if table.name in LAST]


def of_project(table: Table, project_id: int) -> ColumnElement[bool] | None:
    """What holds of a table's rows that belong to a project; None for a table that has none."""
    if table.name == "projects":
        return None
    if "project_id" in table.c:
        return table.c.project_id == project_id
    for key in sorted(table.foreign_keys, key=lambda each: (each.parent.nullable, each.parent.name)):
        parent = of_project(key.column.table, project_id)
        if parent is not None:
            return key.parent.in_(select(key.column).where(parent))
    return None


def _rows(running: Running, deadline: float) -> bool:
    """Delete rows until none is left (True) or the slice is over; the cursor names the table in hand."""
    order = tables()
    names = [table.name for table in order]
    at = (running.cursor or {}).get("table")
    size = FIRST_ROWS
    for table in order[names.index(at) if at in names else 0 :]:
        while True:
            if time.monotonic() > deadline:
                return False
            began = time.monotonic()
            if not _some(running, table, size):
                break
            took = time.monotonic() - began
            if took < QUICK_SECONDS:
                size = min(2 * size, MOST_ROWS)
            elif took > SLOW_SECONDS:
                size = max(size // 2, 1)
            time.sleep(BREATH_SECONDS)
    return True


def _some(running: Running, table: Table, size: int) -> int:
    """One transaction; how many rows went."""
    assert running.project_id is not None
    where = of_project(table, running.project_id)
    assert where is not None
    if table.name == "jobs":
        where = where & (table.c.id != running.id)
    with running.db.write() as session:
        running.checkpoint(session, cursor={"table": table.name})
        key: list[Any] = list(table.primary_key.columns)
        rows = session.execute(select(*key).where(where).limit(size)).all()
        if not rows:
            return 0
        if table.name == "items":
            search.forget(session, running.project_id, [row.id for row in rows])
        if table.name == "jobs":
            _forget_uploads(session, [row.id for row in rows])
        these = (
            key[0].in_([row[0] for row in rows]) if len(key) == 1 else tuple_(*key).in_([tuple(row) for row in rows])
        )
        session.execute(delete(table).where(these))
    return len(rows)


def _forget_uploads(session: WriteSession, job_ids: list[int]) -> None:
    """Files that imports kept until a worker would take them."""
    imports = select(Job.payload).where(Job.id.in_(job_ids), Job.kind == "import")
    for payload in session.execute(imports).scalars():
        if "path" in payload:
            ingestion.forget(Path(payload["path"]))


def _files(running: Running, project_id: int, deadline: float) -> bool:
    """Delete files until none is left (True) or the slice is over."""
    running.report({"step": "files"})
    for name in FOLDERS:
        folder = running.settings.data / name / str(project_id)
        for place, _, files in os.walk(folder):
            for file in files:
                if time.monotonic() > deadline:
                    return False
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(Path(place) / file)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise OSError(f"{folder} could not be removed: look at its permissions")
    return True


def _finish(running: Running, project_id: int) -> None:
    """Take the project's row away; its lines of the log and this job stay, without a project."""
    with running.db.write() as session:
        running.checkpoint(session, progress={"step": "project"})
        audit.unlink(session, project_id)
        session.execute(update(Job).where(Job.id == running.id).values(project_id=None))
        session.execute(delete(Project).where(Project.id == project_id))
        audit.record(session, "project.purged", None, project=project_id)
