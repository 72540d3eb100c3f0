"""The questions of a project as the pages' scripts read them."""

from typing import Any

from sqlalchemy.orm import Session

from app.api.classes import class_out
from app.db import Project
from app.services import tasks


def question_views(session: Session, project: Project) -> list[dict[str, Any]]:
    """Each question with its classes that may be chosen, in the order in which people see them."""
    classes = tasks.classes_of(session, project.id, retired=False)
    return [
        {
            "id": each.id,
            "type": each.type,
            "title": each.title or ("" if each.id == tasks.SINGLE else each.id),
            "description": each.description,
            "required": each.required,
            "drives": each.drives,
            "options": dict(each.options),
            "show_if": each.show_if,
            "classes": [class_out(row).model_dump() for row in classes if row.question == each.id],
        }
        for each in tasks.questions(session, project)
    ]
