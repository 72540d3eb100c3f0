"""Metrics of predicted against true classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.arrays import Doubles, Floats, Indices
from app.evaluation.intervals import share

BOOTSTRAP = 200
CALIBRATION_BINS = 10


def hits(probabilities: Floats, targets: Floats, multiple: bool) -> Floats:
    """How right each prediction is, (n,) in [0, 1]: the share of answers that agree with it.

    For several classes a row counts when every class is on its right side of one half.
    """
    if multiple:
        return np.asarray(((probabilities >= 0.5) == (targets >= 0.5)).all(axis=1), dtype=np.float32)
    return np.asarray(targets[np.arange(len(targets)), probabilities.argmax(axis=1)], dtype=np.float32)


def report(
    probabilities: Floats,
    targets: Floats,
    classes: tuple[int, ...],
    multiple: bool,
    seed: int,
    values: tuple[float, ...] | None = None,
) -> dict[str, Any]:
    """Accuracy, balanced accuracy and F1, macro and a class, with bootstrap intervals; recall, precision, confusion,
    calibration.

    `values` are the numbers that the classes stand for, where they are the levels of a rating: then the mean absolute
    error stands beside the accuracy.
    """
    right = hits(probabilities, targets, multiple)
    n = len(right)
    accuracy = share(float(right.sum()), n)
    found: dict[str, Any] = {"accuracy": accuracy.to_json() if accuracy else None}
    if n == 0:
        return found
    found["calibration"] = calibration(probabilities, right) if not multiple else None
    predicted = probabilities >= 0.5 if multiple else np.eye(len(classes), dtype=bool)[probabilities.argmax(axis=1)]
    truth = targets >= 0.5
    if values is not None:
        found["mean_absolute_error"] = mean_absolute_error(probabilities, targets, np.array(values), seed)
    drawn = _resampled(predicted, truth, seed)
    found["macro_f1"], found["balanced_accuracy"] = drawn.macro, drawn.balanced
    found["classes"] = [
        _per_class(predicted[:, i], truth[:, i], number) | {"f1": drawn.classes[i]} for i, number in enumerate(classes)
    ]
    if not multiple:
        found["confusion"] = confusion(targets.argmax(axis=1), probabilities.argmax(axis=1), len(classes))
    return found


def mean_absolute_error(probabilities: Floats, targets: Floats, values: Doubles, seed: int) -> dict[str, Any]:
    """How far the most probable level lies from the answers on the mean, in the rating's own unit.

    Several answers of one item count by their shares. The interval holds 95 % of bootstrap samples of the items.
    """
    apart = np.abs(values[None, :] - values[probabilities.argmax(axis=1)][:, None])
    errors = (targets * apart).sum(axis=1)
    draws = np.random.default_rng(seed).integers(0, len(errors), (BOOTSTRAP, len(errors)))
    low, high = np.quantile(errors[draws].mean(axis=1), [0.025, 0.975])
    found = {"value": float(errors.mean()), "low": float(low), "high": float(high)}
    return {**{name: round(number, 4) for name, number in found.items()}, "n": len(errors)}


def confusion(truth: Indices, predicted: Indices, classes: int) -> list[list[int]]:
    """Counts (c, c): rows are the true classes, columns the predicted ones."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (truth, predicted), 1)
    return [[int(value) for value in row] for row in table]


def calibration(probabilities: Floats, right: Floats) -> dict[str, Any]:
    """Expected calibration error over ten bins of the highest probability.

    Source: Naeini, Cooper, Hauskrecht. Obtaining Well Calibrated Probabilities Using Bayesian Binning. AAAI 2015.
    """
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    rows, error = [], 0.0
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if not inside.any():
            continue
        said, was = float(confidence[inside].mean()), float(right[inside].mean())
        error += float(inside.mean()) * abs(said - was)
        rows.append({"said": round(said, 4), "was": round(was, 4), "n": int(inside.sum())})
    return {"error": round(error, 4), "bins": rows}


def _per_class(predicted: Any, truth: Any, number: int) -> dict[str, Any]:
    both = float((predicted & truth).sum())
    recall, precision = share(both, int(truth.sum())), share(both, int(predicted.sum()))
    return {
        "class_id": number,
        "recall": recall.to_json() if recall else None,
        "precision": precision.to_json() if precision else None,
    }


@dataclass(frozen=True)
class _Resampled:
    """Figures that are no shares of the rows, with the interval that 95 % of bootstrap samples of the rows give."""

    macro: dict[str, Any]
    balanced: dict[str, Any]
    classes: list[dict[str, Any] | None]  # None for a class that neither answers nor predictions name


def _resampled(predicted: Any, truth: Any, seed: int) -> _Resampled:
    """Each sample is drawn once for all figures. Costs O(200 n c)."""
    rng, n, classes = np.random.default_rng(seed), len(truth), truth.shape[1]
    counted = np.concatenate([predicted & truth, predicted, truth], axis=1).astype(np.float64)
    sums = [counted.sum(axis=0)]  # of the rows themselves first
    sums += [np.bincount(rng.integers(0, n, n), minlength=n) @ counted for _ in range(BOOTSTRAP)]
    both, said, were = np.split(np.array(sums), [classes, 2 * classes], axis=1)
    f1 = 2 * both / np.maximum(said + were, 1)
    there = were > 0
    macro = _mean_where(f1, there)
    balanced = _mean_where(both / np.maximum(were, 1), there)
    named = (said[0] + were[0]) > 0
    return _Resampled(
        _with_interval(macro, n),
        _with_interval(balanced, n),
        [_with_interval(f1[:, i], int(were[0, i])) if named[i] else None for i in range(f1.shape[1])],
    )


def _mean_where(values: Doubles, there: Any) -> Doubles:
    """The mean of each row (s, c) over the classes that it has; 0 where it has none."""
    return np.asarray((values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), dtype=np.float64)


def _with_interval(values: Doubles, n: int) -> dict[str, Any]:
    """The first of the values, and where 95 % of the others lie."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return {"value": round(float(values[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4), "n": n}
