"""Certified accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.intervals import in_percent
from app.evaluation.stopping.base import Seen, Terms, Verdict, not_asked


@dataclass(frozen=True)
class CertifiedAccuracy:
    """Stop where the lower end of the headline's interval is >= the accuracy of the goal.

    The interval holds at every look (`evaluation/sequence.py`): of 100 projects that stop by it, 95 at least have what
    they stopped for. Where audit items are chosen or the model's expectation is heeded, this is an approximation.
    """

    name: ClassVar[str] = "certified"
    title: ClassVar[str] = "Certified accuracy"

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are accuracies."""
        if terms.accuracy is None:
            return not_asked("the goal names no accuracy")
        low = history[-1].low
        if low is None:
            return Verdict(None, "Cannot tell yet: no audit answers judge the last round.")
        least, _ = in_percent(low, low)  # rounded down: more is not certified
        words = f"At least {least} % right, of {100 * terms.accuracy:.4g} % that the goal asks for."
        return Verdict(low >= terms.accuracy, words, low, terms.accuracy)
