"""How much each person answered, how fast, and how often a manager said the same; for that person and reviewers."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Annotation, Project, User
from app.services import agreement, answered, goal
from app.services.access import RANK, Person, project_and_role
from app.services.agreement import Compared

FEWEST = 20  # comparisons below which an agreement says nothing


@dataclass(frozen=True)
class Pace:
    """One person's answers in a project: in all, today in the project's zone, and the median of active seconds.

    `agreement` is the share of `compared` items on which the person's own answer is the one that a manager gave; None
    below 20 of them. `managers`, `known` (labels that were imported) and `colleagues` are such shares with a 95 %
    interval and n, see `agreement`; None without a comparison.
    """

    id: int
    user: str
    answers: int
    today: int
    day: str  # what today is in the project's zone, as 2026-11-28
    seconds_median: float | None
    agreement: float | None
    compared: int
    managers: dict[str, Any] | None
    known: dict[str, Any] | None
    colleagues: dict[str, Any] | None


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
    compared = agreement.compared(session, project)
    return [_pace(project, key, given, compared.get(key[1], Compared()), moment) for key, given in sorted(rows.items())]


def _pace(project: Project, key: tuple[str, int], rows: list[Any], compared: Compared, moment: datetime) -> Pace:
    zone = goal.zone_of(project)
    today = moment.astimezone(zone).date()
    managers = compared.estimate("managers")
    seconds = sorted(row.seconds_spent for row in rows if row.seconds_spent > 0)
    return Pace(
        id=key[1],
        user=key[0],
        answers=len(rows),
        day=today.isoformat(),
        today=sum(row.created_at.astimezone(zone).date() == today for row in rows),
        seconds_median=round(seconds[len(seconds) // 2], 1) if seconds else None,
        agreement=managers["value"] if managers and managers["n"] >= FEWEST else None,
        compared=compared.n["managers"],
        managers=managers,
        known=compared.estimate("known"),
        colleagues=compared.estimate("colleagues"),
    )
