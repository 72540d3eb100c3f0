"""Whether probabilities keep their word: what was said beside what came true, bin by bin, with intervals.

Source: Naeini, Cooper, Hauskrecht. Obtaining Well Calibrated Probabilities Using Bayesian Binning. AAAI 2015.
"""

from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.intervals import outward, share

BINS = 10
BOOTSTRAP = 200
SMALLEST = 1e-12  # a sum of weights below which there is none


def calibration(said: Floats, was: Floats, seed: int, weights: Doubles | None = None) -> dict[str, Any]:
    """Expected calibration error over ten bins of the probability, from 0 to 1; each bin with what came true in it.

    `said` and `was` (n, k): k probabilities of each item, and how far each came true, in [0, 1]: one of its most
    probable class, or one of each class where several may hold. `weights` (n,) say how many items each stands for.
    Intervals hold 95 % of 200 bootstrap samples of the items, so that the k of one item stay together; of a bin where
    all samples say the same it is Wilson's. The error itself errs on the high side while items are few: chance alone
    keeps bins apart, and more so in the samples, so its lower end is no proof that the probabilities are wrong.
    `n` counts items, those of a bin the items with a probability in it. Costs O(n k + 200 n).
    """
    n = len(said)
    weights = np.ones(n) if weights is None else weights
    bins = bins_of(said)
    inside = [bins == number for number in range(BINS)]
    held = np.stack([each.sum(axis=1) for each in inside], axis=1).astype(np.float64)  # (n, 10)
    told = np.stack([(said * each).sum(axis=1, dtype=np.float64) for each in inside], axis=1)
    true = np.stack([(was * each).sum(axis=1, dtype=np.float64) for each in inside], axis=1)
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(BOOTSTRAP)]
    samples = np.vstack([np.ones(n), *drawn]) * weights
    sums, words, facts = (samples @ each for each in (held, told, true))  # (201, 10)
    errors = np.abs(words - facts).sum(axis=1) / np.maximum(sums.sum(axis=1), SMALLEST)
    low, high = np.quantile(errors[1:], [0.025, 0.975])
    rows = []
    for number in range(BINS):
        if sums[0, number] <= 0:
            continue
        count = int(((held[:, number] > 0) & (weights > 0)).sum())
        there = sums[1:, number] > 0
        shares = facts[1:, number][there] / sums[1:, number][there]
        mean = float(facts[0, number] / sums[0, number])
        rows.append(
            {
                "from": number / BINS,
                "said": round(float(words[0, number] / sums[0, number]), 4),
                "was": round(mean, 4),
                **_ends(shares, mean, count),
                "n": count,
            }
        )
    found = {"error": round(float(errors[0]), 4), **outward(low, high), "n": n}
    return {**found, "bins": rows}


def bins_of(said: Floats | Doubles) -> Indices:
    """Which of the ten bins each probability is in, from 0 to 9; a certainty is in the last."""
    return np.minimum((said.astype(np.float64) * BINS).astype(np.int64), BINS - 1)


def _ends(shares: Doubles, mean: float, n: int) -> dict[str, float]:
    low, high = np.quantile(shares, [0.025, 0.975]) if len(shares) else (mean, mean)
    if high - low < SMALLEST and (wilson := share(mean * n, n)) is not None:
        low, high = wilson.low, wilson.high
    return outward(low, high)
