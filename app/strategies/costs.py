"""What mistakes cost, as people write it beside a strategy: a number for each true class and each decision."""

import math

import numpy as np

from app.core.arrays import Doubles, Floats
from app.core.errors import Invalid


def costs_of(name: str, text: str) -> Doubles | None:
    """The costs (c, c) of a text as `0 1; 5 0`: a row for each true class, a column for each decision; None for none.

    Raises:
        Invalid: it is not square, has a number that is not finite or is below nought, or costs a right decision.
    """
    rows = [row.split() for row in text.split(";") if row.strip()]
    if not rows:
        return None
    if len(rows) < 2 or any(len(row) != len(rows) for row in rows):
        raise Invalid(f"strategy {name}: costs are as many numbers a row as there are rows, as 0 1; 5 0")
    try:
        costs = np.array([[float(number) for number in row] for row in rows])
    except ValueError:
        raise Invalid(
            f"strategy {name}: costs are numbers with spaces between them, rows with ; between them"
        ) from None
    if not all(math.isfinite(number) and number >= 0 for number in costs.ravel()):
        raise Invalid(f"strategy {name}: costs are finite and not below nought")
    if costs.diagonal().any():
        raise Invalid(f"strategy {name}: the cost of a right decision is 0")
    return costs


def unfit(costs: Doubles | None, classes: int) -> str:
    """Why costs cannot be used with so many classes; empty where they can."""
    if costs is None or len(costs) == classes:
        return ""
    return f"its costs are of {len(costs)} classes and there are {classes}"


def least_expected(probabilities: Floats, costs: Doubles) -> Floats:
    """min_d sum_c p_c costs[c, d] (n,): what the best decision still costs."""
    return np.asarray((probabilities @ costs.astype(np.float32)).min(axis=1), dtype=np.float32)
