"""Comparison: the candidates of an item in order, the best one first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.errors import InvalidLabel
from app.task_types.base import Question, unanswerable
from app.task_types.silent import Silent

FEWEST, MOST = 2, 10  # candidates of an item
FORM = 'the label is {"ranking": [2, 0, 1]}: the places of the candidates, counted from 0, the best one first'


@dataclass(frozen=True)
class Comparison(Silent):
    """`{"ranking": [2, 0, 1]}`: candidate 2 is best, then 0, then 1. It teaches no learner."""

    name: ClassVar[str] = "comparison"
    editor: ClassVar[str] = "comparison"

    def check(self, label: Any, question: Question) -> dict[str, Any]:
        """Return the ranking; whether it fits the item's candidates is for `check_item`.

        Raises:
            InvalidLabel: another shape, or no permutation of 0 to n - 1.
        """
        if not isinstance(label, dict):
            raise InvalidLabel(FORM)
        if "unanswerable" in label:
            return unanswerable(label, question)
        ranking = label.get("ranking")
        if len(label) != 1 or not isinstance(ranking, list) or not FEWEST <= len(ranking) <= MOST:
            raise InvalidLabel(FORM)
        if any(isinstance(place, bool) or not isinstance(place, int) for place in ranking):
            raise InvalidLabel(FORM)
        if sorted(ranking) != list(range(len(ranking))):
            raise InvalidLabel(f"ranking names each of 0 to {len(ranking) - 1} once")
        return {"ranking": ranking}

    def distance(self, one: dict[str, Any], other: dict[str, Any], question: Question) -> float:
        """The share of the pairs of candidates that the two put in another order (Kendall's tau distance).

        Source: Kendall. A New Measure of Rank Correlation. Biometrika 1938.
        """
        first, second = one.get("ranking"), other.get("ranking")
        if first is None or second is None or len(first) != len(second):
            return float(one != other)
        place = {candidate: rank for rank, candidate in enumerate(second)}
        ranks = [place[candidate] for candidate in first]
        turned = sum(ranks[i] > ranks[j] for i in range(len(ranks)) for j in range(i + 1, len(ranks)))
        return turned / (len(ranks) * (len(ranks) - 1) / 2)

    def from_cell(self, cell: Any, question: Question) -> Any:
        """Places with > between them, as 2>0>1."""
        parts = cell if isinstance(cell, list) else str(cell).split(">")
        places = [str(part).strip() for part in parts]
        return {"ranking": [int(each) if each.isascii() and each.isdigit() else each for each in places]}

    def to_cell(self, shown: Mapping[str, Any]) -> Any:
        """The places with > between them."""
        return ">".join(str(place) for place in shown["ranking"])


def check_item(stored: Mapping[str, Any], candidates: int) -> None:
    """Raise InvalidLabel where a stored ranking is not of so many candidates."""
    ranking = stored.get("ranking")
    if ranking is not None and len(ranking) != candidates:
        raise InvalidLabel(f"the item has {candidates} candidates, and the ranking names {len(ranking)}")
