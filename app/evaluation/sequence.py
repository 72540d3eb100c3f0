"""An accuracy that may be looked at after every round: what its intervals claim, and how they are made.

Every round has another learner, hence another accuracy, and all of them are measured on the same growing audit set. So
there is no one mean that a sequence could close in on. What is claimed instead: over the draw of the audit set, the
intervals of *all* rounds hold the accuracies of *their* learners together, with a chance of at least 95 %. Look k may
fail with a chance of 0.05 k^-1.3 / zeta(1.3); these sum to 0.05 over all looks there will ever be, and the chances of
several failures never add up to more, however the learners hang together. Nothing is intersected over rounds.

Where the learner stays the same while answers come in, there is one mean: `hedged` closes in on it and keeps the
running intersection.
"""

import math

import numpy as np
from scipy.special import betaincinv, gammaln, zeta

from app.core.arrays import Booleans, Doubles, Floats
from app.evaluation.intervals import Estimate

LEVEL = 0.05
FALL = 1.3  # how fast the looks' shares fall: the narrowest bands for 5 to 500 looks among 1.1 to 2
GRID = 1_000
MOST_OF_CAPITAL = 0.75  # of the capital, staked on one answer at most


def level_of(look: int, level: float = LEVEL) -> float:
    """The chance of failing that look k = 1, 2, ... may take: level k^-1.3 / zeta(1.3), which sums to `level`."""
    return float(level * look**-FALL / zeta(FALL))


def at_look(hits: Floats | Doubles, look: int, population: int | None = None) -> Estimate | None:
    """The accuracy of the round's learner by its audit answers, with an interval that stands beside those of all looks.

    `hits` (n,) in [0, 1] say how right the learner is, each about an item that did not teach it, in the order of their
    answers; `population` is the number of items that they were drawn from (None: any number). None without answers.
    Cost: O(n log population), or O(1000 n) where answers disagree, so that hits lie between 0 and 1.
    """
    n = len(hits)
    if n == 0:
        return None
    right, level = float(np.asarray(hits, dtype=np.float64).sum()), level_of(look)
    if np.isin(hits, (0, 1)).all():
        low, high = counted(round(right), n, level, population)
    else:
        lows, highs = hedged(hits, level, population, planned=n)
        low, high = float(lows[-1]), float(highs[-1])
    return Estimate(right / n, low, high, n)


def counted(successes: int, n: int, level: float, population: int | None = None) -> tuple[float, float]:
    """The exact interval at 1 - `level` of a share, of which n drawn without replacement gave `successes`.

    Holds every share of the population whose hypergeometric tails are both above level / 2; the binomial ones without a
    population. It is a point when all were drawn.

    Source: Clopper, Pearson. The Use of Confidence or Fiducial Limits. Biometrika 1934; Buonaccorsi. A Note on
    Confidence Intervals for Proportions in Finite Populations. The American Statistician 1987.
    """
    if population is None:
        low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, level / 2))
        return low, 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - level / 2))
    total = max(population, n)
    lowest = _least(successes, n, total, level / 2)
    highest = total - _least(n - successes, n, total, level / 2)  # the same question about the wrong ones
    return lowest / total, highest / total


def _least(successes: int, n: int, population: int, tail: float) -> int:
    """The smallest number of right ones in the population with which so many successes, or more, are not too rare."""
    low, high = successes, population - (n - successes)
    while low < high:
        middle = (low + high) // 2
        if _at_least(successes, n, middle, population) > tail:
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(successes: int, n: int, right: int, population: int) -> float:
    """The chance of that many right ones or more among n of a population that has `right`."""
    drawn = np.arange(max(successes, n - (population - right)), min(n, right) + 1, dtype=np.float64)
    logs = _choose(right, drawn) + _choose(population - right, n - drawn) - _choose(population, np.array(float(n)))
    return float(np.exp(logs).sum())


def _choose(of: int, take: Doubles) -> Doubles:
    return np.asarray(gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1), dtype=np.float64)


def hedged(
    values: Floats | Doubles, level: float = LEVEL, population: int | None = None, planned: int | None = None
) -> tuple[Doubles, Doubles]:
    """Both ends (n,), (n,), after each value, of a confidence sequence for the mean of a finite population.

    For every candidate mean m one gambler stakes on values (n,) in [0, 1] above, and another below, the mean of what
    is left of a population with that mean: (N m - sum of the earlier ones) / (N - t + 1). Were m true, neither
    could hope to win, so m is given up for good once half of either's capital reaches 1 / level: by Ville's inequality
    the true one ever is with a chance of at most `level`. Stakes are by the variance seen so far. `planned` (values)
    stakes for a single look after so many. Cost: O(1000 n). The ends are rounded outwards to a thousandth.

    Source: Waudby-Smith, Ramdas. Estimating Means of Bounded Random Variables by Betting. JRSS B 2024 (arXiv
    2010.09686), section 5; Confidence Sequences for Sampling Without Replacement. NeurIPS 2020 (arXiv 2006.04347).
    """
    given = np.asarray(values, dtype=np.float64)
    n = len(given)
    total = math.inf if population is None else float(max(population, n))
    stakes = _stakes(given, level, planned)
    means = np.linspace(0, 1, GRID + 1)
    above, below = np.full(GRID + 1, math.log(0.5)), np.full(GRID + 1, math.log(0.5))
    low, high, seen = 0.0, 1.0, 0.0
    ends = np.empty((2, n))
    for t, value in enumerate(given):
        left = means if total == math.inf else (total * means - seen) / (total - t)
        left = np.clip(left, 1e-12, 1 - 1e-12)  # a mean that cannot be any more is cut off by what was seen
        above += np.log1p(np.minimum(stakes[t], MOST_OF_CAPITAL / left) * (value - left))
        below += np.log1p(-np.minimum(stakes[t], MOST_OF_CAPITAL / (1 - left)) * (value - left))
        seen += float(value)
        low = max(low, _last(above >= -math.log(level)), seen / total)
        high = min(high, 1 - _last(below[::-1] >= -math.log(level)), 1 - (t + 1 - seen) / total)
        ends[:, t] = low, high
    return ends[0], ends[1]


def _stakes(values: Doubles, level: float, planned: int | None) -> Doubles:
    """The stake on each value by the variance of those before it; one half and one quarter count as one value more."""
    count = np.arange(1, len(values) + 1)
    apart = (values - (0.5 + np.cumsum(values)) / (count + 1)) ** 2
    variance = (0.25 + np.concatenate([[0.0], np.cumsum(apart)[:-1]])) / count
    horizon = count * np.log(count + 1) if planned is None else np.full(len(values), float(planned))
    return np.asarray(np.sqrt(2 * math.log(2 / level) / (variance * horizon)), dtype=np.float64)


def _last(given_up: Booleans) -> float:
    """The last mean of the grid that was given up; capital against means only falls, or only rises, along the grid."""
    return float(np.flatnonzero(given_up)[-1]) / GRID if given_up.any() else 0.0
