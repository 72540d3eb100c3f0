"""Active testing: audit items drawn by how much they tell of the accuracy, and the estimate that undoes the choice.

Every draw is one of the items that were open then, with a chance that is kept beside it. So whatever is asked later of
any learner, the drawn items stand for all of the audit set once each is weighed by its chance. Items that come in later
are a cohort of their own, of which only the draws since then tell. A drawn item without an answer (skipped, flagged, in
somebody's hands, taken out of the pool since) stays in the account, so that the others do not speak in its place
without our knowing how many there are.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.evaluation.intervals import Estimate

UNIFORM = 0.3  # of each draw: a wrong belief of the learner costs little, and a right one gains nearly as much
SURE = 0.01  # an expected error that is not believed to be any smaller
FEWEST = 5  # draws since a cohort came in, before anything is said of it


def expected_errors(probabilities: Floats, multiple: bool) -> Doubles:
    """How probably each prediction (n, c) is wrong by the learner's own word, (n,) in [0, 1].

    One class: 1 - max p. Several: 1 minus the chance that every class is on its right side of one half.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    sure = np.maximum(given, 1 - given).prod(axis=1) if multiple else given.max(axis=1)
    return np.asarray(np.clip(1 - sure, 0.0, 1.0), dtype=np.float64)


def proposal(errors: Doubles, uniform: float = UNIFORM) -> Doubles:
    """The chance of each of n open items to be drawn next, (n,), summing to 1: by the root of its expected error.

    (1 - uniform) sqrt(e_i) / sum sqrt(e) + uniform / n: an item that is wrong with a chance e_i tells the most for its
    answer there, and the uniform part bounds what one answer may weigh by 1 / uniform. No learner is believed to be
    surer than 0.99. Errors that nobody knows (NaN) are taken as the mean of the others; without any all are alike.

    Source: Sawade, Landwehr, Bickel, Scheffer. Active Risk Estimation. ICML 2010.
    """
    known = np.maximum(errors[np.isfinite(errors)], SURE)
    if not len(errors):
        return np.empty(0)
    roots = np.full(len(errors), math.sqrt(known.mean() if known.size else 1.0))
    roots[np.isfinite(errors)] = np.sqrt(known)
    return np.asarray((1 - uniform) * roots / roots.sum() + uniform / len(errors), dtype=np.float64)


def drawn(chances: Doubles, count: int, rng: Generator) -> Indices:
    """Positions of `count` of n items drawn one after the other without replacement, in their order.

    Each draw takes one of those that are left with a chance in proportion to `chances` (n,), all above 0. The first
    arrivals of n clocks, one an item, do so; so an order from which some items are taken out is one of the others.
    """
    arrivals = rng.standard_exponential(len(chances)) / chances
    return np.argsort(arrivals, kind="stable")[:count]


def chances_of(order: Indices, chances: Doubles) -> Doubles:
    """The chance that each draw of an order (k,) had when it was made: of what was left, (k,)."""
    mine = chances[order]
    left = chances.sum() - np.concatenate([[0.0], np.cumsum(mine)[:-1]])
    return np.asarray(mine / np.maximum(left, mine), dtype=np.float64)


