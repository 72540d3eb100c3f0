"""Whether new items are like the earlier ones: a classifier, taught on half of both, tries to tell the rest apart.

The classifier is kernel ridge regression, of which the direction is the witness of the kernel two-sample test. It meets
the other half for the first time, and under no difference every order of its scores there is equally likely; so the
rank sum test of Mann and Whitney holds what it claims, whatever the classifier. How often a new item scores above an
earlier one is what people are told. A project looks again and again: each look takes its share of 5 % by its number
(`sequence.level_of`), so that a project whose items never change hears a false alarm with a chance of 5 % in all.

The vectors have to treat both sides alike. Those of a featurizer that learned from the earlier items alone do not: what
it has seen lies closer together, and made texts that never changed were told apart in every project.

Source: Lopez-Paz, Oquab. Revisiting Classifier Two-Sample Tests. ICLR 2017; Rabanser, Guennemann, Lipton. Failing
Loudly: An Empirical Study of Methods for Detecting Dataset Shift. NeurIPS 2019; Kuebler, Stimper, Buchholz, Muandet,
Schoelkopf. AutoML Two-Sample Test. NeurIPS 2022 (the witness, taught on one half).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, norm

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.evaluation.intervals import Estimate
from app.evaluation.sequence import level_of

FEWEST = 30  # items on either side, below which nothing is said
MOST = 1_000  # items on either side that are compared
GROWN = 1.25  # times as many new items as at the last look make another one
NOTICED = 0.6  # of pairs: what is told apart more seldom is no alarm, however sure it is
RIDGE = 0.3


@dataclass(frozen=True)
class Told:
    """The share of pairs in which the new item was told from the earlier one, the chance of that without a difference,
    and how unlike the earlier ones each new item looks to a classifier that never saw it (n,): 0.5 is as likely either.
    """

    apart: Estimate
    chance: float
    unlike: Doubles


def told_apart(earlier: Floats, new: Floats, seed: int, level: float = 0.05) -> Told:
    """Compare vectors (m, d) with (n, d), both at least 2; the interval is of this look, at 1 - `level`.

    Two fits of half of the rows each; only the first one is tested, the other one scores the rows that taught it.
    Costs O((m + n)^2 d + (m + n)^3).
    """
    rng = np.random.default_rng(seed)
    rows = np.concatenate([earlier, new]).astype(np.float64)
    is_new = np.arange(len(rows)) >= len(earlier)
    first = np.zeros(len(rows), dtype=np.bool_)
    for side in (np.flatnonzero(~is_new), np.flatnonzero(is_new)):
        first[rng.permutation(side)[: len(side) // 2]] = True
    taught, judged = np.flatnonzero(first), np.flatnonzero(~first)
    scores = np.empty(len(rows))
    scores[judged] = _scores(rows, is_new, taught, judged)
    scores[taught] = _scores(rows, is_new, judged, taught)
    mine, theirs = scores[judged[is_new[judged]]], scores[judged[~is_new[judged]]]
    found = mannwhitneyu(mine, theirs, alternative="greater", method="asymptotic")
    apart = float(found.statistic) / (len(mine) * len(theirs))
    return Told(_interval(apart, len(mine), len(theirs), level), float(found.pvalue), scores[is_new])


def alarms(found: Told, look: int) -> bool:
    """Whether this look, the project's first, second, ..., finds a difference, and one that matters."""
    return found.chance < level_of(look) and found.apart.value >= NOTICED


def _scores(rows: Doubles, is_new: Booleans, taught: Indices, judged: Indices) -> Doubles:
    """What kernel ridge regression, with both sides of equal weight, says of other rows, moved so that 0.5 is even."""
    known, asked = rows[taught], rows[judged]
    far = _squares(known, known)
    middle = float(np.median(far[np.triu_indices(len(known), 1)])) if len(known) > 1 else 1.0
    width = middle if middle > 1e-12 else 1.0
    share = is_new[taught].mean()
    targets = np.where(is_new[taught], 1 - share, -share)
    weights = np.where(is_new[taught], 0.5 / share, 0.5 / (1 - share))
    kernel = np.exp(-far / width)
    found = np.linalg.solve(kernel + RIDGE * np.diag(1 / weights), targets)
    return np.asarray(0.5 + np.exp(-_squares(asked, known) / width) @ found, dtype=np.float64)


def _squares(left: Doubles, right: Doubles) -> Doubles:
    """Squared distances (n, m)."""
    both = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.asarray(np.maximum(both, 0.0), dtype=np.float64)


def _interval(apart: float, new: int, earlier: int, level: float) -> Estimate:
    """The interval of a share of pairs.

    Source: Hanley, McNeil. The Meaning and Use of the Area under a ROC Curve. Radiology 1982.
    """
    one, other = apart / (2 - apart), 2 * apart**2 / (1 + apart)
    variance = apart * (1 - apart) + (new - 1) * (one - apart**2) + (earlier - 1) * (other - apart**2)
    half = float(norm.ppf(1 - level / 2)) * math.sqrt(max(variance, 0.0) / (new * earlier))
    return Estimate(apart, max(0.0, apart - half), min(1.0, apart + half), new)
