"""The feed of answers: every answer, change and retraction once, in an order that a reader never has to look back in.

`seq` is the id of the stored version. On SQLite one writer at a time gives ids, so they are in commit order. On
PostgreSQL an id is given when the row is inserted, but the row is seen when its transaction commits: one that began
earlier may appear behind one that was read already, and a reader who goes on from the highest id that he saw would
never get it. So the feed ends below what is still being written:

1. The highest id that is seen is noted.
2. Transactions that hold the lock of a writer on `annotations` are noted. PostgreSQL takes that lock before the
   statement asks for an id, and lets go of it after the commit is seen by others. So whoever has been given a lower
   id and is not seen yet is among them; whoever comes later gets a higher id.
3. When these few transactions have ended, nothing can appear at or below the noted id any more: it is served.

Writers are not slowed down by this and know nothing of it; readers wait for some milliseconds, during an import for
one of its transactions. It does not matter how many processes write. A transaction that hangs holds the feed at the
place that was reached, and the feed goes on when it ends. Versions of one answer stand in the order in which they
were made, as a later one is only inserted once the former is seen.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.orm import Session, aliased

from app.core.errors import Invalid
from app.db import Annotation, Database, Project
from app.services import answered, answers
from app.services.access import Person, project_and_role
from app.services.answers import StoredAnnotation

LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 5.0  # how long a page waits for the writers of the moment
NEWEST = text("SELECT coalesce(max(id), 0) FROM annotations")
NEWEST_OF_PROJECT = text("SELECT coalesce(max(id), 0) FROM annotations WHERE project_id = :project")
WRITERS = text("""
    SELECT DISTINCT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'annotations'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


@dataclass(frozen=True)
class Change:
    """One step of an answer's life: `created`, `replaced` by another label or `retracted` with the label it had.

    `answer` is the same for all versions of one answer.
    """

    seq: int
    action: str
    answer: str
    annotation: StoredAnnotation


@dataclass(frozen=True)
class Page:
    """Changes in order, and the seq that the next page comes behind: also past changes that a filter left out."""

    changes: list[Change]
    next: int
    project_id: int


@dataclass(frozen=True)
class Wanted:
    """Which changes: of one annotator by name, of answers that name a class or named it just before; None for all."""

    annotator: str | None = None
    class_name: str | None = None


async def settled(db: Database) -> int:
    """The highest id up to which every answer is seen that ever will be; holds no thread while it waits.

    After PATIENCE_SECONDS of one transaction's writing it is what this process found before.
    """
    newest, writers = await db.look_up(_newest_and_writers)
    end = time.monotonic() + PATIENCE_SECONDS
    while writers and newest > db.settled and time.monotonic() < end:
        await asyncio.sleep(LOOK_SECONDS)
        writers &= await db.look_up(_writers)
    if not writers:
        db.settled = max(db.settled, newest)
    return db.settled


async def newest(db: Database, project_id: int) -> int:
    """The highest id of a project that is seen, settled or not; one look at an index."""

    def look(session: Session) -> int:
        return int(session.execute(NEWEST_OF_PROJECT, {"project": project_id}).scalar_one())

    return await db.look_up(look)


def page(session: Session, person: Person, ref: int | str, after: int, to: int, limit: int, wanted: Wanted) -> Page:
    """At most `limit` changes behind `after` and up to the settled id `to`; for reviewers and managers.

    O(limit) rows of an index; with a filter it passes over those left out. How an item was chosen (`kind`) is told to
    managers only.

    Raises:
        Invalid: `after` lies beyond the feed's end, or the annotator or class is unknown.
    """
    project, role = project_and_role(session, person, ref, "reviewer")
    if after > to:
        _check_not_beyond(session, after)
    statement = answers.select_shown().where(
        Annotation.project_id == project.id,
        Annotation.id > after,
        Annotation.id <= to,
        *_conditions(session, project, wanted),
    )
    rows = session.execute(statement.order_by(Annotation.id).limit(limit)).all()
    changes = [_change(session, row, kinds=role == "manager") for row in rows]
    end = changes[-1].seq if len(changes) == limit else max(after, to)
    return Page(changes, end, project.id)


def _newest_and_writers(session: Session) -> tuple[int, set[str]]:
    """In this order: a writer who ends in between is seen by the page, which is read later."""
    newest: int = session.execute(NEWEST).scalar_one()
    return newest, _writers(session)


def _writers(session: Session) -> set[str]:
    if session.get_bind().dialect.name == "sqlite":
        return set()
    return set(session.execute(WRITERS).scalars())


def _check_not_beyond(session: Session, after: int) -> None:
    """A reader that is further than the database would wait for ever: its seq comes from before a restore."""
    last: int = session.execute(NEWEST).scalar_one()
    if after > last:
        raise Invalid(
            f"after is {after:,}, but the newest seq here is {last:,}: read again from 0 if the server was restored",
            fields={"after": "beyond the end"},
        )


def _conditions(session: Session, project: Project, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = []
    if wanted.annotator is not None:
        found.append(answered.given_by(session, project, wanted.annotator))
    if wanted.class_name is not None:
        numbers = answered.class_numbers(session, project, wanted.class_name, field="class")
        before = aliased(Annotation)
        named_before = select(before.id).where(
            before.answer_id == Annotation.answer_id,
            before.version == Annotation.version - 1,
            answered.names_class(project, before.label, numbers),
        )
        found.append(or_(answered.names_class(project, Annotation.label, numbers), named_before.exists()))
    return found


def _change(session: Session, row: Any, *, kinds: bool) -> Change:
    stored: Annotation = row.Annotation
    shown = answers.of_row(session, row)
    action = "retracted" if stored.retracted else "created" if stored.version == 1 else "replaced"
    return Change(stored.id, action, str(stored.answer_id), shown if kinds else replace(shown, kind=None))