@dataclass(frozen=True)
class Draws:
    """All draws of a project in their order, (m,) each, and the audit set that they are of.

    `chances`: of the draw, given those before it; `left`: how many items could have been drawn, this one among them;
    `newest`: no item with a higher id could. `frame` (n,): the ids of the audit set as it is now, in any order.
    `barred` (b,): items that are no part of it, drawn or not, as a lower audit share would not have taken them.
    `answered` (m,): the draws with an answer; None for all of them.
    """

    items: Indices
    chances: Doubles
    left: Indices
    newest: Indices
    frame: Indices
    barred: Indices = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    answered: Booleans | None = None

    @classmethod
    def by_chance(cls, count: int, size: int) -> "Draws":
        """`count` draws from `size` items, each as likely as any other."""
        left = max(size, count) - np.arange(count, dtype=np.int64)
        frame = np.arange(max(size, count), dtype=np.int64)
        return cls(frame[:count], 1 / left, left, np.full(count, len(frame)), frame)

    @property
    def uniform(self) -> bool:
        """Whether every draw took any of the items left with the same chance, of one cohort: nothing was chosen."""
        return bool(np.allclose(self.chances * self.left, 1)) and len(self._ends) <= 1

    @cached_property
    def _ends(self) -> Indices:
        """The highest id of each cohort, rising, (c,)."""
        return np.unique(np.maximum.accumulate(self.newest))

    @cached_property
    def _since(self) -> Indices:
        """The first draw that could take an item of each cohort, (c,)."""
        return np.searchsorted(np.maximum.accumulate(self.newest), self._ends, side="left")

    @cached_property
    def _told(self) -> Booleans:
        """Which cohorts have draws with answers enough to be spoken of, (c,)."""
        said = np.ones(len(self.items), dtype=np.bool_) if self.answered is None else self.answered
        return np.asarray(np.append(np.cumsum(said[::-1])[::-1], 0)[self._since] >= FEWEST)

    @property
    def told_to(self) -> int:
        """The highest id that may be spoken of, 0 for none."""
        return int(self._ends[self._told].max(initial=0))

    def _cohort(self, items: Indices) -> Indices:
        """The cohort of each item (n,); c for those that came after the last draw."""
        return np.asarray(np.searchsorted(self._ends, items, side="left"), dtype=np.int64)

    @cached_property
    def size(self) -> int:
        """How many items of the audit set the draws speak of, those drawn and taken out since among them."""
        known = np.union1d(self.frame, self.items)
        return int(self.tells_of(known).sum())

    @cached_property
    def unheard(self) -> int:
        """How many items of the audit set came in too late for the draws to speak of them."""
        known = np.union1d(self.frame, self.items)
        return len(np.setdiff1d(known, self.barred)) - self.size

    @cached_property
    def changed(self) -> bool:
        """Whether the audit set that any of the draws was of is another one now: items were taken out, or came back.

        A draw knows how many items were left. Those behind its newest one had all been drawn before.
        """
        known = np.union1d(self.frame, self.items)
        left = np.searchsorted(known, np.maximum.accumulate(self.newest), side="right") - np.arange(len(self.items))
        return bool((left != self.left).any())

    @cached_property
    def certain(self) -> float:
        """Which share of the audit set the draws were of, in [0, 1]: what came back since is not spoken of."""
        if not self.changed or not self.size:
            return 1.0
        return min(1.0, self.total(self.spoken.astype(np.float64)) / self.size)

    @cached_property
    def spoken(self) -> Booleans:
        """Which draws (m,) are of an item that is spoken of."""
        return self.tells_of(self.items)

    def tells_of(self, items: Indices) -> Booleans:
        """Which items (n,) the draws tell of: those that came in before the last few of them."""
        told: Booleans = np.append(self._told, False)
        return np.asarray(told[self._cohort(items)] & ~np.isin(items, self.barred))

    def _shares(self, since: int) -> Doubles:
        """How much each draw from `since` on is heeded, summing to 1: in proportion to 1 / (left (left - 1)).

        So the estimate is LURE while nothing comes in. A draw of the last item left knows all, and is heeded alone.
        """
        left = self.left[since:].astype(np.float64)
        if (left <= 1).any():
            return np.asarray((left <= 1) / (left <= 1).sum(), dtype=np.float64)
        given = 1 / (left * (left - 1))
        return np.asarray(given / given.sum(), dtype=np.float64)

    @cached_property
    def weights(self) -> Doubles:
        """How many items of the audit set each draw stands for, (m,): LURE's v_m N / M while nothing comes in.

        v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1) for draw m of M from N items, with its chance q_m.

        Source: Farquhar, Gal, Rainforth. On Statistical Bias in Active Learning. ICLR 2021; Kossen, Farquhar, Gal,
        Rainforth. Active Testing. ICML 2021.
        """
        found = np.zeros(len(self.items))
        mine = self._cohort(self.items)
        for cohort, since in enumerate(self._since):
            if self._told[cohort]:
                shares = self._shares(since)
                later = 1 - np.cumsum(shares)
                here = mine[since:] == cohort
                found[since:][here] = (shares / self.chances[since:] + later)[here]
        return found

    def total(self, values: Doubles) -> float:
        """The unbiased estimate of the sum over the audit set of what each item has, by that of the drawn ones (m,)."""
        return float(self.weights @ values)

    def parts(self, values: Doubles) -> Doubles:
        """What each draw (m,) added to the error of `total`: their squares sum to an estimate of its variance.

        Each draw alone is an unbiased estimate, given those before it: what they saw and its own value over its chance.
        """
        found = np.zeros(len(self.items))
        mine = self._cohort(self.items)
        for cohort, since in enumerate(self._since):
            if self._told[cohort]:
                held = np.where(mine == cohort, values, 0.0)[since:]
                alone = np.concatenate([[0.0], np.cumsum(held)[:-1]]) + held / self.chances[since:]
                shares = self._shares(since)
                kept = np.maximum(
                    1 - shares, np.finfo(np.float64).tiny
                )  # a draw is not as far from a mean that holds it
                found[since:] += shares * (alone - shares @ alone) / np.sqrt(kept)
        return found


