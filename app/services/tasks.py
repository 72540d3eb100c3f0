"""A project's questions, and labels between the API's form and the stored one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import InvalidLabel
from app.db import Project, ProjectClass
from app.task_types import TASK_TYPES, comparison
from app.task_types.base import ClassRef, Question
from app.task_types.parsing import SINGLE as SINGLE

LIKELY = 0.5  # from which on a class is thought to hold where an item may have several


def classes_of(
    session: Session, project_id: int, *, retired: bool = True, question: str | None = None
) -> Sequence[ProjectClass]:
    """A project's classes, or those of one question, in the order in which people see them."""
    statement = select(ProjectClass).where(ProjectClass.project_id == project_id)
    if question is not None:
        statement = statement.where(ProjectClass.question == question)
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
    """The one question that drives the queue; where none can, the first, which teaches nothing (`drives` is false)."""
    present = [each for each in asked if not each.removed]
    return next((each for each in present if each.drives), present[0])


def driving_spec(project: Project) -> dict[str, Any]:
    """The stored form of the question that drives the queue, or of the first one where none can."""
    present: list[dict[str, Any]] = [each for each in project.task["questions"] if not each.get("removed_in")]
    return next((each for each in present if each.get("drives", True)), present[0])


def several(project: Project) -> bool:
    """Whether several classes of the driving question may hold of an item."""
    return bool(driving_spec(project).get("options", {}).get("multiple"))


def silence(asked: Sequence[Question]) -> str | None:
    """Why no learner runs, in a sentence; None where a question teaches one."""
    question = driving(asked)
    if question.drives:
        return None
    types = {"transcription": "Free text", "comparison": "A comparison", "rating": "A rating without steps"}
    present = {each.type for each in asked if not each.removed}
    what = types.get(question.type, question.type) if len(present) == 1 else "None of the questions"
    return f"{what} teaches {'a' if len(present) > 1 else 'no'} learner: the order covers the pool."


def is_form(asked: Sequence[Question]) -> bool:
    """Whether labels name their questions, as `{"fields": {...}}`."""
    return asked[0].id != SINGLE


def compares(asked: Sequence[Question]) -> bool:
    """Whether items hold candidates to be compared."""
    return any(each.type == "comparison" for each in asked if not each.removed)


def check_label(label: Any, asked: Sequence[Question], version: int | None = None) -> dict[str, Any]:
    """The stored form, by question id, of a label in the API's form.

    `version` is the version of the task that it answers, where that may be an earlier one: what was not asked then may
    be missing, and what was asked then is taken.

    Raises:
        InvalidLabel: a question is not answered as it should be, or is not asked here.
    """
    if not is_form(asked):
        return {asked[0].id: TASK_TYPES[asked[0].type].check(label, asked[0])}
    if isinstance(label, dict) and "unanswerable" in label:
        question = driving(asked)
        return {question.id: TASK_TYPES[question.type].check(label, question)}
    fields = label.get("fields") if isinstance(label, dict) and len(label) == 1 else None
    if not isinstance(fields, dict):
        raise InvalidLabel('the label is {"fields": {...}} with one entry a question')
    present = [each for each in asked if each.removed_in is None or (version or each.removed_in) < each.removed_in]
    names = [each.id for each in present]
    if unknown := [name for name in fields if name not in names]:
        raise InvalidLabel(f"there is no question {unknown[0][:63]!r}; there are {', '.join(names)}")
    stored: dict[str, Any] = {}
    for question in present:
        value = _field(fields.get(question.id), question, stored, present, version)
        if value is not None:
            stored[question.id] = value
    if not stored:
        raise InvalidLabel("no question is answered")
    return stored


def _field(
    given: Any, question: Question, stored: Mapping[str, Any], asked: Sequence[Question], version: int | None
) -> dict[str, Any] | None:
    """The stored form of one answer of a form; None where it may be left out, and is."""
    hidden = not is_asked(question, stored, asked)
    if given is None or (not question.required and given in ({"text": ""}, {"classes": []}, {"class_ids": []})):
        earlier = version is not None and version < question.required_since
        if hidden or not question.required or question.removed or earlier:
            return None
        raise InvalidLabel(f"{question.id} is not answered")
    if hidden:
        raise InvalidLabel(f"{question.id} is asked only where {_condition(question, asked)}: leave it out")
    try:
        return TASK_TYPES[question.type].check(given, question)
    except InvalidLabel as error:
        raise InvalidLabel(f"{question.id}: {error}") from None


def is_asked(question: Question, stored: Mapping[str, Any], asked: Sequence[Question]) -> bool:
    """Whether a question's condition holds of a stored label."""
    for name, wanted in question.show_if.items():
        other = next((each for each in asked if each.id == name), None)
        if other is None:
            continue
        said = TASK_TYPES[other.type].in_force(stored.get(name, {}), other)
        chosen = {said["class_id"]} if "class_id" in said else set(said.get("class_ids", ()))
        if not chosen & {other.merged.get(number, number) for number in wanted}:
            return False
    return True


