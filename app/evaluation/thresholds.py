"""What every threshold on the probability of one class finds and gets right: ROC and precision-recall curves.

The area under the first is the chance that an item of the class gets a higher probability than another one; average
precision is the second's: how right the model is on the mean, going through the items from the most probable on.

Source: Fawcett. An Introduction to ROC Analysis. Pattern Recognition Letters 27, 2006. Davis, Goadrich. The
Relationship Between Precision-Recall and ROC Curves. ICML 2006.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.evaluation.combined import alike, combine, scored, unseen, worth
from app.evaluation.intervals import outward, share

AREAS = ("roc_auc", "average_precision")
BOOTSTRAP = 200
BOTH = 2.0  # an item that is ranked wrongly is so for its own class and for another one
AT_ONCE = 25  # samples of the rows in memory
ROUNDED = 6  # places of a threshold: by it the items are found that are taken
POINTS = 24  # thresholds of a class that are kept
MOST_CURVES = 30  # classes up to which they are; of more only the areas


@dataclass(frozen=True)
class Ranked:
    """How well the probabilities (n, c) of each class rank the items of that class.

    `classes` has for each one `roc_auc` and `average_precision` with 95 % intervals, None where all items are
    of the class or none is, and `thresholds`: rows of the probability from which an item is taken, the share of the
    class that is found (recall), the share of the others that is taken too (false alarms), and the share of what is
    taken that is right (precision); None beyond 30 classes. `bounds` has a row for each of these: how many are taken,
    and the ends of Wilson's intervals of the share that is found and of the share that is right. `macro` holds the
    means over the classes that have both.
    """

    classes: list[dict[str, Any]]
    macro: dict[str, dict[str, Any] | None]


@dataclass(frozen=True)
class _Curve:
    """By distinct thresholds, falling: weights of what is taken, of the class (s, t) and of others; s samples."""

    thresholds: Floats
    right: Doubles
    wrong: Doubles

    def areas(self) -> tuple[Doubles, Doubles]:
        """ROC areas and average precisions (s,); not a number where a sample lacks one of the two kinds."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = np.pad(self.right / self.right[:, -1:], ((0, 0), (1, 0)))
            alarms = np.pad(self.wrong / self.wrong[:, -1:], ((0, 0), (1, 0)))
            taken = self.right + self.wrong
            precision = np.where(taken > 0, self.right / np.where(taken > 0, taken, 1), 1.0)
            steps = np.diff(found)
            auc = (np.diff(alarms) * (found[:, 1:] + found[:, :-1]) / 2).sum(axis=1)
            mean = (steps * precision).sum(axis=1)
        return auc, np.where(np.isnan(auc), np.nan, mean)


def ranked(probabilities: Floats, truth: Booleans, weights: Doubles, seed: int) -> Ranked:
    """Curves and areas of every class from probabilities and membership (n, c) and weights (n,) of the rows.

    Each sample of the rows is drawn once for all classes. Costs O(c n (log n + 200)).
    """
    n, classes = truth.shape
    samples = _samples(n, weights, seed)
    orders = [np.argsort(-probabilities[:, i], kind="stable") for i in range(classes)]
    areas = np.empty((classes, 2, len(samples)))
    found: list[dict[str, Any]] = []
    for i, order in enumerate(orders):
        parts = []
        for start in range(0, len(samples), AT_ONCE):
            curve = _curve(probabilities[order, i], truth[order, i], samples[start : start + AT_ONCE][:, order])
            parts.append(curve.areas())
            if start == 0 and classes <= MOST_CURVES:
                places = _places(curve)
                shown = _points(curve, places)
        areas[i] = np.concatenate([np.stack(part) for part in parts], axis=1)
        told = classes <= MOST_CURVES and np.isfinite(areas[i, 0, 0])
        kept: dict[str, Any] = dict.fromkeys((*AREAS, "thresholds", "bounds"))
        if told:
            bounds = _bounds(probabilities[order, i], truth[order, i], weights[order], places)
            kept |= {"thresholds": shown, "bounds": bounds}
        found.append(kept)
    known = np.flatnonzero(np.isfinite(areas[:, 0, 0]))
    if not known.size:
        return Ranked(found, dict.fromkeys(AREAS))
    rarer = np.minimum(*(alike(weights[:, None] * each[:, known]) for each in (truth, ~truth)))
    macro: dict[str, dict[str, Any] | None] = {}
    counts = (truth[:, known] & (weights > 0)[:, None]).sum(axis=0)
    for k, name in enumerate(AREAS):
        each, macro[name] = _estimates(areas[known, k], counts, rarer, n)
        for row, estimate in zip(known, each, strict=True):
            found[int(row)][name] = estimate
    return Ranked(found, macro)


