"""The cards of the projects page: a person's projects with their progress and the course of their accuracy."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Annotation, Member, Project, Round
from app.evaluation.intervals import WIDE, in_percent
from app.services import deleting, projects, tallies, tasks
from app.services.access import Person

POINTS = 30  # rounds that a sparkline shows
TASKS = {"rating": "a rating each", "comparison": "a comparison each", "transcription": "free text"}
MODALITIES = {"text": "Text", "image": "Images", "audio": "Sound", "video": "Video", "table": "Table"}


@dataclass(frozen=True)
class Card:
    """One project as the list shows it. `progress` counts labelled items, towards the goal `progress_of` if any."""

    slug: str
    name: str
    kind: str
    role: str
    state: str
    demo: bool
    total: int
    progress: int
    progress_of: int | None
    progress_words: str
    mine: int
    accuracy_words: str | None
    curve: list[float] = field(default_factory=list)


def cards(session: Session, person: Person) -> list[Card]:
    """The person's projects, newest first; four selects however many there are, archived ones left out."""
    found = [project for project in projects.listed(session, person) if project.state != "archived"]
    ids = [project.id for project in found]
    counts = _counts(session, ids)
    curves = _curves(session, ids)
    mine = _mine(session, person, ids)
    roles = _roles(session, person, ids)
    return [
        _card(
            project, counts[project.id], curves[project.id], mine.get(project.id, 0), roles.get(project.id, "manager")
        )
        for project in found
    ]


@dataclass(frozen=True)
class Shelved:
    """A project out of the list: archived, or deleted and to be brought back until a moment."""

    id: int
    slug: str
    name: str
    manager: bool
    until: datetime | None = None


def archived(session: Session, person: Person) -> list[Shelved]:
    """The person's archived projects, newest first."""
    found = [project for project in projects.listed(session, person) if project.state == "archived"]
    roles = _roles(session, person, [each.id for each in found])
    return [Shelved(each.id, each.slug, each.name, roles.get(each.id, "manager") == "manager") for each in found]


def deleted(session: Session, person: Person, moment: datetime) -> list[Shelved]:
    """Deleted projects that the person may bring back still, the last deleted first."""
    found = deleting.deleted(session, person, moment)
    return [Shelved(each.id, each.slug, each.name, True, deleting.gone_at(each)) for each in found]


def _card(
    project: Project, counts: tuple[int, int], curve: list[tuple[float, float, float]], mine: int, role: str
) -> Card:
    answered, total = counts
    goal = (project.goal or {}).get("labels")
    words = f"{answered:,} of {total:,} labelled" if goal is None else f"{answered:,} labels; the goal is {goal:,}"
    return Card(
        slug=project.slug,
        name=project.name,
        kind=f"{MODALITIES.get(project.modality, project.modality)}, {task_words(project)}",
        role=role,
        state=project.state,
        demo=project.demo,
        total=total,
        progress=answered,
        progress_of=goal,
        progress_words=words,
        mine=mine,
        accuracy_words=_accuracy_words(curve[-1]) if curve else None,
        curve=[value for value, _, _ in curve],
    )


def task_words(project: Project) -> str:
    """What is asked, in words."""
    present = [each for each in project.task["questions"] if not each.get("removed_in")]
    if present[0]["id"] != tasks.SINGLE:
        return f"a form of {len(present)} questions" if len(present) > 1 else "a form of one question"
    usual = "any number of classes" if tasks.several(project) else "one class each"
    return TASKS.get(present[0]["type"], usual)


def _accuracy_words(last: tuple[float, float, float]) -> str:
    """A number while its band is narrow, the band itself otherwise."""
    value, *ends = last
    low, high = in_percent(*ends)
    return f"{100 * value:.0f} % right" if ends[1] - ends[0] <= WIDE else f"between {low} and {high} % right"


def _counts(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Labelled items and all items of each project's pool; the client's own test set is not counted."""
    found = tallies.of_projects(session, ids)
    pool = {each: [found[each].of("open", split="pool", done=done) for done in (True, False)] for each in ids}
    return {each: (answered, answered + left) for each, (answered, left) in pool.items()}


def _curves(session: Session, ids: Sequence[int]) -> dict[int, list[tuple[float, float, float]]]:
    accuracy = Round.metrics["accuracy"]
    columns = [accuracy[name].as_float() for name in ("value", "low", "high")]
    place = func.row_number().over(partition_by=Round.project_id, order_by=Round.number.desc()).label("place")
    newest = (
        select(Round.id, place).where(Round.project_id.in_(ids), Round.state == "done", columns[0].is_not(None))
    ).subquery()
    rows = session.execute(
        select(Round.project_id, *columns)
        .join(newest, newest.c.id == Round.id)
        .where(newest.c.place <= POINTS)
        .order_by(Round.project_id, Round.number)
    ).all()
    curves: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for project_id, value, low, high in rows:
        curves[project_id].append((value, low, high))
    return curves


def _mine(session: Session, person: Person, ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(Annotation.project_id, func.count())
        .where(Annotation.project_id.in_(ids), Annotation.annotator_id == person.id)
        .group_by(Annotation.project_id)
    ).all()
    return dict(rows)


def _roles(session: Session, person: Person, ids: Sequence[int]) -> dict[int, str]:
    """Roles by project; an admin without one counts as manager."""
    rows = session.execute(
        select(Member.project_id, Member.role).where(Member.user_id == person.id, Member.project_id.in_(ids))
    ).all()
    return {project_id: "manager" if person.admin else role for project_id, role in rows}
