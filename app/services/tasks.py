"""A project's questions, and labels between the API's form and the stored one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import InvalidLabel
from app.db import Project, ProjectClass
from app.task_types import TASK_TYPES
from app.task_types.base import ClassRef, Question

SINGLE = "label"  # the id of the question of a task that is no form


def classes_of(session: Session, project_id: int, *, retired: bool = True) -> Sequence[ProjectClass]:
    """A project's classes in the order in which people see them."""
    statement = select(ProjectClass).where(ProjectClass.project_id == project_id)
    if not retired:
        statement = statement.where(~ProjectClass.retired)
    return session.execute(statement.order_by(ProjectClass.position, ProjectClass.number)).scalars().all()


def questions(session: Session, project: Project) -> tuple[Question, ...]:
    """The questions of a project with their classes."""
    return questions_at(session, project.id, project.version, project.updated_at)


def questions_at(session: Session, project_id: int, version: int, updated_at: datetime) -> tuple[Question, ...]:
    """The questions of a project as of one change of it.

    Every change of settings or classes moves both version and moment, so what is remembered is never old, and a
    change that was rolled back is never found again.
    """
    remembered: dict[int, tuple[tuple[int, datetime], tuple[Question, ...]]] = session.info["questions"]
    found = remembered.get(project_id)
    if found is None or found[0] != (version, updated_at):
        project = session.get_one(Project, project_id)
        classes = classes_of(session, project_id)
        found = (version, updated_at), tuple(_question(spec, classes) for spec in project.task["questions"])
        remembered[project_id] = found
    return found[1]


def driving(asked: Sequence[Question]) -> Question:
    """The one question that drives the queue."""
    return asked[0]


def check_label(label: Any, asked: Sequence[Question]) -> dict[str, Any]:
    """The stored form, by question id, of a label in the API's form. Raises InvalidLabel."""
    if len(asked) == 1:
        return {asked[0].id: TASK_TYPES[asked[0].type].check(label, asked[0])}
    fields = label.get("fields") if isinstance(label, dict) else None
    if not isinstance(fields, dict):
        raise InvalidLabel('the label is {"fields": {...}} with one entry a question')
    return {each.id: TASK_TYPES[each.type].check(fields.get(each.id), each) for each in asked}


def show_label(stored: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """The API's form of a stored label, with the present class names."""
    if len(asked) == 1:
        return TASK_TYPES[asked[0].type].show(stored.get(asked[0].id, {}), asked[0])
    return {"fields": {each.id: TASK_TYPES[each.type].show(stored.get(each.id, {}), each) for each in asked}}


def in_force(stored: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """A stored label as it is read now, with merged classes replaced by those that took them in."""
    if not any(each.merged for each in asked):
        return stored
    return {each.id: TASK_TYPES[each.type].in_force(stored.get(each.id, {}), each) for each in asked}


def meaning(question: Question, number: int) -> list[int]:
    """The ids of the classes that are read as one class: its own, and those merged into it."""
    return [number, *(source for source, target in question.merged.items() if target == number)]


def opinion(question: Question, class_ids: Sequence[int], probabilities: Sequence[float]) -> list[tuple[float, int]]:
    """A model's probabilities with their classes in force, most probable first.

    A round that began before a merge knows the merged classes still: their shares are added; where an item may have
    several classes, the greatest one stands for all.
    """
    if not question.merged:
        return sorted(zip(probabilities, class_ids, strict=False), reverse=True)
    found: dict[int, float] = {}
    several = bool(question.options.get("multiple"))
    for share, number in zip(probabilities, class_ids, strict=False):
        target = question.merged.get(number, number)
        found[target] = max(found.get(target, 0.0), share) if several else found.get(target, 0.0) + share
    return sorted(((share, number) for number, share in found.items()), reverse=True)


def _question(spec: dict[str, Any], classes: Sequence[ProjectClass]) -> Question:
    own = [each for each in classes if each.question == spec["id"]]
    merged = _merged(own)
    aliases = {alias: merged.get(each.number, each.number) for each in own for alias in each.aliases}
    aliases |= {each.folded_name: merged.get(each.number, each.number) for each in own}
    refs = tuple(ClassRef(each.number, each.name, each.retired) for each in own)
    return Question(spec["id"], spec["type"], spec.get("options", {}), refs, aliases, merged)


def _merged(classes: Sequence[ProjectClass]) -> dict[int, int]:
    """Each merged class with the one at the end of its way: what was merged into a merged class goes along."""
    into = {each.number: each.merged_into for each in classes if each.merged_into is not None}
    found = {}
    for number, target in into.items():
        while target in into:  # a class that is merged is never merged into: there are no circles
            target = into[target]
        found[number] = target
    return found
