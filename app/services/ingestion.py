"""Importing items: spooled, checked, applied in short transactions, idempotent by key.

The one service that commits by itself: a million rows are two thousand short transactions, so that people who
label meanwhile do not wait. Each ends whole; the same file sent again continues where the first one stopped.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from sqlalchemy import select

from app.core.errors import AppError, Invalid, TooLarge, Unavailable
from app.core.settings import Settings
from app.core.text import fold
from app.db import Database, Project, RejectedRow
from app.db.session import now
from app.formats import FORMATS, Format
from app.services import items, jobs, media, projects, rounds, tasks
from app.services.access import Person, project_for
from app.services.jobs import Done, JobFailed, More, Running
from app.services.rows import PreparedRow, Reader, class_names, parse_mapping, refused

BATCH_ROWS = 500
LISTED = 1_000  # rejected rows in an answer; all of them are in the job's rejected.csv
FREE_BYTES = 64_000_000  # of the disk, below which an import is refused


@dataclass(frozen=True)
class Options:
    """How an import is to be read."""

    mapping: dict[str, str] = field(default_factory=dict)
    create_classes: bool = False
    abort: bool = False  # on_error=abort: nothing is stored when one row is bad
    replace: bool = False  # on_change=replace: new content of an answered item is a new revision

    @staticmethod
    def parse(text: str | None, create_classes: bool, on_error: str, on_change: str) -> "Options":
        """Read the query parameters; raises Invalid."""
        if on_error not in ("reject_row", "abort"):
            raise Invalid("on_error is reject_row or abort", fields={"on_error": on_error[:50]})
        if on_change not in ("reject", "replace"):
            raise Invalid("on_change is reject or replace", fields={"on_change": on_change[:50]})
        return Options(parse_mapping(text), create_classes, on_error == "abort", on_change == "replace")


@dataclass
class Report:
    """What became of the rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected_count: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, line: int, key: Any, error: str) -> None:
        """Count a bad row and name it, up to a thousand of them."""
        self.rejected_count += 1
        if len(self.rejected) < LISTED:
            shown = key if isinstance(key, str) and len(key) <= 200 else None
            self.rejected.append({"line": line, "key": shown, "error": error})


class RowsRejected(Invalid):
    """The import was sent with on_error=abort and holds bad rows; nothing was stored."""


@contextmanager
def spool(settings: Settings) -> Iterator[tuple[Path, BinaryIO]]:
    """A private file for a body while it is read; gone afterwards unless it was renamed."""
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid4().hex}.body"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def check_room(settings: Settings, size: int) -> None:
    """Raise TooLarge for a body over the quota, Unavailable where the disk has no room for it."""
    if size > settings.import_body_bytes:
        raise TooLarge(f"the body has more than {settings.import_body_bytes:,} bytes")
    free = os.statvfs(settings.data)
    if free.f_bavail * free.f_frsize < FREE_BYTES:
        raise Unavailable("the server's disk is full: nothing of this import was stored")


def import_file(
    db: Database,
    settings: Settings,
    person: Person,
    project_ref: int | str,
    path: Path,
    kind: Format,
    options: Options,
    running: Running | None = None,
) -> Report:
    """Store the rows of a spooled file.

    Rows that do not fit are rejected by name and the others are stored, or nothing is when the options say
    abort. A file that is broken as a whole stores nothing. Memory does not grow with the file.

    Raises:
        InvalidFile: the file is broken as a whole.
        RowsRejected: abort, and there are bad rows; they are listed in the answer.
    """
    person.need("import")
    with db.write() as session:
        project = project_for(session, person, project_ref, "manager")
        moment = now(session)
        project_id = project.id
    if kind.name != "jsonl" or options.abort:
        _check_whole(db, settings, project_id, path, kind, options)
    report = Report()
    batch: list[PreparedRow] = []
    done = 0
    with path.open("rb") as file:
        reader = _reader(db, settings, project_id, options)
        for row in kind.read(file, max_line_bytes=settings.import_line_bytes):
            done += 1
            if row.fields is None:
                report.reject(row.line, None, row.error or "broken")
                continue
            try:
                if options.create_classes and _has_new_class(reader, row.fields, options):
                    reader = _with_classes(db, settings, project_id, row.fields, options)
                batch.append(reader.prepare(row.line, row.fields))
            except AppError as error:
                report.reject(row.line, row.fields.get("key"), refused(error))
            if len(batch) >= BATCH_ROWS:
                _apply(db, project_id, batch, options, report, moment, running, done)
                batch = []
        _apply(db, project_id, batch, options, report, moment, running, done)
    report.rejected.sort(key=lambda each: each["line"])
    if report.created or report.updated:
        wake_the_loop(db, project_id)
    return report


