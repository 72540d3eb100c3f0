"""Metrics of predicted against true classes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.combined import Shares, combine, exact, unseen, worth
from app.evaluation.intervals import Estimate, outward, share
from app.evaluation.reliability import calibration
from app.evaluation.thresholds import ranked


def hits(probabilities: Floats, targets: Floats, multiple: bool) -> Floats:
    """How right each prediction is, (n,) in [0, 1]: the share of answers that agree with it.

    Where several classes may hold, those that agree about the class on which the fewest do: no more than that agree
    about all of them.
    """
    if multiple:
        agree = np.where(probabilities >= 0.5, targets, 1 - targets)
        return np.asarray(agree.min(axis=1, initial=1.0), dtype=np.float32)
    return np.asarray(targets[np.arange(len(targets)), probabilities.argmax(axis=1)], dtype=np.float32)


def report(
    probabilities: Floats,
    targets: Floats,
    classes: tuple[int, ...],
    multiple: bool,
    seed: int,
    values: tuple[float, ...] | None = None,
    weights: Doubles | None = None,
) -> dict[str, Any]:
    """Accuracy, balanced accuracy and F1, macro and a class, with intervals of one look; recall, precision, confusion,
    calibration, and how the probabilities of each class rank the items.

    Where several classes may hold, the confusion is each class's own `counts`: found, missed, false alarms, rejected;
    and the calibration is that of every class's probability.

    `values` are the numbers that the classes stand for, where they are the levels of a rating: then the mean absolute
    error stands beside the accuracy. `weights` (n,) say how many answers each one stands for, where some were chosen:
    every figure but the confusion goes by them, which counts the answers as they are.
    """
    right = hits(probabilities, targets, multiple)
    n = len(right)
    weights = np.ones(n) if weights is None else weights
    accuracy = weighted_share(right, weights)
    found: dict[str, Any] = {"accuracy": accuracy.to_json() if accuracy else None}
    if n == 0:
        return found
    said, was = (probabilities, targets) if multiple else (probabilities.max(axis=1)[:, None], right[:, None])
    found["calibration"] = calibration(said, was, weights)
    predicted = probabilities >= 0.5 if multiple else np.eye(len(classes), dtype=bool)[probabilities.argmax(axis=1)]
    truth = targets >= 0.5
    if values is not None:
        found["mean_absolute_error"] = mean_absolute_error(probabilities, targets, np.array(values), weights)
    means = _means(predicted, truth, weights)
    found["macro_f1"], found["balanced_accuracy"] = means.macro, means.balanced
    ranks = ranked(probabilities, truth, weights, seed)
    found |= {f"macro_{name}": each for name, each in ranks.macro.items()}
    found["classes"] = [
        _per_class(predicted[:, i], truth[:, i], number, weights)
        | ({"counts": _counts(predicted[:, i], truth[:, i])} if multiple else {})
        | {"f1": means.classes[i]}
        | ranks.classes[i]
        for i, number in enumerate(classes)
    ]
    if not multiple:
        found["confusion"] = confusion(targets.argmax(axis=1), probabilities.argmax(axis=1), len(classes))
    return found


def weighted_share(right: Any, weights: Doubles) -> Estimate | None:
    """The share of what is right (n,) in [0, 1] by weights (n,), with Wilson's interval; None without any weight.

    The interval is that of as many answers as would know as much were all alike, by Kish: (sum w)^2 / sum w^2.
    """
    total = float(weights.sum())
    if total <= 0:
        return None
    alike = total**2 / float((weights**2).sum())
    found = share(float(weights @ right) / total * alike, alike)
    return None if found is None else replace(found, n=int((weights > 0).sum()))


def mean_absolute_error(
    probabilities: Floats, targets: Floats, values: Doubles, weights: Doubles | None = None
) -> dict[str, Any]:
    """How far the most probable level lies from the answers on the mean, in the rating's own unit.

    Several answers of one item count by their shares. The mean is the sum over all distances d of the share that is off
    by d or more, times how much d is beyond the distance before it; the interval is that of these shares together.
    """
    apart = np.round(np.abs(values[None, :] - values[probabilities.argmax(axis=1)][:, None]), 9)
    weights = np.ones(len(targets)) if weights is None else weights
    steps = np.unique(np.abs(values[None, :] - values[:, None]).round(9))
    shares = [(targets * (apart >= step)).sum(axis=1, dtype=np.float64) for step in steps[1:]]
    if not shares:
        return _kept(0.0, 0.0, 0.0, len(targets))
    off, factors = Shares(np.stack(shares, axis=1), np.ones((len(targets), len(shares))), weights), np.diff(steps)
    ends = exact(off.values, worth(off.values, off.variances + unseen(off.counts)))
    return _kept(*combine(off.values, *ends, factors, off.together(factors, 1.0)), len(targets))


def confusion(truth: Indices, predicted: Indices, classes: int) -> list[list[int]]:
    """Counts (c, c): rows are the true classes, columns the predicted ones."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (truth, predicted), 1)
    return [[int(value) for value in row] for row in table]


def _per_class(predicted: Any, truth: Any, number: int, weights: Doubles) -> dict[str, Any]:
    both = predicted & truth
    recall, precision = weighted_share(both, weights * truth), weighted_share(both, weights * predicted)
    return {
        "class_id": number,
        "recall": recall.to_json() if recall else None,
        "precision": precision.to_json() if precision else None,
    }


def _counts(predicted: Any, truth: Any) -> dict[str, int]:
    """How a class that may hold beside others is confused with not holding, by rows (n,) and (n,)."""
    pairs = {"found": (True, True), "missed": (False, True), "false_alarms": (True, False), "rejected": (False, False)}
    return {name: int(((predicted == said) & (truth == was)).sum()) for name, (said, was) in pairs.items()}


def _f1(share: Doubles) -> Doubles:
    """F1 by the share of the items of a class, answered or predicted, that are both: 2 p / (1 + p), rising in p."""
    return 2 * share / (1 + share)


@dataclass(frozen=True)
class _Means:
    """The means over the classes that have answers, and the F1 of each class."""

    macro: dict[str, Any]
    balanced: dict[str, Any]
    classes: list[dict[str, Any] | None]  # None for a class that neither answers nor predictions name


def _means(predicted: Any, truth: Any, weights: Doubles) -> _Means:
    """Each class's F1 by its exact interval, the means by those of the classes, of rows (n, c). Costs O(n c)."""
    n, both = len(truth), (predicted & truth).astype(np.float64)
    were, either = truth.astype(np.float64), (predicted | truth).astype(np.float64)
    there, named = weights @ were > 0, np.flatnonzero(weights @ either > 0)
    classes: list[dict[str, Any] | None] = [None] * truth.shape[1]
    shares = Shares(both[:, named], either[:, named], weights)
    values, ends = _f1(shares.values), [_f1(each) for each in exact(shares.values, shares.counts)]
    for at, value, low, high in zip(named, values, *ends, strict=True):
        classes[at] = _kept(value, low, high, int(truth[:, at].sum()))
    if not there.any():
        return _Means(_kept(0.0, 0.0, 1.0, n), _kept(0.0, 0.0, 1.0, n), classes)
    # a mistake is one in two classes where it may not hold several, and in as many as an item is in where it may
    macro = Shares(both[:, there], either[:, there], weights).mean(_f1, lambda share: 2 / (1 + share) ** 2, 2.0)
    balanced = Shares(both[:, there], were[:, there], weights).mean(lambda share: share, np.ones_like, 1.0)
    return _Means(_kept(*macro, n), _kept(*balanced, n), classes)


def _kept(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"value": round(float(value), 4), **outward(low, high), "n": n}
