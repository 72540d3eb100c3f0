"""The rows of one import on their way into the tables: read, prepared, stored in short transactions.

The one place in the services that commits by itself: a million rows are two thousand short transactions, so that
people who label meanwhile do not wait. Each ends whole; the same file sent again goes on where the first one stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from app.core.errors import AppError, Invalid, Unavailable
from app.core.settings import Settings
from app.core.text import check_text, fold
from app.db import Database, Project, RejectedRow
from app.db.session import is_full, now
from app.formats import ReadRow
from app.services import buckets, classes, fetches, jobs, media, rounds, search, storing, tasks
from app.services.jobs import Running
from app.services.rows import PreparedRow, Reader, parse_mapping, refused
from app.task_types.base import ClassRef, Question

BATCH_ROWS = 500
LISTED = 1_000  # rejected rows in an answer; all of them are in the job's rejected.csv
NET_SECONDS = 120.0  # after which the vectors of an import are made even if its process died
BREATH_SECONDS = 0.0005  # between two transactions, so that other threads of the process get their turn
KEY_SHOWN = 200


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

    def reject(self, line: int, key: Any, error: str) -> dict[str, Any]:
        """Count a bad row and name it, up to a thousand of them."""
        self.rejected_count += 1
        shown = key if isinstance(key, str) and len(key) <= KEY_SHOWN else None
        row = {"line": line, "key": shown, "error": error}
        if len(self.rejected) < LISTED:
            self.rejected.append(row)
        return row

    @property
    def counts(self) -> dict[str, int]:
        names = ("created", "updated", "unchanged", "rejected_count")
        return {name: getattr(self, name) for name in names}


@dataclass
class Import:
    """One import in hand. `moment` marks every row that it writes, also over several slices of a job."""

    db: Database
    settings: Settings
    project_id: int
    options: Options
    moment: datetime
    report: Report = field(default_factory=Report)
    running: Running | None = None
    rows: int = 0  # read so far, good and bad
    line: int = 0  # of the last one
    batch: list[PreparedRow] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)

    def take(self, rows: Iterable[ReadRow], position: Callable[[], int], deadline: float | None = None) -> bool:
        """Store rows as they come; True at their end, False where the deadline (monotonic seconds) came first.

        `position` tells where in the file the row behind the last one begins; a job's cursor keeps it.

        Raises:
            Unavailable: the disk is full; what was stored before is whole.
        """
        reader = reader_of(self.db, self.settings, self.project_id, self.options)
        coming = iter(rows)
        while some := list(islice(coming, BATCH_ROWS)):
            reader.expect(row.fields for row in some if row.fields is not None)
            for row in some:
                self.rows, self.line = self.rows + 1, row.line
                reader = self._one(reader, row)
            self._flush(position())
            if deadline is not None and time.monotonic() > deadline and len(some) == BATCH_ROWS:
                return False
        return True

    def _one(self, reader: Reader, row: ReadRow) -> Reader:
        if row.fields is None:
            self.bad.append(self.report.reject(row.line, None, row.error or "broken"))
            return reader
        try:
            if self.options.create_classes and (fresh := new_classes(reader, row.fields)):
                reader = replace(reader, asked=_with_classes(self.db, self.project_id, fresh))
            self.batch.append(reader.prepare(row.line, row.fields))
        except AppError as error:
            self.bad.append(self.report.reject(row.line, row.fields.get("key"), refused(error)))
        return reader

    def _flush(self, position: int) -> None:
        if not self.batch and not self.bad:
            return
        try:
            outcome = self._store(position)
        except OperationalError as error:
            if not is_full(error):
                raise
            stored = self.report.created + self.report.updated
            raise Unavailable(
                f"the server's disk is full: {stored:,} rows are stored whole; send the file again when there is room"
            ) from None
        self.report.created += outcome.created
        self.report.updated += outcome.updated
        self.report.unchanged += outcome.unchanged
        self.batch, self.bad = [], []
        time.sleep(BREATH_SECONDS)

    def _store(self, position: int) -> storing.Outcome:
        first = self.report.created + self.report.updated + self.report.unchanged == 0
        with self.db.write() as session:
            project = session.get_one(Project, self.project_id)
            outcome = storing.store(session, project, self.batch, replace=self.options.replace, moment=self.moment)
            refusals = [self.report.reject(line, key, error) for line, key, error in outcome.refused]
            if first and self.batch:
                jobs.enqueue(session, "featurize", self.project_id, delay_seconds=NET_SECONDS)
                search.request(session, self.project_id, delay_seconds=NET_SECONDS)
            if self.running is not None:
                self._checkpoint(session, outcome, self.bad + refusals, position)
        return outcome

    def _checkpoint(self, session: Any, outcome: storing.Outcome, bad: list[dict[str, Any]], position: int) -> None:
        assert self.running is not None
        if bad:
            session.execute(insert(RejectedRow), [{"job_id": self.running.id, **each} for each in bad])
        counts = self.report.counts
        for name in ("created", "updated", "unchanged"):
            counts[name] += getattr(outcome, name)
        cursor = {"position": position, "rows": self.rows, "line": self.line, "counts": counts}
        cursor["moment"] = self.moment.isoformat()
        self.running.checkpoint(session, cursor=cursor, progress={"step": "import", "done": self.rows})


def reader_of(db: Database, settings: Settings, project_id: int, options: Options) -> Reader:
    """The reader of a project's rows, with its classes as they are now."""
    with db.read() as session:
        project = session.get_one(Project, project_id)
        asked = tasks.questions(session, project)
        modality = project.modality
        granted = buckets.granted(session, settings, project_id)
    known = media.KnownFiles(project_id, modality)

    def look_up(given: list[Any]) -> None:
        with db.read() as session:
            known.look_up(session, given)

    def file_of(given: Any) -> dict[str, Any]:
        return fetches.waiting(granted, given) if fetches.is_address(given) else known.payload(given)

    return Reader(modality, asked, settings, options.mapping, file_of, look_up)


