"""Max confidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, last_known, too_early


@dataclass(frozen=True)
class MaxConfidence:
    """Stop where even the most uncertain item of the stop set has less than `most` of the largest possible entropy.

    One odd item keeps it from stopping.

    Source: Zhu, Hovy. Active Learning for Word Sense Disambiguation with Methods for Addressing the Class Imbalance
    Problem. EMNLP 2007.
    """

    name: ClassVar[str] = "confidence"
    title: ClassVar[str] = "Most uncertain item"
    most: float = 0.05

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are shares of the largest entropy."""
        values = last_known(history, "most_uncertain", 1)
        if values is None:
            return too_early("probabilities of the pool", 1)
        unsure = beside(100 * values[0], 100 * self.most, 0)
        words = f"The least sure item is {unsure} % uncertain; less than {100 * self.most:g} % is sure."
        return Verdict(values[0] < self.most, words, values[0], self.most)
