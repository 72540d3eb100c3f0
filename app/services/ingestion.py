"""Importing items: spooled to a private file, checked, applied in short transactions, idempotent by key."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import select

from app.core.errors import AppError, Invalid
from app.core.settings import Settings
from app.db import Database, Project, RejectedRow, count_anew
from app.db.session import now
from app.formats import FORMATS, Format, ReadRow
from app.services import jobs, storing, vectors
from app.services.access import Person, project_for
from app.services.applying import (
    BATCH_ROWS,
    Import,
    Options,
    Report,
    looked_up,
    new_classes,
    pretending,
    reader_of,
    wake_the_loop,
)
from app.services.jobs import Done, JobCancelled, JobFailed, More, Running
from app.services.rows import PreparedRow, refused
from app.services.spool import spool

SLICE_SECONDS = 2.0
MANY_ROWS = 1_000  # after so many PostgreSQL looks at the tables anew
REJECTED_SHOWN = 20  # in a job's result


class RowsRejected(Invalid):
    """The import was sent with on_error=abort and holds bad rows; nothing was stored."""


def check_may_import(db: Database, person: Person, project_ref: int | str) -> None:
    """Raise Forbidden or NotFound before a byte of the body is read."""
    person.need("import")
    with db.read() as session:
        project_for(session, person, project_ref, "manager")


def import_file(
    db: Database, settings: Settings, person: Person, project_ref: int | str, path: Path, kind: Format, options: Options
) -> Report:
    """Store the rows of a spooled file.

    Rows that do not fit are rejected by name and the others are stored, or nothing is when the options say
    abort. A file that is broken as a whole stores nothing. Memory does not grow with the file.

    Raises:
        InvalidFile: the file is broken as a whole.
        RowsRejected: abort, and there are bad rows; they are listed in the answer.
        Unavailable: the disk is full.
    """
    person.need("import")
    with db.write() as session:
        project_id = project_for(session, person, project_ref, "manager").id
        moment = now(session)
    if kind.name != "jsonl" or options.abort:
        _check_whole(db, settings, project_id, path, kind, options)
    work = Import(db, settings, project_id, options, moment)
    with path.open("rb") as file:
        work.take(kind.read(file, max_line_bytes=settings.import_line_bytes), lambda: 0)
    if work.rows > work.report.rejected_count:
        wake_the_loop(db, project_id)
        _count_anew(db, work.rows)
    work.report.rejected.sort(key=lambda row: row["line"])
    return work.report


def run(running: Running) -> Done | More:
    """The job of an import sent with `async=true`, in slices of two seconds.

    Each transaction holds its rows and the cursor behind them, so a worker that is killed anywhere has
    successors that go on at the next row.
    """
    given = running.payload
    path = Path(given["path"])
    if not path.exists():
        raise JobFailed("the uploaded file is gone: send it again")
    options = Options(**given["options"])
    try:
        work = _slice(running, path, FORMATS[given["format"]], options)
    except AppError as error:
        forget(path)
        raise JobFailed(str(error)) from None
    except JobCancelled:
        forget(path)
        raise
    if work is None:
        return More()
    if work.rows > work.report.rejected_count:
        wake_the_loop(running.db, work.project_id)
        _count_anew(running.db, work.rows)
    forget(path)
    listed = rejected_rows(running.db, running.id, REJECTED_SHOWN)
    return Done(work.report.counts | {"rejected": listed})


def _slice(running: Running, path: Path, kind: Format, options: Options) -> Import | None:
    """Work for two seconds; the import when it came to its end."""
    assert running.project_id is not None
    until = time.monotonic() + SLICE_SECONDS
    limit = running.settings.import_line_bytes
    cursor = running.cursor
    if cursor is None:
        with running.db.write() as session:
            cursor = {"position": 0, "rows": 0, "line": 0, "moment": now(session).isoformat(), "counts": {}}
            running.checkpoint(session, progress={"step": "read", "done": 0})
        _prepare(running, path, kind, options)
    work = Import(
        running.db,
        running.settings,
        running.project_id,
        options,
        datetime.fromisoformat(cursor["moment"]),
        Report(**cursor["counts"]),
        running,
        cursor["rows"],
        cursor["line"],
    )
    source = path if kind.name == "jsonl" else _converted(path)
    with source.open("rb") as file:
        file.seek(cursor["position"])
        rows = _lines_from(file, cursor["line"], limit) if kind.name == "jsonl" else _read_converted(file)
        return work if work.take(rows, file.tell, until) else None


def _lines_from(file: BinaryIO, lines: int, limit: int) -> Iterator[ReadRow]:
    for row in FORMATS["jsonl"].read(file, max_line_bytes=limit):
        yield row if lines == 0 else ReadRow(row.line + lines, row.fields, row.error)


def _prepare(running: Running, path: Path, kind: Format, options: Options) -> None:
    """Look at the whole file once, and bring formats that cannot be entered in the middle into one that can."""
    assert running.project_id is not None
    if options.abort:
        _check_whole(running.db, running.settings, running.project_id, path, kind, options)
    if kind.name == "jsonl":
        return
    aside = path.with_suffix(".part")
    with path.open("rb") as source, os.fdopen(os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as to:
        for row in kind.read(source, max_line_bytes=running.settings.import_line_bytes):
            to.write(orjson.dumps([row.line, row.fields, row.error], option=orjson.OPT_APPEND_NEWLINE))
    aside.replace(_converted(path))


def _converted(path: Path) -> Path:
    return path.with_suffix(".rows")


def _read_converted(file: BinaryIO) -> Iterator[ReadRow]:
    while line := file.readline():
        yield ReadRow(*orjson.loads(line))


def forget(path: Path) -> None:
    """Delete a kept upload with what was made of it."""
    for each in (path, _converted(path), path.with_suffix(".part")):
        each.unlink(missing_ok=True)


def enqueue(
    db: Database, settings: Settings, person: Person, project_ref: int | str, path: Path, kind: Format, options: Options
) -> int:
    """Keep a spooled file and ask for its import; the job's id. The file is durable before the job is."""
    person.need("import")
    kept = path.with_suffix(".import")
    path.rename(kept)
    try:
        with kept.open("rb") as file:
            os.fsync(file.fileno())
        with db.write() as session:
            project = project_for(session, person, project_ref, "manager")
            payload = {"path": str(kept), "format": kind.name, "options": vars(options)}
            job_id = jobs.enqueue(session, "import", project.id, payload, created_by=person.id)
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    assert job_id is not None
    return job_id


