"""The questions of a project as the pages' scripts read them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.api.classes import class_out
from app.db import Project
from app.services import tasks
from app.task_types import Question


def task_view(session: Session, project: Project) -> dict[str, Any]:
    """What is asked about an item: one question, or a form of several."""
    form = tasks.is_form(tasks.questions(session, project))
    return {"form": form, "questions": question_views(session, project)}


def class_views(session: Session, project: Project) -> list[dict[str, Any]]:
    """All classes of a project, retired ones too: stored answers may hold them."""
    return [class_out(each).model_dump() for each in tasks.classes_of(session, project.id)]


def question_views(session: Session, project: Project) -> list[dict[str, Any]]:
    """Each question with its classes that may be chosen, in the order in which people see them."""
    classes = tasks.classes_of(session, project.id, retired=False)
    asked = tasks.questions(session, project)
    return [
        {
            "id": each.id,
            "type": each.type,
            "title": each.title or ("" if each.id == tasks.SINGLE else each.id),
            "description": each.description,
            "required": each.required,
            "drives": each.drives,
            "options": dict(each.options),
            "show_if": {name: _with_merged(asked, name, numbers) for name, numbers in each.show_if.items()},
            "classes": [class_out(row).model_dump() for row in classes if row.question == each.id],
        }
        for each in asked
        if not each.removed
    ]


def _with_merged(asked: Sequence[Question], name: str, numbers: Sequence[int]) -> list[int]:
    """The classes of a condition as they are read now."""
    merged = next((each.merged for each in asked if each.id == name), {})
    return [merged.get(number, number) for number in numbers]
