"""Prediction-powered accuracy: what audit answers say, corrected by what the learner expects of the other audit items.

The learner's own expected error is known of every item of the audit set, answered or not. Its mean over all of them is
known as well, so how far off the answered ones happen to be on it tells how far off they are on the true error, as much
as the two go together. A learner that knows nothing of its errors changes nothing.
"""

from dataclasses import dataclass

import numpy as np

from app.core.arrays import Doubles
from app.evaluation.active_testing import Judged, interval
from app.evaluation.intervals import Estimate

FEWEST = 15  # wrong answers, and as many right ones, from which the factor can be told


@dataclass(frozen=True)
class Powered:
    """The estimate, and by which factor in [0, 1] the learner's own expectation is heeded."""

    estimate: Estimate
    factor: float


def accuracy(
    judged: Judged, expected: Doubles, mean_expected: float, level: float, population: int | None = None
) -> Powered | None:
    """The accuracy of a learner on `population` items, of which the audit set is a uniform sample.

    None with fewer than fifteen wrong or fifteen right answers: a factor tuned on less fits them too well to be
    believed (with ten, intervals of ten looks held in 90 to 92 of 100 projects of accuracy 0.96).

    `expected` (m,): the learner's expected error of each draw, answered or not: items that people skip may be those of
    which it expects more; `mean_expected`: that of all items of the audit set. The error is f mean_expected +
    mean(error - f expected), by the weights of the draws, with the factor f that has the least variance, tuned on the
    same answers and kept within 0 and 1: it is what calibrates the expectation, for only how the two go together
    matters. As valid as the interval without it, and an approximation as it is. Costs O(m) beyond that.

    Source: Angelopoulos, Bates, Fannjiang, Jordan, Zrnic. Prediction-Powered Inference. Science 2023; Angelopoulos,
    Duchi, Zrnic. PPI++: Efficient Prediction-Powered Inference. arXiv 2311.01453. 2023.
    """
    right = float(judged.counted @ judged.hits)
    if min(right, judged.n - right) < FEWEST:
        return None
    wrong, by_draw = judged.mean(1 - judged.hits)
    thought, thought_by_draw = judged.mean_of_all(expected)
    apart = float(thought_by_draw @ thought_by_draw)
    factor = float(np.clip(by_draw @ thought_by_draw / apart, 0.0, 1.0)) if apart > 0 else 0.0
    left = by_draw - factor * thought_by_draw
    lost = judged.n / (judged.n - 2) if factor > 0 else 1.0  # the same answers tuned it, and flatter it
    error = wrong + factor * (mean_expected - thought)
    return Powered(interval(judged, 1 - error, lost * float(left @ left), level, population), factor)
