"""How a project's task is given: one question, or a form of several; and how it is stored.

A stored task is a list of questions with their ids; the one of a task that is no form is called `label`. Classes stand
in a table of their own and are counted over all questions of a project.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import Invalid
from app.core.text import fold
from app.task_types import TASK_TYPES, TaskType
from app.task_types.classes import MAX_CLASSES, class_specs, plain_text

SINGLE = "label"  # the id of the question of a task that is no form
FORM = "form"
MOST_FIELDS = 30
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
TITLE_LIMIT, DESCRIPTION_LIMIT = 200, 10_000
OF_FIELDS = ("name", "title", "description", "required", "show_if", "drives")
OF_FORMS = ("type", "fields")

Specs = list[dict[str, Any]]


def parse_task(task: Any) -> tuple[dict[str, Any], Specs]:
    """Read a task; gives the stored list of questions and the classes to create, in the order of their numbers.

    Raises:
        Invalid: an unknown type, two classes of one name or key, unknown fields, a setting that is not allowed.
    """
    if not isinstance(task, dict):
        raise Invalid("task is an object with a type", fields={"task": "an object"})
    if task.get("type") != FORM:
        question, classes = parse_question(task, "task")
        return {"questions": [{"id": SINGLE, **question, "drives": _teaches(question)}]}, _of(SINGLE, classes)
    fields = fields_of(task)
    questions, specs = parse_fields(fields, {})
    return {"questions": questions}, specs


def fields_of(task: Mapping[str, Any]) -> list[Any]:
    """The fields of a form. Raises Invalid."""
    if unknown := sorted(str(name) for name in task.keys() - set(OF_FORMS)):
        raise Invalid(f"a form has unknown fields: {', '.join(unknown)}", fields={"task": unknown})
    fields = task.get("fields")
    if not isinstance(fields, list) or not 1 <= len(fields) <= MOST_FIELDS:
        raise Invalid(f"task.fields is a list of 1 to {MOST_FIELDS} questions", fields={"task.fields": "a list"})
    return fields


def parse_fields(
    fields: Sequence[Any], known: Mapping[str, Mapping[str, int]], last: int = 0
) -> tuple[list[dict[str, Any]], Specs]:
    """The questions of a form with the classes to create.

    `known` holds the classes of questions that exist already, by question, folded name and number: those bring no new
    ones. New classes are numbered behind `last`.

    Raises:
        Invalid: a name, a condition or a setting is not allowed; which field it is of is said.
    """
    questions: list[dict[str, Any]] = []
    specs: Specs = []
    named = {question: dict(classes) for question, classes in known.items()}
    number = last
    for place, given in enumerate(fields):
        name = _name(given, place, [each["id"] for each in questions])
        own = f"task.fields.{name}"
        settings = {key: value for key, value in given.items() if key not in OF_FIELDS}
        question, classes = parse_question(settings, own)
        if name in known and classes and TASK_TYPES[question["type"]].named_classes:
            raise Invalid(f"{name}: its classes are changed on their own", fields={own: "classes"})
        fresh = [] if name in known else _of(name, classes)
        numbers = {spec["folded_name"]: number + 1 + i for i, spec in enumerate(fresh)}
        number += len(fresh)
        specs += fresh
        question = {"id": name, **question, **_look(given, own), **_condition(given, named, questions, own)}
        named.setdefault(name, numbers)
        questions.append(question)
    if number > MAX_CLASSES:
        raise Invalid(f"a project has at most {MAX_CLASSES:,} classes and levels", fields={"task.fields": "classes"})
    _choose_driving(questions, fields)
    return questions, specs


def parse_question(given: Mapping[str, Any], where: str) -> tuple[dict[str, Any], Specs]:
    """Type and options of one question, and its classes. Raises Invalid."""
    kind = given.get("type", "classification")
    if not isinstance(kind, str) or kind not in TASK_TYPES:
        more = f", or {FORM} for several questions" if where == "task" else ""
        raise Invalid(f"{where}.type is one of {', '.join(TASK_TYPES)}{more}", fields={f"{where}.type": "unknown"})
    task_type = TASK_TYPES[kind]
    _check_names(given, task_type, where)
    unanswerable = given.get("unanswerable", False)
    if not isinstance(unanswerable, bool):
        raise Invalid(f"{where}.unanswerable is true or false", fields={f"{where}.unanswerable": "true or false"})
    options = task_type.options(given)
    classes = given.get("classes", []) if task_type.named_classes else _levels(task_type, options)
    return {"type": kind, "options": {**options, "unanswerable": unanswerable}}, class_specs(classes)


def _check_names(given: Mapping[str, Any], task_type: TaskType, where: str) -> None:
    allowed = {"type", "unanswerable", *task_type.settings, *(("classes",) if task_type.named_classes else ())}
    if unknown := sorted(str(name) for name in given.keys() - allowed):
        raise Invalid(f"{where} has unknown fields: {', '.join(unknown)}", fields={where: unknown})


def _levels(task_type: TaskType, options: Mapping[str, Any]) -> list[dict[str, str]]:
    """The levels of a rating as classes, from light to dark so that their order is seen."""
    names = task_type.levels(options)
    last = max(1, len(names) - 1)
    return [{"name": name, "color": _shade(place / last)} for place, name in enumerate(names)]


def _shade(share: float) -> str:
    light, dark = (0x9E, 0xCA, 0xE1), (0x08, 0x45, 0x94)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in zip(light, dark, strict=True))


def _of(question: str, classes: Specs) -> Specs:
    return [{**each, "question": question} for each in classes]


def _teaches(question: Mapping[str, Any]) -> bool:
    return TASK_TYPES[question["type"]].teaches(question["options"])


def _name(given: Any, place: int, taken: Sequence[str]) -> str:
    where = f"task.fields[{place}]"
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Invalid(
            f"{where}.name begins with a letter and has at most 63 letters, digits, _ and -",
            fields={f"{where}.name": "a short name"},
        )
    if fold(name) == SINGLE:
        raise Invalid(f"a question of a form is not called {SINGLE!r}", fields={f"{where}.name": "reserved"})
    if fold(name) in map(fold, taken):
        raise Invalid(f"two questions are called {name!r}", fields={f"{where}.name": "taken"})
    return name


def _look(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Title, description and whether it has to be answered."""
    required = given.get("required", True)
    if not isinstance(required, bool):
        raise Invalid(f"{where}.required is true or false", fields={f"{where}.required": "true or false"})
    title = (plain_text(given.get("title"), f"{where}.title", TITLE_LIMIT) or "").strip()
    description = plain_text(given.get("description"), f"{where}.description", DESCRIPTION_LIMIT) or ""
    return {"title": title or given["name"], "description": description, "required": required}


