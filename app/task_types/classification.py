"""Classification: one class, or any number of classes, of a project's list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import Invalid, InvalidLabel
from app.core.text import fold
from app.task_types.base import Question, shown, unanswerable

NAMES_SHOWN = 10


@dataclass(frozen=True)
class Classification:
    """`{"class": name}`, or `{"classes": [names]}` where multiple; stored with class ids."""

    name: ClassVar[str] = "classification"
    editor: ClassVar[str] = "choice"
    settings: ClassVar[tuple[str, ...]] = ("multiple",)
    named_classes: ClassVar[bool] = True

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Whether an item may have several classes. Raises Invalid for anything but true and false."""
        multiple = given.get("multiple", False)
        if not isinstance(multiple, bool):
            raise Invalid("task.multiple is true or false", fields={"task.multiple": "true or false"})
        return {"multiple": multiple}

    def levels(self, options: Mapping[str, Any]) -> list[str]:
        """None: people name the classes."""
        return []

    def teaches(self, options: Mapping[str, Any]) -> bool:
        """Always."""
        return True

    def check(self, label: Any, question: Question) -> dict[str, Any]:
        """Return the stored form of a label given by name or id.

        Raises:
            InvalidLabel: another shape, an unknown or a retired class.
        """
        if not isinstance(label, dict):
            raise InvalidLabel('the label is an object, as {"class": "name"}')
        if "unanswerable" in label:
            return unanswerable(label, question)
        if question.options.get("multiple"):
            return self._several(label, question)
        if len(label) != 1 or not ({"class", "class_id"} & label.keys()):
            raise InvalidLabel('the label is {"class": "name"} or {"class_id": number}')
        key, value = next(iter(label.items()))
        return {"class_id": _resolve(value, key == "class_id", question)}

    def show(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The label with class names."""
        stored = self.in_force(stored, question)
        if "unanswerable" in stored:
            return stored
        names = {each.id: each.name for each in question.classes}
        if "class_ids" in stored:
            return {"classes": [names.get(number, str(number)) for number in stored["class_ids"]]}
        return {"class": names.get(stored["class_id"], str(stored["class_id"]))}

    def in_force(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The stored label with the classes that merged ones are read as; two that became one are named once."""
        if not question.merged:
            return stored
        if "class_ids" in stored:
            return {"class_ids": sorted({question.merged.get(number, number) for number in stored["class_ids"]})}
        if "class_id" in stored:
            return {"class_id": question.merged.get(stored["class_id"], stored["class_id"])}
        return stored

    def targets(self, stored: dict[str, Any], class_ids: Sequence[int]) -> list[float] | None:
        """1 for each chosen class, 0 for the others; None where nothing can be learned."""
        if "class_ids" in stored:
            chosen = set(stored["class_ids"])
            return [float(number in chosen) for number in class_ids]
        if stored.get("class_id") not in class_ids:
            return None
        return [float(number == stored["class_id"]) for number in class_ids]

    def guess(self, class_ids: Sequence[int], question: Question) -> dict[str, Any]:
        """Every one of the classes where several may hold, else the first."""
        return {"class_ids": sorted(class_ids)} if question.options.get("multiple") else {"class_id": class_ids[0]}

    def distance(self, one: dict[str, Any], other: dict[str, Any], question: Question) -> float:
        """0 for equal labels, 1 for other classes; for several classes one minus the Jaccard index."""
        if "class_ids" in one and "class_ids" in other:
            first, second = set(one["class_ids"]), set(other["class_ids"])
            return 1 - len(first & second) / len(first | second) if first | second else 0.0
        return float(one != other)

    def from_cell(self, cell: Any, question: Question) -> Any:
        """A class's name, or several with | between them."""
        if not question.options.get("multiple"):
            return {"class": str(cell) if isinstance(cell, int | float) else cell}
        names = cell if isinstance(cell, list) else [part.strip() for part in str(cell).split("|")]
        return {"classes": [name for name in names if name != ""]}

    def to_cell(self, shown: Mapping[str, Any]) -> Any:
        """The class's name; several with | between them."""
        return shown["class"] if "class" in shown else "|".join(shown["classes"])

    def _several(self, label: dict[str, Any], question: Question) -> dict[str, Any]:
        if len(label) != 1 or not ({"classes", "class_ids"} & label.keys()):
            raise InvalidLabel('the label is {"classes": ["name", ...]} or {"class_ids": [number, ...]}')
        key, values = next(iter(label.items()))
        if not isinstance(values, list):
            raise InvalidLabel(f"{key} is a list")
        return {"class_ids": sorted({_resolve(value, key == "class_ids", question) for value in values})}


def _resolve(value: Any, by_id: bool, question: Question) -> int:
    """The id of a class given by its present or former name, or by id.

    The id of a merged class is stored as it was said, so that undoing the merge gives the answer back.
    """
    if by_id:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    else:
        number = question.aliases.get(fold(value)) if isinstance(value, str) else None
    found = next((each for each in question.classes if each.id == number), None)
    if found is None:
        raise InvalidLabel(f"there is no class {shown(value)}; {_allowed(question)}")
    read_as = question.merged.get(found.id, found.id)
    offered = next(each for each in question.classes if each.id == read_as)
    if offered.retired:
        raise InvalidLabel(f"the class {offered.name!r} is retired; {_allowed(question)}")
    return found.id


def _allowed(question: Question) -> str:
    names = [each.name for each in question.classes if not each.retired]
    if not names:
        return "the project has no classes yet"
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"there are {', '.join(names[:NAMES_SHOWN])}{more}"
