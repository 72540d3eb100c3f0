"""The kinds of questions a project can ask, and how a project's task is written down."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import Invalid
from app.core.plugins import entries
from app.core.text import check_text, fold
from app.task_types.base import ClassRef, Question, TaskType
from app.task_types.classification import Classification

OWN: tuple[TaskType, ...] = (Classification(),)
TASK_TYPES: Mapping[str, TaskType] = entries("task_types", OWN)
MAX_CLASSES = 1_000
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7A5195", "#5D6D7E", "#8C6D31")
HOTKEYS = "1234567890"
OPTIONS = ("multiple", "unanswerable")
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def parse_task(task: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the short form of a task; gives the stored list of questions and the classes to create.

    Raises:
        Invalid: an unknown type, two classes of one name or key, unknown fields, an option that is not true or false.
    """
    if not isinstance(task, dict):
        raise Invalid("task is an object with a type", fields={"task": "an object"})
    if unknown := sorted(str(name) for name in task.keys() - {"type", "classes", *OPTIONS}):
        raise Invalid(f"task has unknown fields: {', '.join(unknown)}", fields={"task": unknown})
    kind = task.get("type", "classification")
    if not isinstance(kind, str) or kind not in TASK_TYPES:
        raise Invalid(f"task.type is one of {', '.join(TASK_TYPES)}", fields={"task.type": "unknown"})
    options = {name: task.get(name, False) for name in OPTIONS}
    for name, value in options.items():
        if not isinstance(value, bool):
            raise Invalid(f"task.{name} is true or false", fields={f"task.{name}": "true or false"})
    question = {"id": "label", "type": kind, "options": options, "drives": True}
    return {"questions": [question]}, _class_specs(task.get("classes", []))


def class_spec(given: Any, position: int) -> dict[str, Any]:
    """A class given by its name or as an object, with colour and key filled in.

    Raises:
        Invalid: no name, an unknown field, a colour that is not as #0072B2.
    """
    spec = {"name": given} if isinstance(given, str) else given
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise Invalid("a class is a name or an object with a name", fields={"task.classes": "a name"})
    if unknown := sorted(str(name) for name in spec.keys() - {"name", "color", "hotkey", "description"}):
        raise Invalid(f"a class has unknown fields: {', '.join(unknown)}", fields={"task.classes": unknown})
    name = check_text(spec["name"].strip(), what="the class name", limit=200)
    if not name:
        raise Invalid("a class name is empty", fields={"task.classes": "names must not be empty"})
    color = _text(spec.get("color"), "color", 16)
    if color and not COLOR.fullmatch(color):  # it is written into the page's styles
        raise Invalid("color is # and six hexadecimal digits", fields={"task.classes": "color"})
    hotkey = HOTKEYS[position] if position < len(HOTKEYS) else None
    return {
        "name": name,
        "folded_name": fold(name),
        "color": color or COLORS[position % len(COLORS)],
        "hotkey": _text(spec.get("hotkey"), "hotkey", 16) or hotkey,
        "description": _text(spec.get("description"), "description", 10_000) or "",
    }


def _class_specs(classes: Any) -> list[dict[str, Any]]:
    if not isinstance(classes, list) or len(classes) > MAX_CLASSES:
        raise Invalid(f"task.classes is a list of at most {MAX_CLASSES:,}", fields={"task.classes": "a list"})
    specs = [class_spec(each, position) for position, each in enumerate(classes)]
    if repeated := _repeated([spec["folded_name"] for spec in specs]):
        raise Invalid(f"two classes have the name {repeated[:100]!r}", fields={"task.classes": "names must differ"})
    own = [each["hotkey"] for each in classes if isinstance(each, dict) and each.get("hotkey")]
    if repeated := _repeated(own):
        raise Invalid(f"two classes have the key {repeated!r}", fields={"task.classes": "keys must differ"})
    taken = set(own)
    free = iter([key for key in HOTKEYS if key not in taken])
    for given, spec in zip(classes, specs, strict=True):
        if not (isinstance(given, dict) and given.get("hotkey")):
            spec["hotkey"] = next(free, None)  # a key that somebody chose is given to nobody else
    return specs


def _repeated(values: Sequence[str]) -> str | None:
    return next((value for place, value in enumerate(values) if value in values[:place]), None)


def _text(value: Any, what: str, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(f"{what} is text")
    return check_text(value, what=what, limit=limit)


__all__ = ["COLORS", "TASK_TYPES", "ClassRef", "Question", "TaskType", "class_spec", "parse_task"]
