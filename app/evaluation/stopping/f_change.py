"""Delta-F."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, over_steps, too_early


@dataclass(frozen=True)
class FChange:
    """Stop where 1 - 2a / (2a + b + c) < `most` in each of the last `rounds`.

    a items of the stop set have a class in both rounds, b only in the one, c only in the other; the mean over classes,
    which for two classes and the rarer one alone is the rule as published.

    Source: Altschuler, Bloodgood. Stopping Active Learning Based on Predicted Change of F Measure for Text
    Classification. ICSC 2019.
    """

    name: ClassVar[str] = "f_change"
    title: ClassVar[str] = "Change of F"
    most: float = 0.05
    rounds: int = 3

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are differences of F; the value is the largest of the rounds."""
        values = over_steps(history, "f_change", self.rounds, max)
        if values is None:
            return too_early("predictions to compare", self.rounds)
        most = beside(max(values), self.most, 3)
        words = f"F changed by {most} a round at most ({self.rounds} rounds); less than {self.most:g} is still."
        return Verdict(max(values) < self.most, words, max(values), self.most)