def _samples(n: int, weights: Doubles, seed: int) -> Doubles:
    """The weights (1 + 200, n) of the rows themselves and of bootstrap samples of them."""
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(BOOTSTRAP)]
    return np.vstack([np.ones(n), *drawn]) * weights


def _curve(scores: Floats, truth: Booleans, weights: Doubles) -> _Curve:
    """Of rows from the highest score on; equal scores are taken together."""
    last: Indices = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    right, wrong = np.cumsum(weights * truth, axis=1)[:, last], np.cumsum(weights * ~truth, axis=1)[:, last]
    return _Curve(scores[last], right, wrong)


def _places(curve: _Curve) -> Indices:
    """At most 24 thresholds, from the strictest on: the first and the last, and those that lie evenly between."""
    right, wrong = curve.right[0], curve.wrong[0]
    along = right / max(right[-1], 1e-12) + wrong / max(wrong[-1], 1e-12)  # 0 to 2: even steps on both curves
    found = np.searchsorted(along, np.linspace(along[0], along[-1], POINTS)).clip(0, len(along) - 1)
    return np.asarray(np.unique(found), dtype=np.int64)


def _points(curve: _Curve, places: Indices) -> list[list[float]]:
    right, wrong = curve.right[0], curve.wrong[0]
    found, alarms = right / max(right[-1], 1e-12), wrong / max(wrong[-1], 1e-12)
    precision = right / np.maximum(right + wrong, 1e-12)
    rows = zip(found[places], alarms[places], precision[places], strict=True)
    least = [round(float(each), ROUNDED) for each in curve.thresholds[places]]
    return [[each, *(round(float(value), 4) for value in row)] for each, row in zip(least, rows, strict=True)]


def _bounds(scores: Floats, truth: Booleans, weights: Doubles, places: Indices) -> list[list[float]]:
    """How many are taken at each of the thresholds, and the ends of what is found and of what is right, by Wilson.

    Of as many answers as would know as much were all alike, by Kish, as recall and precision themselves.
    """
    powers = np.stack([(weights > 0).astype(np.float64), weights, weights**2])
    curve = _curve(scores, truth, powers)
    rows = []
    for at in places:
        count, taken, squares = curve.right[:, at] + curve.wrong[:, at]
        alike_taken, alike_class = taken**2 / max(squares, 1e-300), curve.right[1, -1] ** 2 / curve.right[2, -1]
        right = share(curve.right[1, at] / max(taken, 1e-300) * alike_taken, alike_taken)
        found = share(curve.right[1, at] / curve.right[1, -1] * alike_class, alike_class)
        ends = [outward(each.low, each.high) if each else {"low": 0.0, "high": 1.0} for each in (found, right)]
        rows.append([int(count), *(end for each in ends for end in each.values())])
    return rows


def _estimates(areas: Doubles, counts: Indices, rarer: Doubles, n: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Of areas (c, 1 + s) each class's first, and their mean, with intervals by how the other ones vary.

    Samples know only the mistakes that were seen, so each variance has what may be `unseen` added, of as many answers
    as the rarer kind has (c,); the interval is Wilson's, of as many answers as a share with this variance has.
    """
    values, there = areas[:, 0], np.isfinite(areas[:, 1:])
    means = np.where(there, areas[:, 1:], 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    off = np.where(there, areas[:, 1:] - means[:, None], 0)  # a sample that lacks a kind says nothing
    seen, more = (off**2).sum(axis=1) / np.maximum(there.sum(axis=1), 1), unseen(rarer)
    low, high = scored(values, worth(values, seen + more))
    factors = np.full(len(values), 1 / len(values))
    together = (float((off.sum(axis=0) ** 2).mean()) + BOTH * float(more.sum())) / float((seen + more).sum())
    told = [_kept(*each) for each in zip(values, low, high, counts, strict=True)]
    return told, _kept(*combine(values, low, high, factors, together), n)


def _kept(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"value": round(float(value), 4), **outward(low, high), "n": int(n)}
