"""Means of several shares with intervals that hold: where nothing went wrong yet, mistakes are still to come.

Resampled rows know only the mistakes that were seen, so of a class without one they promise that there never will be
any. Here each share has its exact interval first, and the distances of the ends from the shares are put together after.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betaincinv

from app.core.arrays import Doubles
from app.evaluation.intervals import Z95

TAIL = 0.025
NOTHING = 1e-9  # of an answer: fewer are none
SPARE = 1.5  # on the squares that are added up, since exact ends are skewed; by benchmarks/intervals.py


def exact(shares: Doubles, counts: Doubles) -> tuple[Doubles, Doubles]:
    """Both ends (k,), (k,) of the exact 95 % intervals of shares (k,) in [0, 1] of counts (k,) above 0, whole or not.

    Source: Clopper, Pearson. The Use of Confidence or Fiducial Limits. Biometrika 1934.
    """
    right, wrong = shares * counts, (1 - shares) * counts
    low = np.where(right < NOTHING, 0.0, betaincinv(np.maximum(right, NOTHING), wrong + 1, TAIL))
    high = np.where(wrong < NOTHING, 1.0, betaincinv(right + 1, np.maximum(wrong, NOTHING), 1 - TAIL))
    return np.minimum(low, shares), np.maximum(high, shares)


def scored(shares: Doubles, counts: Doubles) -> tuple[Doubles, Doubles]:
    """Both ends (k,), (k,) of Wilson's 95 % intervals of shares (k,) in [0, 1] of counts (k,) above 0, whole or not.

    Source: Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA 1927.
    """
    more = Z95**2 / counts
    half = Z95 * np.sqrt(shares * (1 - shares) / counts + unseen(counts))
    low, high = ((shares + more / 2 + each) / (1 + more) for each in (-half, half))
    return np.clip(low, 0.0, shares), np.clip(high, shares, 1.0)


def alike(weights: Doubles) -> Doubles:
    """As many answers as would know as much were all alike, (k,), by weights (n, k) >= 0: (sum w)^2 / sum w^2.

    Source: Kish. Survey Sampling. 1965.
    """
    return np.asarray(weights.sum(axis=0) ** 2 / (weights**2).sum(axis=0), dtype=np.float64)


def unseen(counts: Doubles) -> Doubles:
    """The variance (k,) that a share of counts (k,) may have beyond what was seen: Wilson's z^2 / (4 n^2)."""
    return np.asarray(Z95**2 / (4 * counts**2), dtype=np.float64)


def worth(shares: Doubles, variances: Doubles) -> Doubles:
    """The counts (k,) with which shares (k,) have variances (k,) > 0, what is unseen among them.

    Solves p (1 - p) / n + z^2 / (4 n^2) = v for n.
    """
    spread = shares * (1 - shares)
    return np.asarray((spread + np.sqrt(spread**2 + Z95**2 * variances)) / (2 * variances), dtype=np.float64)


def combine(
    values: Doubles, low: Doubles, high: Doubles, factors: Doubles, together: float
) -> tuple[float, float, float]:
    """The sum of factors (k,) >= 0 times values (k,), and both ends of its interval, by the ends (k,), (k,) of each.

    As far from the sum as the root of the added squares of each one's distance; times `together`, which is 1 where all
    are independent and k where they go up and down as one; never farther than all distances.

    Source: Zou, Donner. Construction of Confidence Limits about Effect Measures. Statistics in Medicine 2008.
    """
    below, above = factors * (values - low), factors * (high - values)
    ends = [min(float(each.sum()), float(np.sqrt(SPARE * together * (each**2).sum()))) for each in (below, above)]
    value = float(factors @ values)
    return value, value - ends[0], value + ends[1]


@dataclass(frozen=True)
class Shares:
    """Shares of the same rows: how right each row is (n, k) of what it counts `inside` (n, k), by weights (n,)."""

    right: Doubles
    inside: Doubles
    weights: Doubles

    @cached_property
    def values(self) -> Doubles:
        """(k,) in [0, 1]."""
        return np.clip(np.asarray(self.weights @ self.right / self._totals, dtype=np.float64), 0.0, 1.0)

    @cached_property
    def counts(self) -> Doubles:
        """How many answers alike would know as much, (k,)."""
        return alike(self.weights[:, None] * self.inside)

    @cached_property
    def variances(self) -> Doubles:
        """Of what was seen, (k,)."""
        return np.asarray((self._errors**2).sum(axis=0), dtype=np.float64)

    def together(self, factors: Doubles, most: float) -> float:
        """How far a sum with factors (k,) errs as one, 1 if independently: its variance by that of its parts.

        What was seen tells as far as it is more than what is `unseen`; of that, each row is thought wrong, or right, in
        all parts that it counts in, and in `most` at least.
        """
        size = self.inside.astype(bool).sum(axis=1).astype(np.float64)
        bound = max(most, float((size**2).sum() / max(size.sum(), 1.0)))
        errors, more = self._errors * factors, float(factors**2 @ unseen(self.counts))
        seen, alone = float((errors.sum(axis=1) ** 2).sum()), float((errors**2).sum())
        return (seen + bound * more) / (alone + more)

    def mean(
        self, f: Callable[[Doubles], Doubles], slope: Callable[[Doubles], Doubles], most: float
    ) -> tuple[float, float, float]:
        """The mean of a rising function of the shares, `slope` its derivative, and both ends of its interval."""
        k = len(self.values)
        thought = (self.values * self.counts + Z95**2 / 2) / (self.counts + Z95**2)  # the middle of Wilson's interval
        low, high = exact(self.values, self.counts)
        return combine(f(self.values), f(low), f(high), np.full(k, 1 / k), self.together(slope(thought), most))

    @cached_property
    def _totals(self) -> Doubles:
        return np.asarray(self.weights @ self.inside, dtype=np.float64)

    @cached_property
    def _errors(self) -> Doubles:
        """What each row adds to the error of each share, (n, k), as far as it was seen."""
        return np.asarray(
            self.weights[:, None] * (self.right - self.values * self.inside) / self._totals, dtype=np.float64
        )
