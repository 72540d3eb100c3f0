"""Overall uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, last_known, too_early


@dataclass(frozen=True)
class OverallUncertainty:
    """Stop where the mean entropy of the stop set, as a share of the largest possible, is < `most`.

    Rests on probabilities that keep their word, and never stops where classes overlap.

    Source: Zhu, Wang, Hovy. Multi-Criteria-Based Strategy to Stop Active Learning for Data Annotation. COLING 2008.
    """

    name: ClassVar[str] = "uncertainty"
    title: ClassVar[str] = "Overall uncertainty"
    most: float = 0.05

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are shares of the largest entropy."""
        values = last_known(history, "uncertainty", 1)
        if values is None:
            return too_early("probabilities of the pool", 1)
        unsure = beside(100 * values[0], 100 * self.most, 0)
        words = f"The pool is {unsure} % uncertain on the mean; less than {100 * self.most:g} % is sure."
        return Verdict(values[0] < self.most, words, values[0], self.most)
