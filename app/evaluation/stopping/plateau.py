"""Performance plateau."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, too_early


@dataclass(frozen=True)
class Plateau:
    """Stop where the best accuracy of the last `rounds` is less than `least` above the best one before them.

    The accuracies are estimates: on few audit answers a lucky early round looks like a plateau, so that those on fewer
    than `judges` do not count.

    Source: Laws, Schuetze. Stopping Criteria for Active Learning of Named Entity Recognition. COLING 2008.
    """

    name: ClassVar[str] = "plateau"
    title: ClassVar[str] = "Plateau of the accuracy"
    least: float = 0.005
    rounds: int = 10
    judges: int = 20

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are differences of accuracy."""
        known = [each.accuracy for each in history if each.accuracy is not None and each.judges >= self.judges]
        if len(known) <= self.rounds:
            return too_early(f"accuracies on {self.judges} audit answers or more", self.rounds + 1)
        gained = max(known[-self.rounds :]) - max(known[: -self.rounds])
        best = f"In {self.rounds} rounds the best accuracy {self._said(100 * gained)}"
        words = f"{best}; a rise of less than {100 * self.least:g} points is a plateau."
        return Verdict(gained < self.least, words, gained, self.least)

    def _said(self, points: float) -> str:
        """How the best of the last rounds compares with the best before them, which stays the best where it fell."""
        if round(points, 1) == 0:
            return "hardly changed"
        if points < 0:
            return f"did not rise: it lies {-points:.1f} points below the best before"
        return f"rose by {beside(points, 100 * self.least, 1)} points"
