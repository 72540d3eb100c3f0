"""Whether probabilities keep their word: what was said beside what came true, bin by bin, with intervals.

Source: Naeini, Cooper, Hauskrecht. Obtaining Well Calibrated Probabilities Using Bayesian Binning. AAAI 2015.
"""

from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.combined import Shares, combine, exact, unseen, worth
from app.evaluation.intervals import outward

BINS = 10


def calibration(said: Floats, was: Floats, weights: Doubles | None = None) -> dict[str, Any]:
    """Expected calibration error over ten bins of the probability, from 0 to 1; each bin with what came true in it.

    `said` and `was` (n, k): k probabilities of each item, and how far each came true, in [0, 1]: one of its most
    probable class, or one of each class where several may hold. `weights` (n,) say how many items each stands for.
    A bin's interval is the exact one of as many answers as would err as much, the k of one item going together; that of
    the error puts together how far what comes true may lie from what is said, and at its lower end how near in all bins
    at once. The error itself errs on the high side while items are few, as chance alone keeps bins apart. `n` counts
    items, those of a bin the items with a probability in it. Costs O(n k).
    """
    n = len(said)
    weights = np.ones(n) if weights is None else weights
    bins = bins_of(said)
    inside = [bins == number for number in range(BINS)]
    held = np.stack([each.sum(axis=1) for each in inside], axis=1).astype(np.float64)  # (n, 10)
    told = np.stack([(said * each).sum(axis=1, dtype=np.float64) for each in inside], axis=1)
    true = np.stack([(was * each).sum(axis=1, dtype=np.float64) for each in inside], axis=1)
    there = np.flatnonzero(weights @ held > 0)
    if not there.size:
        return {"error": 0.0, "low": 0.0, "high": 1.0, "n": n, "bins": []}
    sums = weights @ held[:, there]
    facts, words = Shares(true[:, there], held[:, there], weights), weights @ told[:, there] / sums
    low, high = exact(facts.values, worth(facts.values, facts.variances + unseen(facts.counts)))
    near = np.maximum(0.0, np.maximum(low - words, words - high))
    far = np.maximum(np.abs(words - low), np.abs(words - high))
    factors = sums / sums.sum()
    error, _, most = combine(np.abs(words - facts.values), near, far, factors, facts.together(factors, 1.0))
    least = float(factors @ near)  # chance keeps all bins apart at once, so what it does is never averaged away
    rows = [
        {
            "from": int(number) / BINS,
            "said": round(float(words[at]), 4),
            "was": round(float(facts.values[at]), 4),
            **outward(low[at], high[at]),
            "n": int(((held[:, number] > 0) & (weights > 0)).sum()),
        }
        for at, number in enumerate(there)
    ]
    return {"error": round(error, 4), **outward(least, most), "n": n, "bins": rows}


def bins_of(said: Floats | Doubles) -> Indices:
    """Which of the ten bins each probability is in, from 0 to 9; a certainty is in the last."""
    return np.minimum((said.astype(np.float64) * BINS).astype(np.int64), BINS - 1)
