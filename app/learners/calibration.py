"""Temperatures: how far the scores must be divided so that the probabilities keep their word."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, logsumexp

from app.core.arrays import Doubles, Floats, Indices

FOLDS = 3
LARGE = 3_000  # rows from which one held-out fifth stands in for the folds
FEWEST = 8
LOWEST, HIGHEST = 0.1, 10.0


def cross_fitted_temperature(
    refit: Callable[[Indices], Callable[[Indices], Any]],
    targets: Floats,
    weights: Doubles,
    multiple: bool,
    seed: int,
) -> float:
    """The temperature that minimises the log loss of out-of-fold scores, in [0.1, 10]; 1 for fewer than 8 rows.

    `refit(rows)` fits on some rows and gives a function from other rows to their scores (m, c).
    """
    rows = targets.shape[0]
    if rows < FEWEST:
        return 1.0
    order = np.random.default_rng(seed).permutation(rows).astype(np.int64)
    folds = [order[: rows // 5]] if rows > LARGE else np.array_split(order, FOLDS)
    scores, held = [], []
    for fold in folds:
        kept = np.setdiff1d(order, fold)
        if (targets[kept].sum(axis=0) > 0).sum() < 2:
            continue
        scores.append(refit(kept)(fold))
        held.append(fold)
    if not held:
        return 1.0
    outside = np.concatenate(held)
    return temperature(np.concatenate(scores), targets[outside], weights[outside], multiple)


def temperature(scores: Any, targets: Floats, weights: Doubles, multiple: bool) -> float:
    """argmin_T of the weighted log loss of scores / T."""

    def loss(log_t: float) -> float:
        scaled = scores / np.exp(log_t)
        if multiple:
            each = targets * log_expit(scaled) + (1 - targets) * log_expit(-scaled)
        else:
            each = targets * (scaled - logsumexp(scaled, axis=1, keepdims=True))
        return float(-(weights[:, None] * each).sum())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))