@dataclass(frozen=True)
class Judged:
    """What the answers say about a learner: how right it is, (m,) in [0, 1] by draw, and which draws have an answer."""

    draws: Draws
    hits: Doubles
    answered: Booleans

    @cached_property
    def counted(self) -> Doubles:
        """1 for draws that are answered and spoken of, 0 for the others, (m,)."""
        return (self.answered & self.draws.spoken).astype(np.float64)

    @cached_property
    def answerable(self) -> float:
        """How many items of the audit set would be answered: all of them but those like the ones that were not.

        As the draws say, where they were of other items than are there now.
        """
        if self.draws.changed:
            return max(self.draws.total(self.counted), float(self.counted.sum()), 1.0)
        missing = (~self.answered & self.draws.spoken).astype(np.float64)
        return max(self.draws.size - self.draws.total(missing), float(self.counted.sum()))

    @property
    def n(self) -> int:
        """Answers that count."""
        return int(self.counted.sum())

    def mean(self, values: Doubles) -> tuple[float, Doubles]:
        """The mean over the answerable items of what each has, (m,) by draw, and what each draw added to its error.

        The squares of these parts (m,) sum to the variance, that of a ratio where some draws are unanswered.
        """
        held = self.counted * values
        mean = self.draws.total(held) / self.answerable
        if self.draws.changed:
            return mean, self.draws.parts(self.counted * (values - mean)) / self.answerable
        missing = (~self.answered & self.draws.spoken) * mean
        return mean, self.draws.parts(held + missing) / self.answerable

    def spread(self, values: Doubles) -> float:
        """The variance of what the answerable items have, (m,) by draw."""
        weights = self.counted * self.draws.weights
        total = weights.sum()
        if total <= 0:
            return 0.0
        mean = weights @ values / total
        return float(weights @ (values - mean) ** 2 / total)

    @property
    def moments(self) -> tuple[float, float]:
        """The mean of what an answer weighs, about 1, and of its square."""
        weights = self.draws.weights[self.counted > 0] * self.n / self.answerable
        return float(weights.mean()), float((weights**2).mean())


def accuracy(judged: Judged, level: float, population: int | None = None) -> Estimate | None:
    """The accuracy of a learner on `population` items, of which the audit set is a uniform sample; None with no answer.

    An approximation, no theorem: it rests on the normal distribution, and how often it holds is shown by simulation in
    docs/evaluation.md. Cost: O(draws x cohorts).
    """
    if judged.n == 0:
        return None
    wrong, parts = judged.mean(1 - judged.hits)
    return interval(judged, 1 - wrong, float(parts @ parts), level, population)


def interval(judged: Judged, value: float, variance: float, level: float, population: int | None) -> Estimate:
    """An accuracy with its interval at 1 - `level`, by the variance of the draws.

    As that of Wilson, which it is where nothing was chosen, with z^2 answers thought in, half of them right, that weigh
    as the others do: so errors are reckoned with before one is seen. That the audit set is a uniform sample itself, of
    `size` items, adds the variance of right and wrong over `size`, times 1 - size / population.

    Source: Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA 1927.
    """
    z, value = -float(ndtri(level / 2)), min(1.0, max(0.0, value))
    size = max(1, judged.draws.size)
    beyond = max(0.0, 1 - size / population) if population else 1.0
    sampled = judged.spread(judged.hits) / size * beyond
    left = max(0.0, 1 - judged.n / size)
    if left == 0.0:  # nothing of the audit set is unknown, and no more of the pool than a sample of that size leaves
        more = z**2 * beyond
        middle, doubt = (size * value + more / 2) / (size + more), 0.0
        sampled = beyond * (size * value * (1 - value) + more / 4) / (size + more) ** 2
    else:
        n, more = judged.n / left, z**2
        first, second = judged.moments
        middle = (n * value + more * (1 - first / 2)) / (n + more)
        doubt = (n**2 * variance + more * second / 4) / (n + more) ** 2
    half = z * math.sqrt(doubt + sampled)
    low, high = max(0.0, min(middle - half, value)), min(1.0, max(middle + half, value))
    return Estimate(value, low, high, judged.n)
