"""Closed-form ridge regression on class shares: a model in milliseconds."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from app.core.arrays import Doubles, Floats
from app.core.block import Block
from app.learners.calibration import cross_fitted_temperature
from app.learners.errors import check_fit
from app.learners.linear import LinearModel, row_space

SCALE = 10.0  # ridge scores differ by about one between classes; the temperature does the rest


@dataclass(frozen=True)
class Ridge:
    """W = (X'DX + lambda I)^-1 X'D(Y - mean), in the row space; costs O(r^3 + n r^2), r <= min(n, columns).

    Source: Hoerl, Kennard. Ridge Regression: Biased Estimation for Nonorthogonal Problems. Technometrics 1970.
    """

    name: ClassVar[str] = "ridge"

    penalty: float = 0.3

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
        aims = 2 * targets - 1 if multiple else targets  # a score of nought is an even chance
        coordinates, space = row_space(block)
        w, b = self._solve(coordinates, aims, weights)
        model = space.model(block, w, b, multiple)

        def refit(rows: Any) -> Any:
            inner = self._solve(coordinates[rows], aims[rows], weights[rows])
            return lambda others: coordinates[others] @ inner[0] + inner[1]

        return model.tempered(cross_fitted_temperature(refit, targets, weights, multiple, seed))

    def _solve(self, x: Doubles, targets: Floats, weights: Doubles) -> tuple[Doubles, Doubles]:
        share = weights / weights.sum()
        center = share @ x
        mean = share @ targets.astype(np.float64)
        moved = x - center
        left = (moved * weights[:, None]).T @ moved + self.penalty * np.eye(x.shape[1])
        w = np.linalg.solve(left, (moved * weights[:, None]).T @ (targets - mean)) * SCALE
        return w, mean * SCALE - center @ w
