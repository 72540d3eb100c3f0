"""Guidelines version by version: who wrote each and when, and what a version changed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db import Guidelines, Project, User, WriteSession
from app.services.access import Person, project_for

CONTEXT_LINES = 2  # unchanged lines shown around a change


@dataclass(frozen=True)
class Version:
    """One version with its author's name, where it is known."""

    version: int
    author: str | None
    created_at: datetime
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a comparison: `kind` is `same`, `added`, `removed` or `gap`, for unchanged lines that are left out."""

    kind: str
    text: str


def begin(session: WriteSession, project: Project, user_id: int | None) -> None:
    """Keep the version that a project begins with."""
    session.add(_row(project, project.guidelines, user_id, project.created_at))


def change(session: WriteSession, project: Project, text: str, user_id: int, moment: datetime) -> None:
    """Keep a new version, and the one before it where a project of earlier times has none yet."""
    if session.get(Guidelines, (project.id, project.guidelines_version)) is None:
        session.add(_row(project, project.guidelines, None, project.created_at))
    project.guidelines_version += 1
    session.add(_row(project, text, user_id, moment))


def listed(session: Session, person: Person, ref: int | str) -> Sequence[Version]:
    """All versions, newest first, for reviewers and managers."""
    project = project_for(session, person, ref, "reviewer")
    rows = session.execute(
        select(Guidelines, User.name)
        .outerjoin(User, User.id == Guidelines.user_id)
        .where(Guidelines.project_id == project.id)
        .order_by(Guidelines.version.desc())
    ).all()
    kept = [Version(row.version, name, row.created_at, row.text) for row, name in rows]
    return kept or [Version(project.guidelines_version, None, project.created_at, project.guidelines)]


def compared(session: Session, person: Person, ref: int | str, number: int, against: int) -> list[Line]:
    """What changed from version `against` (0: nothing at all) to version `number`, line by line.

    Raises:
        NotFound: one of the two was never written.
    """
    texts = {each.version: each.text for each in listed(session, person, ref)} | {0: ""}
    for each in (number, against):
        if each not in texts:
            raise NotFound(f"there is no version {each} of the guidelines")
    before, after = texts[against].splitlines(), texts[number].splitlines()
    found: list[Line] = []
    for line in difflib.unified_diff(before, after, n=CONTEXT_LINES, lineterm=""):
        if line.startswith("@@"):
            found.append(Line("gap", ""))
        elif not line.startswith(("---", "+++")) or found:  # the two lines of the head come before the first gap
            found.append(Line({"+": "added", "-": "removed", " ": "same"}[line[0]], line[1:]))
    return found


def _row(project: Project, text: str, user_id: int | None, moment: datetime) -> Guidelines:
    return Guidelines(
        project_id=project.id, version=project.guidelines_version, text=text, user_id=user_id, created_at=moment
    )
