"""Rating: a number between two bounds, in steps or without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from app.core.errors import Invalid, InvalidLabel
from app.core.text import fold
from app.task_types.base import Question, shown, unanswerable

MOST_LEVELS = 101  # that a learner tells apart: 0 to 100
LARGEST = 1e9
NEAR = 1e-9  # of a step: how far a number may lie beside its level


@dataclass(frozen=True)
class Rating:
    """`{"value": number}` from `minimum` to `maximum`.

    With a `step` that makes at most 101 levels, every level is a class of the project, named as its number: rounds,
    filters and suggestions treat it like any other. Without one it is stored as it is and cannot drive the queue.
    """

    name: ClassVar[str] = "rating"
    editor: ClassVar[str] = "rating"
    settings: ClassVar[tuple[str, ...]] = ("minimum", "maximum", "step")
    named_classes: ClassVar[bool] = False

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Bounds and step as numbers.

        Raises:
            Invalid: a bound is missing or no number, they stand the wrong way round, or the step does not divide them.
        """
        low, high = (_number(given.get(name), name) for name in ("minimum", "maximum"))
        if not low < high:
            raise Invalid("task.minimum is less than task.maximum", fields={"task.minimum": "too large"})
        step = None if given.get("step") is None else _number(given["step"], "step")
        if step is None:
            return {"minimum": low, "maximum": high, "step": None}
        steps = (high - low) / step if step > 0 else 0.0
        if steps < 1 - NEAR or steps > 1e6 or abs(steps - round(steps)) > NEAR * max(1.0, steps):
            raise Invalid(
                "task.step divides the way from minimum to maximum evenly, as 0.5 from 1 to 5",
                fields={"task.step": "does not divide"},
            )
        return {"minimum": low, "maximum": high, "step": step}

    def levels(self, options: Mapping[str, Any]) -> list[str]:
        """The levels as numbers in words, "1", "1.5", ...; none without a step, and where there are more than 101."""
        if options["step"] is None:
            return []
        low, high, step = (Decimal(repr(options[name])) for name in ("minimum", "maximum", "step"))
        count = round((high - low) / step) + 1
        return [written(float(low + place * step)) for place in range(count)] if count <= MOST_LEVELS else []

    def teaches(self, options: Mapping[str, Any]) -> bool:
        """Where its levels are classes."""
        return bool(self.levels(options))

    def check(self, label: Any, question: Question) -> dict[str, Any]:
        """Return the stored form of a value, or of a level given as its class.

        Raises:
            InvalidLabel: another shape, no number, out of the bounds or between two steps.
        """
        if not isinstance(label, dict) or len(label) < 1:
            raise InvalidLabel('the label is an object, as {"value": 3}')
        if "unanswerable" in label:
            return unanswerable(label, question)
        if len(label) == 1 and label.keys() <= {"class", "class_id"}:
            return self.guess([_level(label, question)], question)
        value = label.get("value")
        if len(label) != 1 or isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidLabel('the label is {"value": number}')
        return self._stored(value, question)

    def show(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The value alone."""
        return stored if "unanswerable" in stored else {"value": stored["value"]}

    def in_force(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The label as it is: levels are never merged."""
        return stored

    def targets(self, stored: dict[str, Any], class_ids: Sequence[int]) -> list[float] | None:
        """1 for the level, 0 for the others; None where nothing can be learned."""
        if stored.get("class_id") not in class_ids:
            return None
        return [float(number == stored["class_id"]) for number in class_ids]

    def guess(self, class_ids: Sequence[int], question: Question) -> dict[str, Any]:
        """The value of a level."""
        name = next(each.name for each in question.classes if each.id == class_ids[0])
        return {"value": float(name), "class_id": class_ids[0]}

    def distance(self, one: dict[str, Any], other: dict[str, Any], question: Question) -> float:
        """How far two values lie apart, of the whole way from minimum to maximum."""
        if "value" not in one or "value" not in other:
            return float(one != other)
        span = question.options["maximum"] - question.options["minimum"]
        return min(1.0, float(abs(one["value"] - other["value"]) / span))

    def from_cell(self, cell: Any, question: Question) -> Any:
        """The number in a cell."""
        try:
            return {"value": cell if isinstance(cell, int | float) else float(cell)}
        except (TypeError, ValueError):
            return {"value": cell}

    def to_cell(self, shown: Mapping[str, Any]) -> Any:
        """The number."""
        return shown["value"]

    def _stored(self, value: float, question: Question) -> dict[str, Any]:
        low, high, step = (question.options[name] for name in ("minimum", "maximum", "step"))
        if not low <= value <= high:  # what is not a number is neither
            said = f"{value:g}" if isinstance(value, float) else shown(value)
            raise InvalidLabel(f"value is {written(low)} to {written(high)}, not {said}")
        if step is None:
            return {"value": float(value)}
        place = round((value - low) / step)
        exact = float(Decimal(repr(low)) + place * Decimal(repr(step)))
        if abs(exact - value) > NEAR * max(1.0, abs(step), abs(value)):
            raise InvalidLabel(f"value goes from {written(low)} to {written(high)} by {written(step)}, not {value:g}")
        number = question.aliases.get(fold(written(exact)))
        return {"value": exact} if number is None else {"value": exact, "class_id": number}


def written(value: float) -> str:
    """A number as a level is named: 1, 1.5, 0.1."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise Invalid(f"task.{what} is a number", fields={f"task.{what}": "a number"})
    return float(value)


def _level(label: Mapping[str, Any], question: Question) -> int:
    key, value = next(iter(label.items()))
    known = {each.id for each in question.classes}
    number = value if key == "class_id" else question.aliases.get(fold(value)) if isinstance(value, str) else None
    if isinstance(number, bool) or not isinstance(number, int) or number not in known:
        raise InvalidLabel(f"there is no level {shown(value)}")
    return number
