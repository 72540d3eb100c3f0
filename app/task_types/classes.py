"""Classes as people give them: by their names, or as objects with colour, key and description."""

import re
from collections.abc import Sequence
from typing import Any

from app.core.errors import Invalid
from app.core.text import check_text, fold

MAX_CLASSES = 1_000
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7A5195", "#5D6D7E", "#8C6D31")
HOTKEYS = "1234567890"
COLOR = re.compile(r"#[0-9a-fA-F]{6}")
CLASS_FIELDS = {"name", "color", "hotkey", "description"}


def class_spec(given: Any, position: int) -> dict[str, Any]:
    """A class given by its name or as an object, with colour and key filled in.

    Raises:
        Invalid: no name, an unknown field, a colour that is not as #0072B2.
    """
    spec = {"name": given} if isinstance(given, str) else given
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise Invalid("a class is a name or an object with a name", fields={"task.classes": "a name"})
    if unknown := sorted(str(name) for name in spec.keys() - CLASS_FIELDS):
        raise Invalid(f"a class has unknown fields: {', '.join(unknown)}", fields={"task.classes": unknown})
    name = check_text(spec["name"].strip(), what="the class name", limit=200)
    if not name:
        raise Invalid("a class name is empty", fields={"task.classes": "names must not be empty"})
    color = plain_text(spec.get("color"), "color", 16)
    if color and not COLOR.fullmatch(color):  # it is written into the page's styles
        raise Invalid("color is # and six hexadecimal digits", fields={"task.classes": "color"})
    hotkey = HOTKEYS[position] if position < len(HOTKEYS) else None
    return {
        "name": name,
        "folded_name": fold(name),
        "color": color or COLORS[position % len(COLORS)],
        "hotkey": plain_text(spec.get("hotkey"), "hotkey", 16) or hotkey,
        "description": plain_text(spec.get("description"), "description", 10_000) or "",
    }


def class_specs(classes: Any) -> list[dict[str, Any]]:
    """The classes of one question, each with a colour, and a key while there are any.

    Raises:
        Invalid: too many, two of one name or key, or one that is not allowed.
    """
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


def plain_text(value: Any, what: str, limit: int) -> str | None:
    """A text that may be left out. Raises Invalid for anything else."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(f"{what} is text")
    return check_text(value, what=what, limit=limit)
