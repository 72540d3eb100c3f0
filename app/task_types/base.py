"""The contract of task types: check, encode and compare a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class ClassRef:
    """A class as task types see it: its id, its name and whether it may still be chosen."""

    id: int
    name: str
    retired: bool = False


@dataclass(frozen=True)
class Question:
    """One question of a project's task."""

    id: str
    type: str
    options: Mapping[str, Any]  # the task type's own settings, e.g. {"multiple": false}
    classes: tuple[ClassRef, ...]
    aliases: Mapping[str, int]  # folded name, current or former -> id of the class in force
    merged: Mapping[int, int] = field(default_factory=dict)  # class id -> id of the class that it is read as
    title: str = ""
    description: str = ""
    required: bool = True
    drives: bool = True  # the queue
    show_if: Mapping[str, Sequence[int]] = field(default_factory=dict)  # question -> classes, one of which is chosen


class TaskType(Protocol):
    """One kind of question. Stored labels hold class ids; the API speaks names."""

    name: ClassVar[str]
    editor: ClassVar[str]  # the browser's custom element

    def check(self, label: Any, question: Question) -> dict[str, Any]:
        """Return the stored form of a label given by name or `class_id`; raise InvalidLabel otherwise."""
        ...

    def show(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The label as the API speaks it, with class names."""
        ...

    def in_force(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The stored label as it is read now: merged classes replaced by those that took them in."""
        ...

    def targets(self, stored: dict[str, Any], class_ids: Sequence[int]) -> list[float] | None:
        """Shares per class id for the learner, or None where a label in force teaches nothing (unanswerable)."""
        ...

    def distance(self, one: dict[str, Any], other: dict[str, Any]) -> float:
        """0 for equal labels to 1 for wholly different ones."""
        ...
