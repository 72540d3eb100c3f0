"""The gain that rounds make likely against the price of a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import LABELS_A_STEP, Seen, Terms, Verdict, not_asked, since

HOUR = 3_600.0
FEWEST_LABELS = 60
MOST_DIGITS = 9


@dataclass(frozen=True)
class GainAgainstPrice:
    """Stop where `more` as many labels again are worth less than they cost, now and a step of ten labels ago.

    The accuracy that they are expected to add is `part` of what the rounds changed in the predictions of the stop set,
    summed over the last labels of which they are `more` as many again: a prediction that changes is a gain or a loss,
    and learning slows down. That part was measured on simulated projects (docs/evaluation.md), where the fitted
    learning curve, on as few audit answers as projects have, said next to nothing of what was to come. It is an
    estimate of its own, then, and not that curve's; too high where predictions change at a border for ever.

    Source: the decision is that of Weiss, Tian. Maximizing Classifier Utility When There Are Data Acquisition Costs.
    DMKD 2008; the estimate is our own.
    """

    name: ClassVar[str] = "gain"
    title: ClassVar[str] = "Worth of the gain"
    more: float = 0.25
    part: float = 0.15

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are in the currency of the prices."""
        if terms.hour_price is None or terms.point_worth is None:
            return not_asked("the goal says no price of an hour and worth of a point")
        if terms.seconds is None:
            return Verdict(None, "Cannot tell yet: it needs the time of an answer.")
        price = terms.seconds / HOUR * terms.hour_price
        earlier = [each for each in history if each.labels <= history[-1].labels - LABELS_A_STEP]
        now, before = (self._weighed(each, price, terms.point_worth) for each in (history, earlier))
        if now is None:
            return Verdict(None, "Cannot tell yet: it needs rounds to compare over the last fifth of the labels.")
        (more, worth, cost), is_less = now, now[1] < now[2]
        value, paid = _told(worth, cost)
        weighed = f"{more:,} labels more would be worth about {value} and cost about {paid}."
        words = f"what rounds change in the predictions, {weighed}"
        if is_less and (before is None or before[1] >= before[2]):
            return Verdict(None, f"Cannot tell yet: by {words} The next labels have to say so too.", worth, cost)
        return Verdict(is_less, f"By {words}", worth, cost)

    def _weighed(self, history: Sequence[Seen], price: float, point: float) -> tuple[int, float, float] | None:
        """Labels to come, what they are worth and what they cost; None where rounds cannot be compared."""
        if not history or history[-1].labels < FEWEST_LABELS:
            return None
        labels, share = history[-1].labels, 1 / (1 + self.more)
        span, steps = since(history, share)
        changes = [each.changed for each in span if each.changed is not None]
        if not steps or history[0].labels > share * labels or len(changes) < len(span):
            return None
        more = max(1, round(self.more * labels))
        return more, 100 * self.part * sum(changes) * point, more * price


def _told(worth: float, cost: float) -> tuple[str, str]:
    """Both with the fewest digits, from two on, by which they compare as they do: neither is known to the cent."""
    for digits in range(2, MOST_DIGITS + 1):
        one, other = (float(f"{each:.{digits}g}") for each in (worth, cost))
        if (one > other) - (one < other) == (worth > cost) - (worth < cost):
            break
    return f"{one:,.{MOST_DIGITS}g}", f"{other:,.{MOST_DIGITS}g}"
