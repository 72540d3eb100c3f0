"""What the kinds of questions have in common that teach no learner: no settings, no classes, answers as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from app.task_types.base import Question


class Silent:
    """A question whose answers name no class: nothing is learned from them and nothing is guessed."""

    settings: ClassVar[tuple[str, ...]] = ()
    named_classes: ClassVar[bool] = False

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """It has no settings."""
        return {}

    def levels(self, options: Mapping[str, Any]) -> list[str]:
        """It has no classes."""
        return []

    def teaches(self, options: Mapping[str, Any]) -> bool:
        """Never: no class can be told from an answer."""
        return False

    def show(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The answer as it is stored."""
        return stored

    def in_force(self, stored: dict[str, Any], question: Question) -> dict[str, Any]:
        """The answer as it is."""
        return stored

    def targets(self, stored: dict[str, Any], class_ids: Sequence[int]) -> list[float] | None:
        """None."""
        return None

    def guess(self, class_ids: Sequence[int], question: Question) -> dict[str, Any]:
        """Nothing is guessed: no model speaks of it."""
        raise NotImplementedError
