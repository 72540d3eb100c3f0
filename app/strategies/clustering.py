"""k-means over some thousand rows, weighted, seeded, with a start that spreads."""

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_matrix

from app.core.arrays import Doubles, Floats, Indices

ITERATIONS = 15
ROWS_AT_ONCE = 1_024


def k_means(points: Floats, weights: Doubles, k: int, rng: Generator) -> tuple[Floats, Indices]:
    """Centers (k, d) and each row's center (n,); fewer than k centers where fewer rows differ. O(n d k) an iteration.

    Source: Lloyd. Least squares quantization in PCM. 1982; start: Arthur, Vassilvitskii. k-means++. SODA 2007.
    """
    centers = points[_start(points, weights, min(k, len(points)), rng)]
    belongs = np.zeros(len(points), dtype=np.int64)
    for _ in range(ITERATIONS):
        now = nearest_center(points, centers)
        if _ and (now == belongs).all():
            break
        belongs = now
        mass = np.bincount(belongs, weights=weights, minlength=len(centers))
        held = mass > 0
        centers = centers.copy()
        centers[held] = (_sums(points, weights, belongs, len(centers))[held] / mass[held, None]).astype(np.float32)
    return centers, belongs


def nearest_center(points: Floats, centers: Floats) -> Indices:
    """The center (n,) nearest to each row, the first of equal ones; some rows at a time, so that memory stays small."""
    parts = [
        distances(points[s : s + ROWS_AT_ONCE], centers).argmin(axis=1) for s in range(0, len(points), ROWS_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.int64, copy=False)


def _sums(points: Floats, weights: Doubles, belongs: Indices, k: int) -> Doubles:
    """The weighted sum (k, d) of the rows of each center, in double precision."""
    sums = np.zeros((k, points.shape[1]))
    for start in range(0, len(points), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        rows = len(points[some])
        sums += csr_matrix((weights[some], (belongs[some], np.arange(rows))), shape=(k, rows)) @ points[some]
    return sums


def distances(points: Floats, centers: Floats) -> Floats:
    """Squared distances (n, k), not below nought."""
    apart = points @ (-2 * centers.T)
    apart += np.einsum("nd,nd->n", points, points)[:, None]
    apart += np.einsum("kd,kd->k", centers, centers)[None, :]
    return np.asarray(np.maximum(apart, 0), dtype=np.float32)


def _start(points: Floats, weights: Doubles, k: int, rng: Generator) -> list[int]:
    """Rows drawn one after the other with chances weight x squared distance to those before."""
    squares = np.einsum("nd,nd->n", points, points)
    chance = weights.astype(np.float64)
    nearest = np.full(len(points), np.inf)
    chosen: list[int] = []
    for _ in range(k):
        if not (chance > 1e-9).any():
            break
        steps = np.cumsum(np.where(chance > 1e-9, chance, 0))
        row = int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))
        chosen.append(min(row, len(points) - 1))
        apart = squares + squares[chosen[-1]] - 2 * (points @ points[chosen[-1]])
        nearest = np.minimum(nearest, np.maximum(apart, 0))
        chance = weights * nearest
    return chosen or [0]


def nearest_rows(points: Floats, centers: Floats, order: Indices) -> list[int]:
    """The row nearest to each center, in the given order of the centers; no row twice."""
    apart = distances(points, centers)
    free = np.ones(len(points), dtype=np.bool_)
    chosen: list[int] = []
    for center in order:
        if not free.any():
            break
        row = int(np.where(free, apart[:, center], np.inf).argmin())
        chosen.append(row)
        free[row] = False
    return chosen


def filled_up(chosen: list[int], order: Indices, k: int) -> Indices:
    """The chosen rows, then others in the given order, k in all."""
    taken = set(chosen)
    rest = [int(row) for row in order if int(row) not in taken]
    return np.array([*chosen, *rest][:k], dtype=np.int64)
