"""Budget and cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, not_asked


@dataclass(frozen=True)
class Budget:
    """Stop where labels, hours or hours times their price are >= what the goal allows, or its last day is over.

    Labels are the items that the goal counts, with all their answers, and not those that the round learned from: where
    several people answer each item it learns from the first one's answer already.
    """

    name: ClassVar[str] = "budget"
    title: ClassVar[str] = "Budget"

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """The numbers are of the part that is the furthest; the last day of the goal has none."""
        if terms.is_over:
            return Verdict(True, "The last day of the goal is over.")
        spent = [
            ("labels", float(terms.labels), terms.most_labels),
            ("hours", terms.hours, terms.most_hours),
            ("cost", terms.hours * (terms.hour_price or 0.0), terms.most_cost if terms.hour_price else None),
        ]
        asked = [(used / most, name, used, most) for name, used, most in spent if most]
        if not asked:
            return not_asked("the goal names no labels, hours or cost")
        share, name, used, most = max(asked)
        return Verdict(share >= 1, f"{_said(used)} of {_said(float(most))} {name} are spent.", used, float(most))


def _said(number: float) -> str:
    """With two decimals at most, rounded down: what is not spent yet does not look so."""
    return f"{math.floor(100 * number + 1e-6) / 100:,.2f}".rstrip("0").rstrip(".")
