"""Expected gain against the price of a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, not_asked
from app.evaluation.stopping.curve import fitted

HOUR = 3_600.0


@dataclass(frozen=True)
class GainAgainstPrice:
    """Stop where the gain of `more` as many labels again, times its worth, is < their seconds times the wage.

    The gain is the fitted learning curve's; the seconds are the project's own.

    Source: Tomanek, Hahn. A Comparison of Models for Cost-Sensitive Active Learning. COLING 2010; the decision is that
    of Weiss, Tian. Maximizing Classifier Utility When There Are Data Acquisition Costs. DMKD 2008.
    """

    name: ClassVar[str] = "gain"
    title: ClassVar[str] = "Worth of the gain"
    more: float = 0.25
    rounds: int = 8

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are in the currency of the prices."""
        if terms.hour_price is None or terms.point_worth is None:
            return not_asked("the goal says no price of an hour and worth of a point")
        curve = fitted(history)
        known = sum(each.accuracy is not None for each in history)
        if curve is None or terms.seconds is None or known < self.rounds:
            needed = f"a learning curve of {self.rounds} rounds and the time of an answer"
            return Verdict(None, f"Cannot tell yet: it needs {needed}.")
        labels = history[-1].labels
        more = max(1, round(self.more * labels))
        worth = 100 * curve.gain(labels, more) * terms.point_worth
        price = more * terms.seconds / HOUR * terms.hour_price
        words = f"{more:,} labels more would be worth about {worth:,.2f} and cost {price:,.2f}."
        return Verdict(worth < price, words, worth, price)
