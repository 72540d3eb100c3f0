"""Changing the questions of a running project: what may change, and whether earlier answers still say everything.

Widening (an optional question more, another title, a question that may be left out from now on) keeps the version of
the task. Narrowing (a question that has to be answered, a removed one, another condition) makes a new one. No answer is
touched: what a removed question was answered with stays readable, and a lease or an offline page of an earlier version
may answer as it was asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from app.core.errors import Conflict, Invalid
from app.db import Project, ProjectClass, WriteSession
from app.services import rounds
from app.task_types.parsing import FORM, SINGLE, fields_of, parse_fields

KEPT = ("type", "options")  # what a question is: another one is another question


def check_modality(task: Mapping[str, Any], modality: str) -> None:
    """Raise Invalid for a comparison of anything but texts."""
    if modality != "text" and any(each["type"] == "comparison" for each in task["questions"]):
        raise Invalid("a comparison is of texts: choose the modality text", fields={"modality": modality})


def change(session: WriteSession, project: Project, given: Any) -> None:
    """Bring a form to what is given, field by field; the order of the fields is the order in which they are asked.

    Raises:
        Invalid: the task is no form, or a field is not allowed; it is named.
        Conflict: the project's task is a single question, or a field is another kind of question than before.
    """
    before = project.task["questions"]
    if before[0]["id"] == SINGLE:
        raise Conflict("the task of this project is one question, which stays: make a project with a form")
    if not isinstance(given, dict) or given.get("type") != FORM:
        raise Invalid("task is a form, as this project's is", fields={"task": "a form"})
    named = _classes(session, project)
    known = {each["id"]: named.get(each["id"], {}) for each in before}
    questions, specs = parse_fields(fields_of(given), known, _last_number(session, project))
    check_modality({"questions": questions}, project.modality)
    old = {each["id"]: each for each in before}
    for each in questions:
        _check_kept(each, old.get(each["id"]))
    version = project.task_version + 1
    narrower = [_carried_over(each, old.get(each["id"]), version) for each in questions]
    gone = [each for each in before if each["id"] not in {kept["id"] for kept in questions}]
    narrower += [_removed(each, version) for each in gone]
    _number_classes(session, project, specs)
    driven = _driving(before)
    project.task = {"questions": [*questions, *gone]}
    project.task_version += any(narrower)
    if _driving(questions) != driven:
        session.flush()
        rounds.make_due(session, project.id)


def _check_kept(question: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Raise Conflict where a question is another one under the same name."""
    if before is None:
        return
    if any(question[name] != before[name] for name in KEPT):
        what = "type" if question["type"] != before["type"] else "settings"
        raise Conflict(
            f"{question['id']!r} was asked with another {what}: its answers would mean something else; give the new "
            "question a name of its own",
            fields={f"task.fields.{question['id']}": what},
        )


def _carried_over(question: dict[str, Any], before: dict[str, Any] | None, version: int) -> bool:
    """Give a question what it had before; whether it asks for more than earlier answers say."""
    back = before is None or bool(before.get("removed_in"))
    since = 1 if before is None else before.get("required_since", 1)
    demanded = question["required"] and (back or before is None or not before.get("required", True))
    if demanded:
        since = version
    if since > 1:
        question["required_since"] = since
    moved = before is not None and not back and question.get("show_if", {}) != before.get("show_if", {})
    return bool(demanded or moved)


def _removed(question: dict[str, Any], version: int) -> bool:
    """Ask a question no longer; whether that is new."""
    if question.get("removed_in"):
        return False
    question |= {"removed_in": version, "drives": False}
    return True


def _classes(session: WriteSession, project: Project) -> dict[str, dict[str, int]]:
    """The numbers of all classes by question and folded name, former names among them."""
    rows = session.execute(select(ProjectClass).where(ProjectClass.project_id == project.id)).scalars()
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        own = found.setdefault(row.question, {})
        own |= {alias: row.number for alias in row.aliases if alias not in own}
        own[row.folded_name] = row.number
    return found


def _last_number(session: WriteSession, project: Project) -> int:
    last = select(func.max(ProjectClass.number)).where(ProjectClass.project_id == project.id)
    return session.execute(last).scalar() or 0


def _number_classes(session: WriteSession, project: Project, specs: Sequence[dict[str, Any]]) -> None:
    last = _last_number(session, project)
    for number, spec in enumerate(specs, start=last + 1):
        session.add(ProjectClass(project_id=project.id, number=number, position=number, aliases=[], **spec))


def _driving(questions: Sequence[Mapping[str, Any]]) -> str | None:
    return next((each["id"] for each in questions if each.get("drives")), None)
