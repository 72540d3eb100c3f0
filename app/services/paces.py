"""How much each person answered, how fast, and how often a manager said the same; for that person and reviewers."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Annotation, Item, Project, User
from app.services import answered, goal, tasks
from app.services.access import RANK, Person, project_and_role

FEWEST = 20  # comparisons below which an agreement says nothing


@dataclass(frozen=True)
class Pace:
    """One person's answers in a project: in all, today in the project's zone, and the median of active seconds.

    `agreement` is the share of `compared` items on which the person's own answer is the one that a manager gave; None
    below 20 of them.
    """

    id: int
    user: str
    answers: int
    today: int
    day: str  # what today is in the project's zone, as 2026-11-28
    seconds_median: float | None
    agreement: float | None
    compared: int


def paces(session: Session, person: Person, ref: int | str, moment: datetime) -> list[Pace]:
    """Everybody who answered here, by name; an annotator sees the own line alone. O(answers).

    Answers that were taken back are none.
    """
    project, role = project_and_role(session, person, ref)
    only = person.id if RANK[role] < RANK["reviewer"] else None
    statement = (
        select(Annotation.annotator_id, Annotation.created_at, Annotation.seconds_spent, User.name)
        .join(User, User.id == Annotation.annotator_id)
        .where(Annotation.project_id == project.id, Annotation.version == 1, Annotation.origin == "human")
        .where(~answered.taken_back(Annotation))
    )
    if only is not None:
        statement = statement.where(Annotation.annotator_id == only)
    rows: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for row in session.execute(statement):
        rows[(row.name, row.annotator_id)].append(row)
    agreed = _agreed(session, project, only)
    return [_pace(project, key, given, agreed.get(key[1], []), moment) for key, given in sorted(rows.items())]


def _pace(project: Project, key: tuple[str, int], rows: list[Any], agreed: list[bool], moment: datetime) -> Pace:
    zone = goal.zone_of(project)
    today = moment.astimezone(zone).date()
    seconds = sorted(row.seconds_spent for row in rows if row.seconds_spent > 0)
    return Pace(
        id=key[1],
        user=key[0],
        answers=len(rows),
        day=today.isoformat(),
        today=sum(row.created_at.astimezone(zone).date() == today for row in rows),
        seconds_median=round(seconds[len(seconds) // 2], 1) if seconds else None,
        agreement=round(sum(agreed) / len(agreed), 4) if len(agreed) >= FEWEST else None,
        compared=len(agreed),
    )


def _agreed(session: Session, project: Project, only: int | None) -> dict[int, list[bool]]:
    """For each person and item with a manager's word: whether the person's own last answer was the same."""
    asked = tasks.questions(session, project)
    judged = select(Annotation.item_id).where(Annotation.project_id == project.id, Annotation.decisive)
    statement = (
        select(Annotation)
        .join(Item, (Item.id == Annotation.item_id) & (Item.revision == Annotation.item_revision))
        .where(Annotation.item_id.in_(judged), ~Annotation.retracted, Annotation.origin == "human")
        .order_by(Annotation.id)
    )
    word: dict[int, dict[str, Any]] = {}
    own: dict[tuple[int, int], dict[str, Any]] = {}
    for answer in session.execute(statement).scalars():
        label = tasks.in_force(answer.label, asked)
        if answer.decisive:
            word[answer.item_id] = label
        elif answer.annotator_id is not None and only in (None, answer.annotator_id):
            own[(answer.annotator_id, answer.item_id)] = label
    found: dict[int, list[bool]] = defaultdict(list)
    for (annotator, item), label in own.items():
        if item in word:
            found[annotator].append(tasks.distance(label, word[item], asked) == 0)
    return found
