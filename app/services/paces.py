"""How much each person answered, how fast, and how often a manager said the same; for that person and reviewers."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Integer, case, cast, func, select
from sqlalchemy.orm import Session

from app.db import Annotation, User
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
    """Everybody who answered here, by name; an annotator sees the own line alone. O(answers), in the database.

    Answers that were taken back are none.
    """
    project, role = project_and_role(session, person, ref)
    today = moment.astimezone(zone := goal.zone_of(project)).date()
    start, end = (datetime.combine(day, time.min, zone) for day in (today, today + timedelta(days=1)))
    on_day = case(((Annotation.created_at >= start) & (Annotation.created_at < end), 1), else_=0)
    tenths = cast(func.round(Annotation.seconds_spent * 10), Integer)  # as exact as the median that is shown
    columns = (User.name, Annotation.annotator_id, tenths)
    statement = (
        select(*columns, func.count(), func.sum(on_day))
        .join(User, User.id == Annotation.annotator_id)
        .where(Annotation.project_id == project.id, answered.first_of_a_person(Annotation))
        .where(~answered.taken_back_in(project.id, Annotation))
        .group_by(*columns)
    )
    if RANK[role] < RANK["reviewer"]:
        statement = statement.where(Annotation.annotator_id == person.id)
    rows: dict[tuple[str, int], list[tuple[int, int, int]]] = defaultdict(list)
    for name, annotator, *given in session.execute(statement):
        rows[(name, annotator)].append((int(given[0]), int(given[1]), int(given[2])))
    compared = agreement.compared(session, project)
    day = today.isoformat()
    return [_pace(key, day, given, compared.get(key[1], Compared())) for key, given in sorted(rows.items())]


def _pace(key: tuple[str, int], day: str, rows: list[tuple[int, int, int]], compared: Compared) -> Pace:
    """Of tenths of a second with how many answers took so long, and how many of these were given today."""
    managers = compared.estimate("managers")
    return Pace(
        id=key[1],
        user=key[0],
        answers=sum(answers for _, answers, _ in rows),
        day=day,
        today=sum(today for _, _, today in rows),
        seconds_median=_median([(tenths, answers) for tenths, answers, _ in rows if tenths > 0]),
        agreement=managers["value"] if managers and managers["n"] >= FEWEST else None,
        compared=compared.n["managers"],
        managers=managers,
        known=compared.estimate("known"),
        colleagues=compared.estimate("colleagues"),
    )


def _median(rows: list[tuple[int, int]]) -> float | None:
    """The upper median in seconds of tenths, each so many times; None of nothing."""
    left = sum(times for _, times in rows) // 2
    for tenths, times in sorted(rows):
        if left < times:
            return tenths / 10
        left -= times
    return None
