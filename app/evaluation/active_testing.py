"""Active testing: audit items drawn by how much they tell of the accuracy, and the estimate that undoes the choice.

What the draws stand for is in `draws`. A drawn item without an answer (skipped, flagged, in somebody's hands, taken out
of the pool since) stays in the account, so that the others do not speak in its place without our knowing how many there
are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.evaluation.draws import Draws
from app.evaluation.intervals import Estimate

UNIFORM = 0.3  # of each draw: a wrong belief of the learner costs little, and a right one gains nearly as much
NEARLY_ALL = 0.5  # of the audit set: with fewer open, that it is a sample itself counts as much as what is open
HARDLY_ANY = 0.1  # of the items right: then these are summed, and not the wrong ones
MOSTLY = 0.6  # of what is not known right
SURE = 0.01  # an expected error that is not believed to be any smaller


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
        """How many items of the audit set would be answered: all of them but those like the ones that were not."""
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
        missing = (~self.answered & self.draws.spoken) * mean
        return mean, self.draws.parts(held + missing) / self.answerable

    def mean_of_all(self, values: Doubles) -> tuple[float, Doubles]:
        """The same over all items of the audit set, of what each drawn one has, answered or not."""
        held, size = self.draws.spoken * values, max(1.0, self.draws.size)
        return self.draws.total(held) / size, self.draws.parts(held) / size

    def spread(self, values: Doubles) -> float:
        """The variance of what the answerable items have, (m,) by draw."""
        weights = self.counted * self.draws.weights
        total = weights.sum()
        if total <= 0:
            return 0.0
        mean = weights @ values / total
        return float(weights @ (values - mean) ** 2 / total)

    @cached_property
    def settled(self) -> Booleans:
        """Which draws (m,) are answered and stand for themselves alone."""
        return (self.counted > 0) & self.draws.settled

    @property
    def moments(self) -> tuple[float, float]:
        """The mean of what an answer weighs that stands for others too, about 1, and of its square."""
        heeded = (self.counted > 0) & ~self.settled
        if not heeded.any():
            return 1.0, 1.0
        weights = self.draws.weights[heeded] * heeded.sum() / max(1.0, self.answerable - self.settled.sum())
        return float(weights.mean()), float((weights**2).mean())


def accuracy(judged: Judged, level: float, population: int | None = None) -> Estimate | None:
    """The accuracy of a learner on `population` items, of which the audit set is a uniform sample; None with no answer.

    The wrong ones are summed, or the right ones where hardly any are: what is summed does not have to make up the set.
    Where a part of it is known and the rest is not mostly right, it may be either, and the wider end of both counts.
    An approximation, no theorem: it rests on the normal distribution, and how often it holds is shown by simulation in
    docs/evaluation.md. Cost: O(draws x strata).
    """
    if judged.n == 0:
        return None
    wrong, parts = judged.mean(1 - judged.hits)
    right, parts_of_right = judged.mean(judged.hits)
    if right < HARDLY_ANY and wrong > 1 - 2 * HARDLY_ANY:
        return interval(judged, right, float(parts_of_right @ parts_of_right), level, population)
    found = interval(judged, 1 - wrong, float(parts @ parts), level, population)
    rest = judged.draws.weights * ((judged.counted > 0) & ~judged.settled)
    if not judged.settled.any() or rest @ judged.hits >= MOSTLY * rest.sum():
        return found
    other = interval(judged, right, float(parts_of_right @ parts_of_right), level, population)
    return Estimate(found.value, min(found.low, other.low), max(found.high, other.high), found.n)


def interval(judged: Judged, value: float, variance: float, level: float, population: int | None) -> Estimate:
    """An accuracy with its interval at 1 - `level`, by the variance of the draws.

    As that of Wilson, which it is where nothing was chosen, with z^2 answers thought in, half of them right, that weigh
    as the others do: so errors are reckoned with before one is seen. Answers that stand for themselves alone are known.
    That the audit set is a uniform sample itself, of `size` items, adds the variance of right and wrong over `size`,
    times 1 - size / population, to that of the draws. Where half of the set or less is open, that is much of it, and
    has to be reckoned with before it is seen as well: so the z^2 answers are thought into both together too, and the
    wider end of the two counts.

    Source: Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA 1927.
    """
    value = min(1.0, max(0.0, value))
    z = -float(ndtri(level / 2))
    ends = [
        (middle - z * math.sqrt(doubt), middle + z * math.sqrt(doubt))
        for middle, doubt in _middles(judged, value, variance, z**2, population)
    ]
    low, high = min(each[0] for each in ends), max(each[1] for each in ends)
    return Estimate(value, max(0.0, min(low, value)), min(1.0, max(high, value)), judged.n)


def _middles(
    judged: Judged, value: float, variance: float, more: float, population: int | None
) -> Iterator[tuple[float, float]]:
    """The middle and the variance of an accuracy, with so many answers thought into the draws, and into all of it."""
    size = max(1.0, judged.draws.size)
    beyond = max(0.0, 1 - size / population) if population else 1.0
    known = int(judged.settled.sum())  # of these nothing is in doubt
    n, rest = judged.n - known, size - known
    left = max(0.0, 1 - n / rest) if rest > 0 else 0.0
    if left == 0.0:  # nothing of the audit set is unknown, and no more of the pool than a sample of that size leaves
        more *= beyond
        middle = (size * value + more / 2) / (size + more)
        yield middle, beyond * (size * value * (1 - value) + more / 4) / (size + more) ** 2
        return
    sampled = judged.spread(judged.hits) / size * beyond
    part, heeded = rest / size, n / left
    first, second = judged.moments
    right = float(judged.hits[judged.settled].sum()) / size
    of_rest = min(1.0, max(0.0, (value - right) / part))
    middle = right + part * (heeded * of_rest + more * (1 - first / 2)) / (heeded + more)
    yield middle, (heeded**2 * variance + part**2 * more * second / 4) / (heeded + more) ** 2 + sampled
    if left > NEARLY_ALL:
        return
    of_draws, of_set = part**2 / max(heeded, 1e-9), beyond / size
    worth, drawn_ = 1 / (of_draws + of_set), of_draws / (of_draws + of_set)
    first, second = drawn_ * first + 1 - drawn_, drawn_ * second + 1 - drawn_
    middle = (worth * value + more * (1 - first / 2)) / (worth + more)
    yield middle, (worth**2 * (variance + sampled) + more * second / 4) / (worth + more) ** 2
