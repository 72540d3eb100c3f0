"""Predictions that have settled since half of the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, since, too_early

FEWEST = 2  # steps of ten new labels or more in a span
FEWEST_LABELS = 60


@dataclass(frozen=True)
class SettledPredictions:
    """Stop where what successive rounds changed, summed since a share of the labels, is <= what that span allows.

    A round's change is 1 - F of its predictions of the stop set against those of the round before, the mean over
    classes (`f_change`). Stability is asked of a span that grows with the labels, because a round of twenty labels is
    half of a young project and nothing to an old one: that so much again was labelled and changed little is what says
    that as much again will. It is summed and not read off the two ends, because predictions that go to and fro have
    not settled either. A shorter span, of which less is allowed, does as well, for projects that cannot look as far
    back: many labels came at once, or other classes. Says that more labels change little of what is predicted, not that
    it is right.

    Source: the measure is that of Altschuler, Bloodgood. Stopping Active Learning Based on Predicted Change of F
    Measure for Text Classification. ICSC 2019; the spans are our own (docs/evaluation.md).
    """

    name: ClassVar[str] = "settled"
    title: ClassVar[str] = "Settled predictions"
    spans: tuple[tuple[float, float], ...] = ((1 / 2, 0.06), (2 / 3, 0.02))

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are sums of differences of F."""
        found = [self._over(history, share, most) for share, most in self.spans]
        told = [each for each in found if each is not None]
        if not told or history[-1].labels < FEWEST_LABELS:
            return too_early("predictions since half of the labels to compare", FEWEST)
        return next((each for each in told if each.stop), told[0])

    def _over(self, history: Sequence[Seen], share: float, most: float) -> Verdict | None:
        """What one span says; None where it has too few steps."""
        span, steps = since(history, share)
        if steps < FEWEST:
            return None
        first = share * history[-1].labels
        total = sum(each.f_change for each in span if each.f_change is not None)
        changed = f"{beside(100 * total, 100 * most, 1)} % of what the model says"
        if total > 1:  # rounds that change the same again: a share of more than everything would mean nothing
            changed = f"what the model says {total:.1f} times over"
        summed = f"Since {first:,.0f} labels the rounds changed {changed} (1 - F, summed)"
        words = f"{summed}; {100 * most:g} % or less counts as settled."
        if total > most:
            return Verdict(False, words, total, most)
        if history[0].labels > first or any(each.agreement is None for each in span):
            return Verdict(None, f"Cannot tell yet: not every round since {first:,.0f} labels can be compared.")
        return Verdict(True, words, total, most)
