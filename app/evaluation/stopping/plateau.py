"""Performance plateau."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, too_early


@dataclass(frozen=True)
class Plateau:
    """Stop where the best accuracy of the last `rounds` is less than `least` above the best one before them.

    The accuracies are estimates: on few audit answers a lucky early round looks like a plateau.

    Source: Laws, Schuetze. Stopping Criteria for Active Learning of Named Entity Recognition. COLING 2008.
    """

    name: ClassVar[str] = "plateau"
    title: ClassVar[str] = "Plateau of the accuracy"
    least: float = 0.005
    rounds: int = 10

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are differences of accuracy."""
        known = [each.accuracy for each in history if each.accuracy is not None]
        if len(known) <= self.rounds:
            return too_early("accuracies", self.rounds + 1)
        gained = max(known[-self.rounds :]) - max(known[: -self.rounds])
        rose = f"The best accuracy rose by {100 * gained:.1f} points in {self.rounds} rounds"
        words = f"{rose}; less than {100 * self.least:g} is a plateau."
        return Verdict(gained < self.least, words, gained, self.least)