def looked_up(rows: Iterable[ReadRow], reader: Reader) -> Iterator[ReadRow]:
    """The same rows, after the reader has looked up the files that each batch of them names."""
    coming = iter(rows)
    while some := list(islice(coming, BATCH_ROWS)):
        reader.expect(row.fields for row in some if row.fields is not None)
        yield from some


def new_classes(reader: Reader, fields: dict[str, Any]) -> list[tuple[str, str]]:
    """The classes that a row names and nobody knows yet, each with its question."""
    known = {each.id: each.aliases for each in reader.asked}
    return [(question, name) for question, name in reader.classes_named(fields) if fold(name) not in known[question]]


def pretending(reader: Reader, fresh: list[tuple[str, str]]) -> Reader:
    """A reader that knows further classes, for looking at rows before anything is stored."""
    asked = list(reader.asked)
    for name_of, name in fresh:
        place = next(place for place, each in enumerate(asked) if each.id == name_of)
        question = asked[place]
        ref = ClassRef(-len(question.classes) - 1, check_text(name, what="class", limit=200))
        aliases = {**question.aliases, fold(name): ref.id}
        asked[place] = replace(question, classes=(*question.classes, ref), aliases=aliases)
    return replace(reader, asked=tuple(asked))


def _with_classes(db: Database, project_id: int, fresh: list[tuple[str, str]]) -> tuple[Question, ...]:
    """Create classes that a row names and nobody knew; the questions that know them."""
    with db.write() as session:
        project = session.get_one(Project, project_id)
        for name_of, name in fresh:
            question = next(each for each in tasks.questions(session, project) if each.id == name_of)
            if fold(name) not in question.aliases:
                classes.new(session, project, {"name": name}, question.id)
        return tasks.questions(session, project)


def wake_the_loop(db: Database, project_id: int) -> None:
    """Ask for the vectors of new items now, and for a round where one is due by now."""
    with db.write() as session:
        project = session.get_one(Project, project_id)
        moment = now(session)
        jobs.at_once(session, "featurize", project_id)
        jobs.at_once(session, "index", project_id)
        fetches.request(session, project_id)
        rounds.request_if_due(session, project.id, project.state, project.round_size, moment)