def rejected_rows(db: Database, job_id: int, limit: int | None = None) -> list[dict[str, Any]]:
    """The rejected rows of an import job in the order of their lines."""
    with db.read() as session:
        rows = session.execute(
            select(RejectedRow).where(RejectedRow.job_id == job_id).order_by(RejectedRow.line).limit(limit)
        )
        return [{"line": row.line, "key": row.key, "error": row.error} for row in rows.scalars()]


def _check_whole(db: Database, settings: Settings, project_id: int, path: Path, kind: Format, options: Options) -> None:
    """Read everything once before the first row is stored: a broken file, or an aborting import, stores nothing."""
    with path.open("rb") as file:
        rows = kind.read(file, max_line_bytes=settings.import_line_bytes)
        if not options.abort:
            for _ in rows:
                pass
            return
        report = _look_at(db, settings, project_id, rows, options)
    if report.rejected_count:
        report.rejected.sort(key=lambda row: row["line"])
        first = report.rejected[0]
        raise RowsRejected(
            f"{report.rejected_count:,} rows are bad, so nothing was stored; line {first['line']}: {first['error']}",
            rejected=report.rejected,
            rejected_count=report.rejected_count,
        )


def _look_at(db: Database, settings: Settings, project_id: int, rows: Iterator[ReadRow], options: Options) -> Report:
    """Everything that would be rejected, without storing anything; keys seen so far lie in a file, not in memory."""
    report = Report()
    reader = reader_of(db, settings, project_id, options)
    with spool(settings) as (aside, _), closing(sqlite3.connect(aside, isolation_level=None)) as seen:
        seen.executescript("PRAGMA journal_mode=off; PRAGMA synchronous=off; PRAGMA locking_mode=exclusive;")
        seen.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, hash TEXT, line INTEGER) WITHOUT ROWID")
        seen.execute("BEGIN")
        batch: list[PreparedRow] = []
        with db.read() as session:
            width = vectors.width_of(session, project_id)
        for row in looked_up(rows, reader):
            if row.fields is None:
                report.reject(row.line, None, row.error or "broken")
                continue
            try:
                if options.create_classes and (fresh := new_classes(reader, row.fields)):
                    reader = pretending(reader, fresh)
                prepared = reader.prepare(row.line, row.fields)
            except AppError as error:
                report.reject(row.line, row.fields.get("key"), refused(error))
                continue
            others, width = vectors.other_widths([prepared], width)
            for line, key, reason in others:
                report.reject(line, key, reason)
            batch += [] if others else [prepared]
            if len(batch) >= BATCH_ROWS:
                _look_at_batch(db, project_id, batch, seen, options, report)
                batch = []
        _look_at_batch(db, project_id, batch, seen, options, report)
    return report


def _look_at_batch(
    db: Database, project_id: int, batch: list[PreparedRow], seen: sqlite3.Connection, options: Options, report: Report
) -> None:
    fresh = []
    for row in batch:
        content = row.content_hash if row.payload is not None else ""
        first = seen.execute("SELECT hash, line FROM seen WHERE key = ?", (row.key,)).fetchone()
        if first is None:
            seen.execute("INSERT INTO seen VALUES (?, ?, ?)", (row.key, content, row.line))
            fresh.append(row)
        elif content and first[0] != content:
            report.reject(row.line, row.key, f"the key stands on line {first[1]} too, with other content")
    with db.read() as session:
        project = session.get_one(Project, project_id)
        for line, key, error in storing.refusals(session, project, fresh, replace=options.replace):
            report.reject(line, key, error)


def _count_anew(db: Database, rows: int) -> None:
    if rows >= MANY_ROWS:
        count_anew(db)