def _condition(
    given: Mapping[str, Any],
    named: Mapping[str, Mapping[str, int]],
    before: Sequence[Mapping[str, Any]],
    where: str,
) -> dict[str, Any]:
    """`show_if` with the numbers of classes: it may name questions that stand before, and their classes or levels."""
    wanted = given.get("show_if") or {}
    wrong = {f"{where}.show_if": "an object of an earlier question and its classes"}
    if not isinstance(wanted, dict):
        raise Invalid(f'{where}.show_if is an object, as {{"topic": "other"}}', fields=wrong)
    found: dict[str, list[int]] = {}
    for question, values in wanted.items():
        if question not in [each["id"] for each in before] or not named.get(question):
            shown = str(question)[:63]
            raise Invalid(f"{where}.show_if: {shown!r} is no earlier question with classes or levels", fields=wrong)
        values = values if isinstance(values, list) else [values]
        numbers = [named[question].get(_folded(value)) for value in values]
        if not values or None in numbers:
            raise Invalid(f"{where}.show_if names no class of {question!r}, or one that it lacks", fields=wrong)
        found[question] = sorted({number for number in numbers if number is not None})
    return {"show_if": found} if found else {}


def _folded(value: Any) -> str:
    """A class or a level as its folded name; a number as a level is written."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return fold(value) if isinstance(value, str) else ""


def _choose_driving(questions: Sequence[dict[str, Any]], fields: Sequence[Mapping[str, Any]]) -> None:
    """Mark the question that drives the queue: the one that says so, else the first that can and is always asked."""
    for question, given in zip(questions, fields, strict=True):
        if not isinstance(given.get("drives", False), bool):
            raise Invalid(f"{question['id']}: drives is true or false", fields={"task.fields": "drives"})
    said = [question for question, given in zip(questions, fields, strict=True) if given.get("drives")]
    if len(said) > 1:
        raise Invalid("one question drives the queue, not several", fields={"task.fields": "drives"})
    if said and not _teaches(said[0]):
        kind = said[0]["type"]
        raise Invalid(
            f"{said[0]['id']}: a {kind} teaches no learner as it is set: let a classification or a rating with a step "
            "of at most 101 levels drive the queue",
            fields={"task.fields": "drives"},
        )
    able = [each for each in questions if _teaches(each)]
    chosen = (said or [each for each in able if not each.get("show_if")] or able)[:1]
    for each in questions:
        each["drives"] = each in chosen