def run(running: Running) -> Done | More:
    """The job of an import sent with `async=true`: run again after a crash, it finds its rows unchanged."""
    given = running.payload
    path = Path(given["path"])
    if not path.exists():
        raise JobFailed("the uploaded file is gone: send it again")
    person = Person(given["person"]["id"], given["person"]["name"], given["person"]["admin"])
    options = Options(**given["options"])
    assert running.project_id is not None
    try:
        report = import_file(
            running.db, running.settings, person, running.project_id, path, FORMATS[given["format"]], options, running
        )
    except AppError as error:
        path.unlink(missing_ok=True)
        raise JobFailed(str(error)) from None
    with running.db.write() as session:
        running.checkpoint(session)
        for each in report.rejected:
            session.merge(RejectedRow(job_id=running.id, **each))
    path.unlink(missing_ok=True)
    counts = {name: getattr(report, name) for name in ("created", "updated", "unchanged", "rejected_count")}
    return Done(counts | {"rejected": report.rejected[:20]})


def enqueue(
    db: Database, settings: Settings, person: Person, project_ref: int | str, path: Path, kind: Format, options: Options
) -> int:
    """Keep a spooled file and ask for its import; the job's id. The file is durable before the job is."""
    person.need("import")
    kept = path.with_suffix(".import")
    path.rename(kept)
    try:
        with db.write() as session:
            project = project_for(session, person, project_ref, "manager")
            payload = {
                "path": str(kept),
                "format": kind.name,
                "person": {"id": person.id, "name": person.name, "admin": person.admin},
                "options": vars(options),
            }
            job_id = jobs.enqueue(session, "import", project.id, payload, created_by=person.id)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    assert job_id is not None
    return job_id


def _check_whole(db: Database, settings: Settings, project_id: int, path: Path, kind: Format, options: Options) -> None:
    """Read everything once before the first row is stored: a broken file, or an aborting import, stores nothing."""
    report = Report()
    reader = _reader(db, settings, project_id, options)
    with path.open("rb") as file:
        for row in kind.read(file, max_line_bytes=settings.import_line_bytes):
            if not options.abort:
                continue
            if row.fields is None:
                report.reject(row.line, None, row.error or "broken")
                continue
            try:
                if not (options.create_classes and _has_new_class(reader, row.fields, options)):
                    reader.prepare(row.line, row.fields)
            except AppError as error:
                report.reject(row.line, row.fields.get("key"), refused(error))
    if options.abort and report.rejected_count:
        first = report.rejected[0]
        raise RowsRejected(
            f"{report.rejected_count:,} rows are bad, so nothing was stored; line {first['line']}: {first['error']}",
            rejected=report.rejected,
            rejected_count=report.rejected_count,
        )


def _reader(db: Database, settings: Settings, project_id: int, options: Options) -> Reader:
    with db.read() as session:
        project = session.get_one(Project, project_id)
        question = tasks.driving(tasks.questions(session, project))
        modality = project.modality

    def file_of(given: Any) -> dict[str, Any]:
        with db.read() as session:
            return media.payload(media.find(session, project_id, given))

    return Reader(modality, question, settings, options.mapping, file_of)


def _has_new_class(reader: Reader, fields: dict[str, Any], options: Options) -> bool:
    return any(fold(name) not in reader.question.aliases for name in class_names(fields, options.mapping))


def _with_classes(
    db: Database, settings: Settings, project_id: int, fields: dict[str, Any], options: Options
) -> Reader:
    """Create the classes that a row names and nobody knows yet; the reader that knows them."""
    with db.write() as session:
        project = session.get_one(Project, project_id)
        for name in class_names(fields, options.mapping):
            if fold(name) not in tasks.driving(tasks.questions(session, project)).aliases:
                projects.new_class(session, project, {"name": name})
    return _reader(db, settings, project_id, options)


def _apply(
    db: Database,
    project_id: int,
    batch: list[PreparedRow],
    options: Options,
    report: Report,
    moment: datetime,
    running: Running | None,
    done: int,
) -> None:
    if not batch:
        return
    with db.write() as session:
        if running is not None:
            running.checkpoint(session, progress={"step": "import", "done": done})
        project = session.get_one(Project, project_id)
        outcome = items.store(session, project, batch, replace=options.replace, moment=moment)
    report.created += outcome.created
    report.updated += outcome.updated
    report.unchanged += outcome.unchanged
    for line, key, error in outcome.refused:
        report.reject(line, key, error)


def wake_the_loop(db: Database, project_id: int) -> None:
    """Ask for the vectors of new items, and for a round where one is due by now."""
    with db.write() as session:
        project = session.get_one(Project, project_id)
        jobs.enqueue(session, "featurize", project_id)
        rounds.request_if_due(session, project, now(session))


def rejected_rows(db: Database, job_id: int) -> list[dict[str, Any]]:
    """The rejected rows of a finished import job."""
    with db.read() as session:
        rows = session.execute(select(RejectedRow).where(RejectedRow.job_id == job_id).order_by(RejectedRow.line))
        return [{"line": row.line, "key": row.key, "error": row.error} for row in rows.scalars()]
