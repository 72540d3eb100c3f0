"""Metrics of predicted against true classes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.intervals import Estimate, outward, share
from app.evaluation.reliability import calibration
from app.evaluation.thresholds import ranked

BOOTSTRAP = 200
SMALLEST = 1e-12  # a sum of weights below which there is none


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
    """Accuracy, balanced accuracy and F1, macro and a class, with bootstrap intervals; recall, precision, confusion,
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
    found["calibration"] = calibration(said, was, seed, weights)
    predicted = probabilities >= 0.5 if multiple else np.eye(len(classes), dtype=bool)[probabilities.argmax(axis=1)]
    truth = targets >= 0.5
    if values is not None:
        found["mean_absolute_error"] = mean_absolute_error(probabilities, targets, np.array(values), seed, weights)
    drawn = _resampled(predicted, truth, seed, weights)
    found["macro_f1"], found["balanced_accuracy"] = drawn.macro, drawn.balanced
    ranks = ranked(probabilities, truth, weights, seed)
    found |= {f"macro_{name}": each for name, each in ranks.macro.items()}
    found["classes"] = [
        _per_class(predicted[:, i], truth[:, i], number, weights)
        | ({"counts": _counts(predicted[:, i], truth[:, i])} if multiple else {})
        | {"f1": drawn.classes[i]}
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
    probabilities: Floats, targets: Floats, values: Doubles, seed: int, weights: Doubles | None = None
) -> dict[str, Any]:
    """How far the most probable level lies from the answers on the mean, in the rating's own unit.

    Several answers of one item count by their shares. The interval holds 95 % of bootstrap samples of the items.
    """
    apart = np.abs(values[None, :] - values[probabilities.argmax(axis=1)][:, None])
    errors = (targets * apart).sum(axis=1)
    weights = np.ones(len(errors)) if weights is None else weights
    draws = np.random.default_rng(seed).integers(0, len(errors), (BOOTSTRAP, len(errors)))
    means = (errors * weights)[draws].sum(axis=1) / np.maximum(weights[draws].sum(axis=1), SMALLEST)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(errors @ weights / weights.sum())
    return {"value": round(mean, 4), **outward(low, high), "n": len(errors)}


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


@dataclass(frozen=True)
class _Resampled:
    """Figures that are no shares of the rows, with the interval that 95 % of bootstrap samples of the rows give."""

    macro: dict[str, Any]
    balanced: dict[str, Any]
    classes: list[dict[str, Any] | None]  # None for a class that neither answers nor predictions name


def _resampled(predicted: Any, truth: Any, seed: int, weights: Doubles) -> _Resampled:
    """Each sample is drawn once for all figures. Costs O(200 n c)."""
    rng, n, classes = np.random.default_rng(seed), len(truth), truth.shape[1]
    counted = np.concatenate([predicted & truth, predicted, truth], axis=1) * weights[:, None]
    sums = [counted.sum(axis=0)]  # of the rows themselves first
    sums += [np.bincount(rng.integers(0, n, n), minlength=n) @ counted for _ in range(BOOTSTRAP)]
    both, said, were = np.split(np.array(sums), [classes, 2 * classes], axis=1)
    f1 = 2 * both / np.maximum(said + were, SMALLEST)
    there = were > 0
    macro = _mean_where(f1, there)
    balanced = _mean_where(both / np.maximum(were, SMALLEST), there)
    named = (said[0] + were[0]) > 0
    return _Resampled(
        _with_interval(macro, n),
        _with_interval(balanced, n),
        [_with_interval(f1[:, i], int(truth[:, i].sum())) if named[i] else None for i in range(f1.shape[1])],
    )


def _mean_where(values: Doubles, there: Any) -> Doubles:
    """The mean of each row (s, c) over the classes that it has; 0 where it has none."""
    return np.asarray((values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), dtype=np.float64)


def _with_interval(values: Doubles, n: int) -> dict[str, Any]:
    """The first of the values, and where 95 % of the others lie."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": round(float(values[0]), 4), **outward(low, high), "n": n}