def _condition(question: Question, asked: Sequence[Question]) -> str:
    """A question's condition in words."""
    parts = []
    for name, wanted in question.show_if.items():
        classes = next((each.classes for each in asked if each.id == name), ())
        parts.append(f"{name} is {' or '.join(each.name for each in classes if each.id in wanted)}")
    return " and ".join(parts)


def shown_task(asked: Sequence[Question]) -> dict[str, Any]:
    """A project's task as the API shows it; conditions by the names of classes."""
    if not is_form(asked):
        return {"type": asked[0].type, **asked[0].options}
    return {"type": "form", "fields": [_shown_field(each, asked) for each in asked if not each.removed]}


def _shown_field(question: Question, asked: Sequence[Question]) -> dict[str, Any]:
    classes = {each.id: {ref.id: ref.name for ref in each.classes} for each in asked}
    wanted = {name: [classes[name][number] for number in numbers] for name, numbers in question.show_if.items()}
    return {
        "name": question.id,
        "type": question.type,
        "title": question.title,
        "description": question.description,
        "required": question.required,
        "drives": question.drives,
        "show_if": wanted,
        **question.options,
    }


def check_item(stored: Mapping[str, Any], asked: Sequence[Question], payload: Mapping[str, Any]) -> None:
    """Raise InvalidLabel where a stored label does not fit its item: a ranking of other candidates."""
    for question in asked:
        if question.type == "comparison" and question.id in stored:
            comparison.check_item(stored[question.id], len(payload.get("candidates") or ()))


def show_label(stored: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """The API's form of a stored label, with the present class names; of a form, the questions that it answers."""
    if not is_form(asked):
        return TASK_TYPES[asked[0].type].show(stored.get(asked[0].id, {}), asked[0])
    told = {each.id: TASK_TYPES[each.type].show(stored[each.id], each) for each in asked if each.id in stored}
    return {"fields": told}


def in_force(stored: dict[str, Any], asked: Sequence[Question]) -> dict[str, Any]:
    """A stored label as it is read now, with merged classes replaced by those that took them in."""
    if not any(each.merged for each in asked):
        return stored
    return {each.id: TASK_TYPES[each.type].in_force(stored[each.id], each) for each in asked if each.id in stored}


def distance(one: Mapping[str, Any], other: Mapping[str, Any], asked: Sequence[Question]) -> float:
    """How far two stored labels lie apart, 0 to 1: of the driving question, else the mean over all questions.

    A question that only one of the two answers counts as wholly different.
    """
    question = driving(asked)
    compared = [question] if question.drives else [each for each in asked if each.id in one or each.id in other]
    if not compared:
        return 0.0
    return sum(_apart(one.get(each.id), other.get(each.id), each) for each in compared) / len(compared)


def _apart(one: dict[str, Any] | None, other: dict[str, Any] | None, question: Question) -> float:
    if one is None or other is None:
        return float(one is not other)
    return TASK_TYPES[question.type].distance(one, other, question)


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


def likely(question: Question, ranked: Sequence[tuple[float, int]]) -> tuple[dict[str, Any], float]:
    """The stored label that a model's opinion comes to, and the probability of its most probable class."""
    multiple = bool(question.options.get("multiple"))
    chosen = [number for share, number in ranked if share >= LIKELY] if multiple else [ranked[0][1]]
    return TASK_TYPES[question.type].guess(chosen, question), ranked[0][0]


def _question(spec: dict[str, Any], classes: Sequence[ProjectClass]) -> Question:
    own = [each for each in classes if each.question == spec["id"]]
    merged = _merged(own)
    aliases = {alias: merged.get(each.number, each.number) for each in own for alias in each.aliases}
    aliases |= {each.folded_name: merged.get(each.number, each.number) for each in own}
    refs = tuple(ClassRef(each.number, each.name, each.retired) for each in own)
    return Question(
        spec["id"],
        spec["type"],
        spec.get("options", {}),
        refs,
        aliases,
        merged,
        title=spec.get("title", ""),
        description=spec.get("description", ""),
        required=spec.get("required", True),
        required_since=spec.get("required_since", 1),
        drives=spec.get("drives", True),
        show_if=spec.get("show_if", {}),
        removed_in=spec.get("removed_in"),
    )


def _merged(classes: Sequence[ProjectClass]) -> dict[int, int]:
    """Each merged class with the one at the end of its way: what was merged into a merged class goes along."""
    into = {each.number: each.merged_into for each in classes if each.merged_into is not None}
    found = {}
    for number, target in into.items():
        while target in into:  # a class that is merged is never merged into: there are no circles
            target = into[target]
        found[number] = target
    return found
