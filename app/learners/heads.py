"""Several linear heads over the dense features at once: a bootstrap committee, or draws of a posterior."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners.calibration import cross_fitted_temperature
from app.learners.linear import LinearModel, link, row_space
from app.learners.logistic import Logistic
from app.learners.ridge import Ridge, best_penalty, solved

PRIOR = 20.0  # the variance of a weight before any label: logistic regression's usual strength


@dataclass(frozen=True)
class LinearHeads:
    """K heads as one matrix product: `weights` (d, K c) float32, `bias` (K c,). Scoring costs O(n d K c)."""

    weights: Floats
    bias: Floats
    heads: int
    temperature: float
    multiple: bool

    def probabilities(self, block: Block) -> Floats:
        """(K, n, c) float32, each head's opinion of each row; hold no more than some thousand rows at once."""
        scores = (block.dense @ self.weights + self.bias) / np.float32(self.temperature)
        apart = scores.reshape(len(block), self.heads, -1).transpose(1, 0, 2)
        rows = np.ascontiguousarray(apart).reshape(self.heads * len(block), -1)
        return link(rows, self.multiple).reshape(self.heads, len(block), -1)


def bootstrap_heads(
    block: Block, targets: Floats, weights: Doubles, *, heads: int, multiple: bool, seed: int
) -> LinearHeads:
    """Ridge heads, each fitted on as many labelled rows drawn with replacement; closed form, O(K r^2 (n + r)).

    They share the penalty and the temperature of a head fitted on all rows, so that they differ by their rows alone.

    Source: Breiman. Bagging Predictors. Machine Learning 24, 1996; Abe, Mamitsuka. Query Learning Strategies Using
    Boosting and Bagging. ICML 1998.
    """
    dense = Block(block.dense)
    whole = Ridge().fit(dense, targets, weights, multiple=multiple, seed=seed)
    coordinates, space = row_space(dense)
    aims = 2 * targets - 1 if multiple else targets
    penalty = best_penalty(coordinates, aims, weights)
    rng = np.random.default_rng(seed)
    rows = targets.shape[0]
    members = []
    for _ in range(heads):
        drawn = np.maximum(weights * rng.multinomial(rows, np.full(rows, 1 / rows)), 1e-9)
        members.append(space.model(dense, *solved(coordinates, aims, drawn, penalty), multiple))
    return _together(members, whole.temperature)


def learner_heads(block: Block, targets: Floats, weights: Doubles, *, multiple: bool, seed: int) -> LinearHeads:
    """Three learners of different minds on the same rows: ridge, logistic regression and the nearest class mean.

    Each is divided by its own temperature. Costs the three fits and those for their temperatures.

    Source: Dagan, Engelson. Committee-Based Sampling for Training Probabilistic Classifiers. ICML 1995. Nearest mean:
    Tibshirani, Hastie, Narasimhan, Chu. Diagnosis of multiple cancer types by shrunken centroids. PNAS 99, 2002.
    """
    dense = Block(block.dense)
    arguments: Any = {"multiple": multiple, "seed": seed}
    members = [each.fit(dense, targets, weights, **arguments) for each in (Ridge(), Logistic())]
    members.append(_nearest_means(dense, targets, weights, multiple, seed))
    even = [
        replace(each, weights=each.weights / each.temperature, bias=each.bias / each.temperature) for each in members
    ]
    return _together(even, 1.0)


def _nearest_means(block: Block, targets: Floats, weights: Doubles, multiple: bool, seed: int) -> LinearModel:
    """Scores by the squared distance to each class's mean; where several may hold, against the mean of the others."""
    matrix = block.dense.astype(np.float64)

    def fit(rows: Any) -> tuple[Doubles, Doubles]:
        shares = targets[rows] * weights[rows, None]
        own = _means(matrix[rows], shares)
        if not multiple:
            return 2 * own.T, -(own**2).sum(axis=1)
        others = _means(matrix[rows], (1 - targets[rows]) * weights[rows, None])
        return 2 * (own - others).T, (others**2).sum(axis=1) - (own**2).sum(axis=1)

    def refit(rows: Any) -> Any:
        w, b = fit(rows)
        return lambda held: matrix[held] @ w + b

    w, b = fit(np.arange(len(block)))
    model = LinearModel(w.astype(np.float32), b.astype(np.float32), 1.0, multiple, int(matrix.shape[1]))
    return model.tempered(cross_fitted_temperature(refit, targets, weights, multiple, seed))


def _means(matrix: Doubles, shares: Doubles) -> Doubles:
    """The mean row (c, d) by class shares (n, c); of a class without rows the mean of all."""
    total = shares.sum(axis=0)[:, None]
    own = shares.T @ matrix / np.maximum(total, 1e-12)
    return np.asarray(np.where(total > 0, own, matrix.mean(axis=0)), dtype=np.float64)


def posterior_heads(
    block: Block, targets: Floats, weights: Doubles, *, heads: int, multiple: bool, seed: int
) -> LinearHeads:
    """Draws of the weights of logistic regression from their Laplace posterior, one Gaussian a class.

    Precision of class c: sum_i w_i p_ic (1 - p_ic) x_i x_i' + I / 20; covariance between classes is left out.
    Costs a fit, and O(c (n d^2 + d^3)) for the factors.

    Source: MacKay. A Practical Bayesian Framework for Backpropagation Networks. Neural Computation 4(3), 1992.
    """
    dense = Block(block.dense)
    mode = Logistic(strength=PRIOR, calibrate=False).fit(dense, targets, weights, multiple=multiple, seed=seed)
    matrix = np.hstack([dense.dense, np.ones((len(dense), 1), dtype=np.float32)]).astype(np.float64)
    spread = mode.probabilities(dense).astype(np.float64)
    spread *= 1 - spread
    rng = np.random.default_rng(seed)
    width, classes = matrix.shape[1], targets.shape[1]
    drawn = np.empty((width, heads, classes))
    for column in range(classes):
        precision = (matrix * (weights * spread[:, column])[:, None]).T @ matrix
        precision[np.diag_indices(width)] += 1 / PRIOR
        factor = cholesky(precision, lower=True)
        noise = rng.standard_normal((width, heads))
        drawn[:, :, column] = solve_triangular(factor, noise, trans="T", lower=True)
    flat = drawn.reshape(width, heads * classes).astype(np.float32)
    center = np.tile(mode.weights, (1, heads)), np.tile(mode.bias, heads)
    return LinearHeads(center[0] + flat[:-1], center[1] + flat[-1], heads, 1.0, multiple)


def _together(members: list[LinearModel], temperature: float) -> LinearHeads:
    weights = np.hstack([each.weights for each in members])
    bias = np.concatenate([each.bias for each in members])
    return LinearHeads(weights, bias, len(members), temperature, members[0].multiple)
