"""Stabilising predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, over_steps, too_early


@dataclass(frozen=True)
class StablePredictions:
    """Stop where the mean of Cohen's kappa of successive predictions over the last `rounds` is >= `least`.

    A round counts once ten labels or more are new; until then the least agreement of its predecessors counts with it.
    The predictions are of the stop set, a fixed uniform sample of the pool. Says that more labels change little of what
    is predicted, not that it is right.

    Source: Bloodgood, Vijay-Shanker. A Method for Stopping Active Learning Based on Stabilizing Predictions and the
    Need for User-Adjustable Stopping. CoNLL 2009.
    """

    name: ClassVar[str] = "stable"
    title: ClassVar[str] = "Stable predictions"
    least: float = 0.99
    rounds: int = 3

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are kappas."""
        values = over_steps(history, "agreement", self.rounds, min)
        if values is None:
            return too_early("predictions to compare", self.rounds)
        mean = sum(values) / len(values)
        said = f"Successive rounds agree by {beside(mean, self.least, 3)} (kappa, {self.rounds} rounds)"
        words = f"{said}; {self.least:g} or more counts as stable."
        return Verdict(mean >= self.least, words, mean, self.least)
