"""Classification change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, over_steps, too_early


@dataclass(frozen=True)
class ClassificationChange:
    """Stop where the share of the stop set that the last round predicts otherwise than the one before is <= `most`.

    Source: Zhu, Wang, Hovy. Multi-Criteria-Based Strategy to Stop Active Learning for Data Annotation. COLING 2008.
    """

    name: ClassVar[str] = "change"
    title: ClassVar[str] = "Changed predictions"
    most: float = 0.002

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are shares."""
        values = over_steps(history, "changed", 1, max)
        if values is None:
            return too_early("a round before", 1)
        changed = beside(100 * values[0], 100 * self.most, 1)
        words = f"The last round changed {changed} % of the predictions; {100 * self.most:g} % or less is still."
        return Verdict(values[0] <= self.most, words, values[0], self.most)
