"""Predictions that have settled since half of the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.evaluation.stopping.base import Seen, Terms, Verdict, too_early

FEWEST = 2  # rounds since half of the labels


@dataclass(frozen=True)
class SettledPredictions:
    """Stop where what successive rounds changed, summed since half of the labels, is <= `most`.

    A round's change is 1 - F of its predictions of the stop set against those of the round before, the mean over
    classes (`f_change`). Stability is asked of a span that grows with the labels, because a round of twenty labels is
    half of a young project and nothing to an old one: that so much again was labelled and changed little is what says
    that as much again will. It is summed and not read off the two ends, because predictions that go to and fro have
    not settled either. Says that more labels change little of what is predicted, not that it is right.

    Source: the measure is that of Altschuler, Bloodgood. Stopping Active Learning Based on Predicted Change of F
    Measure for Text Classification. ICSC 2019; the span is our own (docs/evaluation.md).
    """

    name: ClassVar[str] = "settled"
    title: ClassVar[str] = "Settled predictions"
    most: float = 0.06

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are sums of differences of F."""
        half = history[-1].labels / 2
        span = [each for each in history if each.labels > half]
        changes = [each.f_change for each in span if each.f_change is not None]
        if len(changes) < FEWEST:
            return too_early("predictions since half of the labels to compare", FEWEST)
        total = sum(changes)
        words = (
            f"Since {half:,.0f} labels the rounds changed {100 * total:.1f} % of what the model says (1 - F, summed); "
            f"{100 * self.most:g} % or less counts as settled."
        )
        if total > self.most:
            return Verdict(False, words, total, self.most)
        whole = history[0].labels <= half and all(each.agreement is not None for each in span)
        if not whole:
            return Verdict(None, "Cannot tell yet: not every round since half of the labels can be compared.")
        return Verdict(True, words, total, self.most)
