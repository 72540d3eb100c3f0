"""Closed-form ridge regression on class shares: a model in milliseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import inv, solve

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners.calibration import cross_fitted_temperature, temperature
from app.learners.errors import check_fit
from app.learners.linear import BESIDE, LENGTHS, LinearModel, link, row_space

PENALTIES = (0.03, 0.1, 0.3, 1.0)  # beyond these no set tried was better
TOLERANCE = 1.0 + 1e-9
LENGTH_ROWS = 400
SCALE = 10.0  # ridge scores differ by about one between classes; the temperature does the rest


@dataclass(frozen=True)
class Ridge:
    """W = (X'DX + lambda I)^-1 X'D(Y - mean), in the row space; costs O(r^3 + n r^2), r <= min(n, columns).

    `penalty` is lambda; 0 takes the one of 0.03, 0.1, 0.3 and 1 with the lowest leave-one-out error, in closed form. So
    is chosen how long the dense part of a row is beside its sparse one: 0.5, 1 or 2 (by 400 rows at most).

    Source: Hoerl, Kennard. Ridge Regression: Biased Estimation for Nonorthogonal Problems. Technometrics 1970.
    Leave-one-out: Allen. The Relationship between Variable Selection and Data Augmentation. Technometrics 1974.
    """

    name: ClassVar[str] = "ridge"

    penalty: float = 0.0

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
        aims = 2 * targets - 1 if multiple else targets  # so that a score of nought is an even chance
        penalties = (self.penalty,) if self.penalty else PENALTIES
        coordinates, space = row_space(block, best_length(block, aims, weights, penalties))
        penalty = self.penalty or best_penalty(coordinates, aims, weights)
        w, b = solved(coordinates, aims, weights, penalty)
        model = space.model(block, w, b, multiple)

        def refit(rows: Any) -> Any:
            inner = solved(coordinates[rows], aims[rows], weights[rows], penalty)
            return lambda others: coordinates[others] @ inner[0] + inner[1]

        return model.tempered(cross_fitted_temperature(refit, targets, weights, multiple, seed))


def solved(x: Doubles, targets: Floats, weights: Doubles, penalty: float) -> tuple[Doubles, Doubles]:
    """Weights (r, c) and bias (c,); the bias is not penalised."""
    share = weights / weights.sum()
    center = share @ x
    mean = share @ targets.astype(np.float64)
    moved = x - center
    pulled = (moved * weights[:, None]).T
    left = pulled @ moved
    left[np.diag_indices_from(left)] += penalty
    w = solve(left, pulled @ (targets - mean), assume_a="pos") * SCALE
    return w, mean * SCALE - center @ w


def best_length(block: Block, targets: Floats, weights: Doubles, penalties: Sequence[float] = PENALTIES) -> float:
    """The length of the dense part beside the sparse one with the lowest such error; 0.5 where there is no sparse part.

    Rows beyond 400 are left out evenly: three spaces of all of a thousand would cost as much as ten fits.
    """
    if block.sparse is None:
        return BESIDE
    heeded = np.flatnonzero(weights > 0)
    rows = heeded[np.unique(np.linspace(0, len(heeded) - 1, min(len(heeded), LENGTH_ROWS)).astype(np.int64))]
    some, aims, shares = block.take(rows), targets[rows], weights[rows]
    errors = [min(_penalised(row_space(some, length)[0], aims, shares, penalties)) for length in LENGTHS]
    return next(length for length, error in zip(LENGTHS, errors, strict=True) if error <= min(errors) * TOLERANCE)


def best_penalty(x: Doubles, targets: Floats, weights: Doubles) -> float:
    """The penalty with the lowest weighted squared leave-one-out error; ties go to the largest."""
    errors = _penalised(x, targets, weights)
    return max(penalty for penalty, error in zip(PENALTIES, errors, strict=True) if error <= min(errors) * TOLERANCE)


def _penalised(x: Doubles, targets: Floats, weights: Doubles, penalties: Sequence[float] = PENALTIES) -> list[float]:
    """The leave-one-out error at each penalty."""
    return [float(weights @ (error**2).sum(axis=1)) for _, error in left_out_errors(x, targets, weights, penalties)]


def left_out_errors(
    x: Doubles, targets: Floats, weights: Doubles, penalties: Sequence[float]
) -> Iterator[tuple[float, Doubles]]:
    """Each penalty with the errors (n, c) of the targets by a fit without the row itself.

    A row's error without itself is its error divided by one minus its leverage, so no fit is repeated.
    """
    share = weights / weights.sum()
    moved = x - share @ x
    away = targets - share @ targets.astype(np.float64)
    pulled = (moved * weights[:, None]).T
    left = pulled @ moved
    right = pulled @ away
    for penalty in penalties:
        inverse = inv(left + penalty * np.eye(len(left)))
        leverage = share + (moved @ inverse * moved).sum(axis=1) * weights
        yield penalty, (away - moved @ (inverse @ right)) / np.maximum(1 - leverage, 1e-3)[:, None]


def left_out(block: Block, targets: Floats, weights: Doubles, *, multiple: bool) -> Floats:
    """Calibrated probabilities (n, c) of each row by a fit of all others; raises CannotFit as a fit does.

    In closed form: costs what one fit does, O(r^3 + n r^2), r <= min(n, columns), for each of four penalties.
    """
    check_fit(targets, multiple)
    aims = 2 * targets - 1 if multiple else targets
    coordinates, _ = row_space(block, best_length(block, aims, weights))
    penalty = best_penalty(coordinates, aims, weights)
    [(_, error)] = left_out_errors(coordinates, aims, weights, [penalty])
    scores = SCALE * (aims - error)
    tempered = scores / temperature(scores, targets, weights, multiple)
    return link(tempered.astype(np.float32), multiple)
