"""Multinomial logistic regression, or one sigmoid a class where several may hold, with soft targets."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners.calibration import LARGE, cross_fitted_temperature, temperature
from app.learners.errors import check_fit
from app.learners.linear import Coordinates, LinearModel, RowSpace, columns_space, row_space
from app.learners.ridge import best_length

MAX_ITERATIONS = 100
TOLERANCE = 1e-4  # of the gradient, for each hundred rows
ROW_SPACE_ROWS = 1_000  # of sparse features; with more the fit is done on their columns
PROGRESS = 1e-7  # relative gain of the loss below which the search ends


@dataclass(frozen=True)
class Logistic:
    """Minimises sum_i w_i H(y_i, softmax(W x_i + b)) + |W|^2 / (2 C) by L-BFGS; y_i may be class shares.

    `strength` is C; `balanced` weights each class by the inverse of its share; `calibrate` fits the temperature
    by cross-validation. Costs O(iterations n r c), r <= min(n, columns), or O(iterations (nnz + n d) c) for more than
    1,000 sparse rows, and three more fits for the temperature; of more than 3,000 two, for the columns as well.

    Source: Hastie, Tibshirani, Friedman. The Elements of Statistical Learning, 4.4, 2009. Temperature: Guo,
    Pleiss, Sun, Weinberger. On Calibration of Modern Neural Networks. ICML 2017.
    """

    name: ClassVar[str] = "logistic"

    strength: float = 20.0
    balanced: bool = False
    calibrate: bool = True

    def fit(
        self,
        block: Block,
        targets: Floats,
        weights: Doubles,
        *,
        multiple: bool,
        seed: int,
        warm: Any | None = None,
    ) -> LinearModel:
        """Fit targets (n, c); raises CannotFit where fewer than two classes are there."""
        check_fit(targets, multiple)
        weights = self._weighted(targets, weights)
        coordinates: Any
        tried: Tried | None = None
        if block.sparse is None or len(block) <= ROW_SPACE_ROWS:
            aims = 2 * targets - 1 if multiple else targets
            coordinates, space = row_space(block, best_length(block, aims, weights))
        elif len(block) <= LARGE:
            coordinates, space = columns_space(block)
        else:
            tried = self._tried(block, targets, weights, multiple, seed)
            coordinates, space = tried.coordinates, tried.space
        start = space.start(warm, targets.shape[1])
        if start is None and tried is not None:
            start = tried.found
        w, b = self._solve(coordinates, targets, weights, multiple, start)
        model = space.model(block, w, b, multiple)
        if not self.calibrate:
            return model
        if tried is not None:
            return model.tempered(tried.temperature)

        def refit(rows: Any) -> Any:
            inner = self._solve(coordinates[rows], targets[rows], weights[rows], multiple, None)
            return lambda others: coordinates[others] @ inner[0] + inner[1]

        return model.tempered(cross_fitted_temperature(refit, targets, weights, multiple, seed))

    def _tried(self, block: Block, targets: Floats, weights: Doubles, multiple: bool, seed: int) -> "Tried":
        """Of many rows: sparse columns with the dense ones beside them or alone, which a held-out fifth prefers.

        By their loss with the temperature that either would get, and that is the learner's then. What the dense part
        knows of words that no label has shown is worth little once most have been shown.
        """
        order = np.random.default_rng(seed).permutation(len(block))
        held, kept = np.split(order, [len(block) // 5])
        tried = []
        for x, space in (columns_space(block), columns_space(block, beside=False)):
            w, b = self._solve(x[kept], targets[kept], weights[kept], multiple, None)
            scores = x[held] @ w + b
            chosen = temperature(scores, targets[held], weights[held], multiple)
            loss = _cross_entropy(scores / chosen, targets[held].astype(np.float64), weights[held], multiple)[0]
            tried.append(Tried(x, space, np.vstack([w, b]), chosen, loss))
        return min(tried, key=lambda each: each.loss)

    def _weighted(self, targets: Floats, weights: Doubles) -> Doubles:
        if not self.balanced:
            return weights
        share = np.maximum((targets * weights[:, None]).sum(axis=0), 1e-9)
        factor = weights.sum() / (targets.shape[1] * share)
        return np.asarray(weights * (targets @ factor), dtype=np.float64)

    def _solve(
        self, x: Any, targets: Floats, weights: Doubles, multiple: bool, start: Doubles | None
    ) -> tuple[Doubles, Doubles]:
        rows, width = x.shape
        classes = targets.shape[1]
        y = targets.astype(np.float64)
        penalty = 1 / self.strength

        def loss(flat: Doubles) -> tuple[float, Doubles]:
            full = flat.reshape(width + 1, classes)
            scores = x @ full[:-1] + full[-1]
            value, error = _cross_entropy(scores, y, weights, multiple)
            gradient = np.empty_like(full)
            pulled = x.pulled(error) if isinstance(x, Coordinates) else x.T @ error
            gradient[:-1] = pulled + penalty * full[:-1]
            gradient[-1] = error.sum(axis=0)
            return value + 0.5 * penalty * float((full[:-1] ** 2).sum()), gradient.ravel()

        first = np.zeros((width + 1, classes)) if start is None else start
        options = {"maxiter": MAX_ITERATIONS, "gtol": TOLERANCE * max(1.0, rows / 100), "ftol": PROGRESS}
        found = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options).x
        full = found.reshape(width + 1, classes)
        return full[:-1], full[-1]


@dataclass(frozen=True)
class Tried:
    """Columns, what was found on four fifths of the rows (k + 1, c), and how it did on the others."""

    coordinates: Coordinates
    space: RowSpace
    found: Doubles
    temperature: float
    loss: float


def _cross_entropy(scores: Doubles, y: Doubles, weights: Doubles, multiple: bool) -> tuple[float, Doubles]:
    """Weighted loss and its gradient by the scores (n, c)."""
    if multiple:
        value = -(weights[:, None] * (y * log_expit(scores) + (1 - y) * log_expit(-scores))).sum()
        return float(value), weights[:, None] * (expit(scores) - y)
    total = logsumexp(scores, axis=1, keepdims=True)
    log_p = scores - total
    mass = y.sum(axis=1, keepdims=True)
    return float(-(weights[:, None] * y * log_p).sum()), weights[:, None] * (np.exp(log_p) * mass - y)
