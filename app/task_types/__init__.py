"""The kinds of questions a project can ask, and how a project's task is written down."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from app.core.text import check_text, fold
from app.task_types.base import ClassRef, Question, TaskType
from app.task_types.classification import Classification

TASK_TYPES: Mapping[str, TaskType] = {each.name: each for each in (Classification(),)}
MAX_CLASSES = 1_000
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7A5195", "#5D6D7E", "#8C6D31")
HOTKEYS = "1234567890"


def parse_task(task: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the short form of a task; gives the stored list of questions and the classes to create.

    Raises:
        Invalid: an unknown type, no classes, two classes of one name, unknown fields.
    """
    if not isinstance(task, dict):
        raise Invalid("task is an object with a type", fields={"task": "an object"})
    if unknown := task.keys() - {"type", "classes", "multiple", "unanswerable"}:
        raise Invalid(f"task has unknown fields: {', '.join(sorted(unknown))}", fields={"task": sorted(unknown)})
    kind = task.get("type", "classification")
    if kind not in TASK_TYPES:
        raise Invalid(f"task.type is one of {', '.join(TASK_TYPES)}", fields={"task.type": kind})
    options = {name: bool(task.get(name, False)) for name in ("multiple", "unanswerable")}
    classes = task.get("classes", [])
    if not isinstance(classes, list) or len(classes) > MAX_CLASSES:
        raise Invalid(f"task.classes is a list of at most {MAX_CLASSES:,}", fields={"task.classes": "a list"})
    specs = [class_spec(each, position) for position, each in enumerate(classes)]
    folded = [spec["folded_name"] for spec in specs]
    if len(set(folded)) < len(folded):
        raise Invalid("two classes have the same name", fields={"task.classes": "names must differ"})
    question = {"id": "label", "type": kind, "options": options, "drives": True}
    return {"questions": [question]}, specs


def class_spec(given: Any, position: int) -> dict[str, Any]:
    """A class given by its name or as an object, with colour and key filled in."""
    spec = {"name": given} if isinstance(given, str) else given
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise Invalid("a class is a name or an object with a name", fields={"task.classes": "a name"})
    if unknown := spec.keys() - {"name", "color", "hotkey", "description"}:
        raise Invalid(f"a class has unknown fields: {', '.join(sorted(unknown))}")
    name = check_text(spec["name"].strip(), what="the class name", limit=200)
    if not name:
        raise Invalid("a class name is empty", fields={"task.classes": "names must not be empty"})
    hotkey = HOTKEYS[position] if position < len(HOTKEYS) else None
    return {
        "name": name,
        "folded_name": fold(name),
        "color": _text(spec.get("color"), "color", 16) or COLORS[position % len(COLORS)],
        "hotkey": _text(spec.get("hotkey"), "hotkey", 16) or hotkey,
        "description": _text(spec.get("description"), "description", 10_000) or "",
    }


def _text(value: Any, what: str, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(f"{what} is text")
    return check_text(value, what=what, limit=limit)


__all__ = ["COLORS", "TASK_TYPES", "ClassRef", "Question", "TaskType", "class_spec", "parse_task"]
