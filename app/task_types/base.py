"""The contract of task types: check, encode and compare a label; and what all of them share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from app.core.errors import Invalid, InvalidLabel
from app.core.text import check_text

REASON_LIMIT = 2_000
SHOWN = 100  # characters of a value that somebody sent


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
    required_since: int = 1  # the version of the task from which on it has to be answered
    drives: bool = True  # the queue
    show_if: Mapping[str, Sequence[int]] = field(default_factory=dict)  # question -> classes, one of which is chosen
    removed_in: int | None = None  # the version of the task in which it was taken out; its answers stay

    @property
    def removed(self) -> bool:
        """Whether it is asked no longer."""
        return self.removed_in is not None


class TaskType(Protocol):
    """One kind of question. Stored labels hold class ids; the API speaks names."""

    name: ClassVar[str]
    editor: ClassVar[str]  # the browser's custom element or module
    settings: ClassVar[tuple[str, ...]]  # what a task says of it, beside its classes and `unanswerable`
    named_classes: ClassVar[bool]  # whether people name its classes

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Its settings, checked and with their defaults; raise Invalid for one that is not allowed."""
        ...

    def levels(self, options: Mapping[str, Any]) -> list[str]:
        """The names of the classes that it brings itself; none where people name them, or where it has no classes."""
        ...

    def teaches(self, options: Mapping[str, Any]) -> bool:
        """Whether its answers can teach a learner, so that it may drive the queue."""
        ...

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

    def guess(self, class_ids: Sequence[int], question: Question) -> dict[str, Any]:
        """The stored label that says these classes, for what a model thinks."""
        ...

    def distance(self, one: dict[str, Any], other: dict[str, Any], question: Question) -> float:
        """0 for equal labels to 1 for wholly different ones."""
        ...

    def from_cell(self, cell: Any, question: Question) -> Any:
        """The label in the API's form that one cell of a table holds; what cannot be read is left for `check`."""
        ...

    def to_cell(self, shown: Mapping[str, Any]) -> Any:
        """A label of the API's form as one cell of a table."""
        ...


def unanswerable(label: Mapping[str, Any], question: Question) -> dict[str, Any]:
    """The stored form of `{"unanswerable": true, "reason": "..."}`.

    Raises:
        InvalidLabel: the question does not take it, or it is of another form.
    """
    if not question.options.get("unanswerable"):
        raise InvalidLabel("this project does not take unanswerable: answer, skip or flag the item")
    if label.keys() - {"unanswerable", "reason"} or label["unanswerable"] is not True:
        raise InvalidLabel('the label is {"unanswerable": true, "reason": "..."}')
    reason = label.get("reason", "")
    if not isinstance(reason, str):
        raise InvalidLabel("reason is text")
    try:
        return {"unanswerable": True, "reason": check_text(reason, what="reason", limit=REASON_LIMIT)}
    except Invalid as error:
        raise InvalidLabel(str(error)) from None


def shown(value: Any) -> str:
    """A value as a sentence can quote it; lists and objects of any depth are only named."""
    if isinstance(value, str):
        return repr(value[:SHOWN].encode("utf-8", "replace").decode())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 2**63 else "of more than 64 bits"
    if isinstance(value, list | dict):
        return "given as a list" if isinstance(value, list) else "given as an object"
    return f"given as {str(value)[:SHOWN]}"
