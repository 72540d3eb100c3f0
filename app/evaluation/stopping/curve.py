"""The learning curve, and what it says of labels to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.evaluation.stopping.base import Seen, Terms, Verdict, beside, too_early

FEWEST_POINTS = 4
FALLS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Curve:
    """a - b n^-c, with b >= 0: the accuracy that the audit answers make likely at n labels."""

    a: float
    b: float
    c: float

    def at(self, labels: float) -> float:
        return float(self.a - self.b * labels**-self.c)

    def gain(self, labels: int, more: int) -> float:
        """What so many labels more would add, in [0, 1]."""
        return max(0.0, self.at(labels + more) - self.at(labels))


def fitted(history: Sequence[Seen]) -> Curve | None:
    """The curve nearest to the rounds' accuracies, weighted by their judges, c of a few; None with too few rounds.

    Source: Figueroa, Zeng-Treitler, Kandula, Ngo. Predicting Sample Size Required for Classification Performance. BMC
    Medical Informatics and Decision Making 2012.
    """
    known = [each for each in history if each.accuracy is not None and each.labels > 0]
    if len({each.labels for each in known}) < FEWEST_POINTS:
        return None
    labels = np.array([each.labels for each in known], dtype=np.float64)
    weights = np.sqrt([max(each.judges, 1) for each in known])
    accuracy = np.array([each.accuracy for each in known], dtype=np.float64)
    best, least = None, np.inf
    for c in FALLS:
        design = np.stack([np.ones_like(labels), -(labels**-c)], axis=1)
        (a, b), *_ = np.linalg.lstsq(design * weights[:, None], accuracy * weights, rcond=None)
        if b < 0:  # it does not rise: the best curve that does not fall is flat
            a, b = float(np.average(accuracy, weights=weights**2)), 0.0
        off = float(((design @ np.array([a, b]) - accuracy) ** 2 * weights**2).sum())
        if off < least - 1e-12:
            best, least = Curve(float(a), float(b), c), off
    return best


@dataclass(frozen=True)
class CurveExtrapolation:
    """Stop where the fitted curve a - b n^-c gains less than `least` by `more` as many labels again.

    Source: see `fitted`.
    """

    name: ClassVar[str] = "curve"
    title: ClassVar[str] = "Learning curve"
    least: float = 0.005
    more: float = 0.25

    def judge(self, history: Sequence[Seen], terms: Terms) -> Verdict:
        """Both numbers are differences of accuracy."""
        curve = fitted(history)
        if curve is None or not history[-1].labels:  # all of them were taken out since: the curve begins at one
            return too_early("accuracies", FEWEST_POINTS)
        labels = history[-1].labels
        more = max(1, round(self.more * labels))
        gain = curve.gain(labels, more)
        points = beside(100 * gain, 100 * self.least, 1)
        rise = f"The fitted curve rises by about {points} points over {more:,} labels more"
        words = f"{rise}; less than {100 * self.least:g} is little."
        return Verdict(gain < self.least, words, gain, self.least)
